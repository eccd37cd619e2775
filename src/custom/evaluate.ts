/** Evaluates the code of a custom policy or action. */
import { createRequire, SourceMap } from 'node:module';
import { compileFunction } from 'node:vm';
import { isAllowedBuiltin } from './builtins.js';
import { type Definition, KIND } from './definition.js';

const builtin = createRequire(import.meta.url);

/** Code that cannot be used. The message says why; `place` says where, if that is known. */
export class CodeError extends Error {
  override readonly name = 'CodeError';
  constructor(
    message: string,
    readonly place: CodePlace | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A place in the source of custom code. */
export interface CodePlace {
  /** Relative to the folder of the root spec. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
}

/** An evaluated module. */
export interface CodeModule {
  readonly definition: Definition;
  /** The place in the source where an error arose; undefined if its stack does not lead to this module. */
  placeOf(error: unknown): CodePlace | undefined;
}

/**
 * Runs a module once, in a function scope of its own.
 * @param text a CommonJS module, with its source map inline
 * @param use name for messages, and in stacks
 * @param api what `require('gw/policy')` gives
 * @throws CodeError if it throws, or exports no definition.
 */
export function evaluateCode(text: string, use: string, api: object): CodeModule {
  const { exports, placeOf } = runModule(text, use, (specifier) => provide(specifier, api));
  const definition = definitionOf(exports);
  if (definition === undefined)
    throw new CodeError('The module does not export a policy or an action by default.', undefined);
  return { definition, placeOf };
}

/** What a module left in `module.exports`. */
export interface RunModule {
  readonly exports: unknown;
  placeOf(error: unknown): CodePlace | undefined;
}

/** Runs any module once. `provide`: its require(). Throws CodeError if it throws. */
export function runModule(text: string, use: string, provide: (specifier: string) => unknown): RunModule {
  const file = `custom:${use}`;
  let map: SourceMap | undefined;
  const placeOf = (error: unknown): CodePlace | undefined => {
    map ??= mapIn(text);
    return map && placeIn(error, file, map);
  };
  const module = { exports: {} as unknown };
  try {
    const run = compileFunction(text, ['module', 'exports', 'require'], { filename: file });
    run(module, module.exports, provide);
  } catch (error) {
    if (error instanceof CodeError) throw error;
    throw new CodeError(`The code throws when it is loaded: ${shown(error)}`, placeOf(error), { cause: error });
  }
  return { exports: module.exports, placeOf };
}

function provide(specifier: string, api: object): unknown {
  if (specifier === 'gw/policy') return api;
  if (isAllowedBuiltin(specifier)) return builtin(specifier);
  throw new CodeError(`The code requires \`${specifier}\`, which custom code cannot use.`, undefined);
}

function definitionOf(exported: unknown): Definition | undefined {
  for (const candidate of [exported, propertyOf(exported, 'default')]) {
    const kind = propertyOf(candidate, KIND);
    if (kind !== 'policy' && kind !== 'action') continue;
    if (typeof propertyOf(candidate, 'create') === 'function') return candidate as Definition;
  }
  return undefined;
}

const propertyOf = (value: unknown, key: string | symbol): unknown =>
  typeof value === 'object' && value !== null && key in value ? Reflect.get(value, key) : undefined;

/** The text of anything that was thrown, on one line. */
export function shown(error: unknown): string {
  let text: string;
  try {
    text = error instanceof Error ? error.message || error.name : String(error);
  } catch {
    text = 'a value without text';
  }
  return text.replace(/\s+/g, ' ').slice(0, 400);
}

/**
 * Whether an error arose where only custom code and Node ran, as in a timer of Node: no code of gw was interrupted by it. A
 * stack that may have been cut is not trusted.
 */
export function isAlone(error: unknown): boolean {
  const stack = propertyOf(error, 'stack');
  if (typeof stack !== 'string') return false;
  const frames = stack.split('\n').filter((line) => line.startsWith('    at '));
  const foreign = frames.some((line) => !/[ (](?:custom:|node:|<anonymous>)/.test(line));
  return !foreign && frames.length < Error.stackTraceLimit && frames.some((line) => line.includes('custom:'));
}

const INLINE_MAP = '\n//# sourceMappingURL=data:application/json;base64,';

function mapIn(text: string): SourceMap | undefined {
  const at = text.lastIndexOf(INLINE_MAP);
  if (at < 0) return undefined;
  try {
    return new SourceMap(JSON.parse(Buffer.from(text.slice(at + INLINE_MAP.length).trim(), 'base64').toString()));
  } catch {
    // A damaged map costs only the places.
    return undefined;
  }
}

/** The innermost frame of the module. */
function placeIn(error: unknown, file: string, map: SourceMap): CodePlace | undefined {
  const stack = propertyOf(error, 'stack');
  if (typeof stack !== 'string') return undefined;
  for (const line of stack.split('\n')) {
    const at = line.indexOf(`${file}:`);
    const found = at < 0 ? null : /^(\d+):(\d+)/.exec(line.slice(at + file.length + 1));
    if (!found) continue;
    const entry = map.findEntry(Number(found[1]) - 1, Number(found[2]) - 1);
    if (!('originalSource' in entry)) continue;
    return { file: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
  }
  return undefined;
}
