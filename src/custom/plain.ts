/** Plain JSON, as configs and settings of custom code must be: they leave the helper thread and go into the bundle. */
import type { Json } from '../bundle/types.js';
import { CodeError } from './evaluate.js';

const DEEPEST = 100;

/** A copy without undefined values. Throws CodeError for what JSON cannot express. */
export const plainConfig = (value: unknown): Json => copyOf(value, 'config', 0);

/** The same for what compile() returned. */
export const plainSettings = (value: unknown): Json => copyOf(value, 'settings', 0);

/** The same for what another function of the definition returned. */
export const plainResult = (value: unknown, what: string): Json => copyOf(value, what, 0);

function copyOf(value: unknown, at: string, depth: number): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (depth > DEEPEST) throw notPlain(at, 'nested too deeply');
  if (Array.isArray(value)) return value.map((item, index) => copyOf(item, `${at}.${index}`, depth + 1));
  if (typeof value !== 'object') throw notPlain(at, kindOf(value));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) throw notPlain(at, kindOf(value));
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, copyOf(item, `${at}.${key}`, depth + 1)]));
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) {
    // Its rejection adds nothing.
    value.catch(() => {});
    return 'a promise, and this function must return its result at once';
  }
  if (typeof value === 'object' && value !== null) return `an object of class ${value.constructor?.name ?? 'unknown'}`;
  if (typeof value === 'number') return `the number ${value}`;
  return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`;
}

const notPlain = (at: string, kind: string): CodeError =>
  new CodeError(
    `\`${at.length > 80 ? `${at.slice(0, 80)}...` : at}\` must be plain JSON, but it is ${kind}.`,
    undefined,
  );
