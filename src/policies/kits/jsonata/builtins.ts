/**
 * The functions of the language, bounded. Each first pays for the arguments that it reads; those whose result can be much
 * larger than their arguments, or whose work grows faster than linearly, are checked or written anew.
 */
import {
  type BaseFrame,
  ENTRY,
  type Expression,
  type Focus,
  type Frame,
  type JsonataLibrary,
  type NativeFunction,
} from './ast.js';
import type { Bounded, Budget, Natives } from './budget.js';
import { LIST_FUNCTIONS } from './list-functions.js';
import { TEXT_FUNCTIONS } from './text-functions.js';

/** All functions of JSONata 2.2 except `$eval`. */
export const FUNCTION_NAMES = [
  ...['sum', 'count', 'max', 'min', 'average', 'string', 'substring', 'substringBefore', 'substringAfter'],
  ...['lowercase', 'uppercase', 'length', 'trim', 'pad', 'match', 'contains', 'replace', 'split', 'join'],
  ...['formatNumber', 'formatBase', 'formatInteger', 'parseInteger', 'number', 'floor', 'ceil', 'round', 'abs'],
  ...['sqrt', 'power', 'random', 'boolean', 'not', 'map', 'zip', 'filter', 'single', 'reduce', 'sift', 'keys'],
  ...['lookup', 'append', 'exists', 'spread', 'merge', 'reverse', 'each', 'error', 'assert', 'type', 'sort'],
  ...['shuffle', 'distinct', 'base64encode', 'base64decode', 'encodeUrlComponent', 'encodeUrl'],
  ...['decodeUrlComponent', 'decodeUrl', 'toMillis', 'fromMillis', 'clone', 'now', 'millis'],
] as const;

/** A frame of an evaluation that the kit started. */
interface OwnedFrame extends BaseFrame {
  gwBudget: Budget;
}

export const setBudget = (base: BaseFrame, budget: Budget): void => {
  (base as OwnedFrame).gwBudget = budget;
};

const budgetOf = (frame: Frame): Budget => (frame.base as OwnedFrame).gwBudget;

/** Functions that pay only for what their result is made of, not for what they are given. */
const CHEAP = new Set(['exists', 'type', 'count', 'lookup', 'error']);

/** Binds the bounded functions in place of the library's, and takes `$eval` away. */
export function bindFunctions(library: JsonataLibrary, expression: Expression): void {
  const frame = ownFrame(library);
  const originals = new Map<string, NativeFunction>();
  for (const name of FUNCTION_NAMES) originals.set(name, frame.lookup(name) as NativeFunction);
  for (const [name, native] of originals) expression.assign(name, bounded(name, native, originals));
  expression.assign('eval', undefined);
}

/** An evaluation runs at once up to its first node, where the hook gets the frame that knows all functions. */
function ownFrame(library: JsonataLibrary): Frame {
  const probe = library('0');
  let found: Frame | undefined;
  probe.assign(ENTRY, (_node: unknown, _input: unknown, frame: Frame) => {
    found = frame;
  });
  probe.evaluate(undefined).catch(() => undefined);
  return found!;
}

function bounded(name: string, native: NativeFunction, originals: ReadonlyMap<string, NativeFunction>): NativeFunction {
  const own: Bounded | undefined = TEXT_FUNCTIONS[name] ?? LIST_FUNCTIONS[name];
  const cheap = CHEAP.has(name);
  const { implementation: original } = native;
  function implementation(this: Focus, ...args: unknown[]): unknown {
    const budget = budgetOf(this.environment);
    if (!cheap) for (const arg of args) pay(budget, arg);
    if (own === undefined) return original.apply(this, args);
    const call = (...changed: unknown[]): unknown => original.apply(this, changed);
    const natives: Natives = {
      call: (other, ...changed) => originals.get(other)!.implementation.apply(this, changed),
    };
    return own(budget, call, args, natives);
  }
  // The library reads the names of parameters from the source for partial application, and their number for callbacks.
  Object.defineProperty(implementation, 'length', { value: original.length });
  Object.defineProperty(implementation, 'toString', { value: () => original.toString() });
  return { ...native, implementation };
}

function pay(budget: Budget, arg: unknown): void {
  if (typeof arg === 'string') budget.spendCharacters(arg.length);
  else if (Array.isArray(arg)) budget.spendItems(arg.length);
}
