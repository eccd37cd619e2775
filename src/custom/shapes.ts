/** Checks of what the functions of a definition return: it may come from plain JavaScript. */
import type { Json } from '../bundle/types.js';
import { isToken } from '../field-syntax.js';
import { CodeError } from './evaluate.js';
import { plainResult } from './plain.js';

type Test = (value: unknown) => boolean;

export const text: Test = (value) => typeof value === 'string' && value !== '';
export const flag: Test = (value) => typeof value === 'boolean';
export const fieldName: Test = (value) => typeof value === 'string' && isToken(value);
export const status: Test = (value) => Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599;
/** A path into a config. */
export const path: Test = (value) =>
  Array.isArray(value) && value.every((step) => typeof step === 'string' || Number.isSafeInteger(step));

export const optional =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
export const oneOf =
  (...values: readonly unknown[]): Test =>
  (value) =>
    values.includes(value);
export const listOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);

/** An object with these keys and no others. */
export const record =
  (keys: { readonly [name: string]: Test }): Test =>
  (value) => {
    if (typeof value !== 'object' || value === null) return false;
    const given = new Map<string, unknown>(Object.entries(value));
    return (
      Object.entries(keys).every(([name, test]) => test(given.get(name))) &&
      [...given.keys()].every((name) => Object.hasOwn(keys, name))
    );
  };

/** A plain copy of a result. Throws CodeError, which says what is expected, if it has another shape. */
export function checkedResult<T>(value: unknown, what: string, test: Test, expected: string): Json & T {
  const plain = plainResult(value, what);
  if (!test(plain)) throw new CodeError(`\`${what}\` must be ${expected}.`, undefined);
  return plain as Json & T;
}
