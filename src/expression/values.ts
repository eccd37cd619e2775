/** Values of expressions, and what CEL's operators and functions do with them. Pure; work is paid from a budget. */
import type { Json } from '../bundle/types.js';

/** CEL int is a bigint, double a number. Lists and objects also come from the JSON of claims. */
export type Value = null | boolean | bigint | number | string | readonly Value[] | { readonly [key: string]: Json };

/** An expression that cannot be evaluated for this request. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

/** Steps that one evaluation may take. A character read or written and an element visited are a step each. */
export const MAX_STEPS = 100_000;
/** Characters of a search text that are compared in one step. */
const COMPARED = 64;

/** What is left of an evaluation's steps. */
export interface Budget {
  steps: number;
}

export function spend(budget: Budget, steps: number): void {
  budget.steps -= steps;
  if (budget.steps < 0) throw new ExpressionError(`needs more than ${MAX_STEPS} steps`);
}

export type Operation = (budget: Budget, a: Value, b: Value) => Value;

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
export const isObject = (value: Value): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNumeric = (value: Value): value is bigint | number => typeof value === 'bigint' || typeof value === 'number';

export function typeOf(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'double';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return isList(value) ? 'list' : 'map';
}

/** A boolean, or an error that names `what`. */
export function truth(value: Value, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new ExpressionError(`${what} is ${typeOf(value)}, not bool`);
}

/** CEL equality: values of different types differ, numbers compare by value. */
export function equal(budget: Budget, a: Value, b: Value): boolean {
  if (isNumeric(a) && isNumeric(b)) return a <= b && a >= b;
  if (typeof a === 'string') {
    if (typeof b !== 'string' || a.length !== b.length) return false;
    spend(budget, a.length / COMPARED);
    return a === b;
  }
  if (isList(a)) {
    if (!isList(b) || a.length !== b.length) return false;
    spend(budget, a.length);
    return a.every((item, i) => equal(budget, item, b[i]!));
  }
  if (!isObject(a)) return a === b;
  if (!isObject(b)) return false;
  const names = Object.keys(a);
  spend(budget, names.length);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equal(budget, a[name]!, b[name]!))
  );
}

function order(budget: Budget, a: Value, b: Value): number {
  if (isNumeric(a) && isNumeric(b)) return a < b ? -1 : a > b ? 1 : a <= b ? 0 : Number.NaN;
  if (typeof a === 'string' && typeof b === 'string') {
    spend(budget, Math.min(a.length, b.length) / COMPARED);
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  throw unsupported('<', a, b);
}

const unsupported = (op: string, a: Value, b: Value): ExpressionError =>
  new ExpressionError(`no operator ${op} for ${typeOf(a)} and ${typeOf(b)}`);

const MAX_INT = 2n ** 63n - 1n;

/** Whether an int can have this value: 64 bits, signed. */
export const isInt = (value: bigint): boolean => value <= MAX_INT && value >= -MAX_INT - 1n;

function int(value: bigint): bigint {
  if (!isInt(value)) throw new ExpressionError('integer overflow');
  return value;
}

function add(budget: Budget, a: Value, b: Value): Value {
  if (typeof a === 'string' && typeof b === 'string') {
    spend(budget, a.length + b.length);
    return a + b;
  }
  if (isList(a) && isList(b)) {
    spend(budget, a.length + b.length);
    return [...a, ...b];
  }
  return arithmetic('+', a, b);
}

function arithmetic(op: '+' | '-' | '*' | '/' | '%', a: Value, b: Value): bigint | number {
  if (typeof a === 'bigint' && typeof b === 'bigint') {
    if ((op === '/' || op === '%') && b === 0n) throw new ExpressionError('division by zero');
    return int(op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : op === '/' ? a / b : a % b);
  }
  if (typeof a !== 'number' || typeof b !== 'number' || op === '%') throw unsupported(op, a, b);
  return op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : a / b;
}

function contained(budget: Budget, item: Value, whole: Value): boolean {
  if (isList(whole)) {
    spend(budget, whole.length);
    return whole.some((each) => equal(budget, item, each));
  }
  if (isObject(whole) && typeof item === 'string') return Object.hasOwn(whole, item);
  throw unsupported('in', item, whole);
}

/** Operators with two operands, except the logical ones. */
export const OPERATORS: { readonly [op: string]: Operation } = {
  '==': (budget, a, b) => equal(budget, a, b),
  '!=': (budget, a, b) => !equal(budget, a, b),
  '<': (budget, a, b) => order(budget, a, b) < 0,
  '<=': (budget, a, b) => order(budget, a, b) <= 0,
  '>': (budget, a, b) => order(budget, a, b) > 0,
  '>=': (budget, a, b) => order(budget, a, b) >= 0,
  in: contained,
  '+': add,
  '-': (_budget, a, b) => arithmetic('-', a, b),
  '*': (_budget, a, b) => arithmetic('*', a, b),
  '/': (_budget, a, b) => arithmetic('/', a, b),
  '%': (_budget, a, b) => arithmetic('%', a, b),
};

export function negated(value: Value): bigint | number {
  if (typeof value === 'bigint') return int(-value);
  if (typeof value === 'number') return -value;
  throw new ExpressionError(`no operator - for ${typeOf(value)}`);
}

/** `list[index]` or `object[name]`; null for a name that the object does not have. */
export function itemOf(_budget: Budget, whole: Value, at: Value): Value {
  if (isList(whole) && isNumeric(at)) {
    const item = whole[Number(at)];
    if (item === undefined) throw new ExpressionError(`index ${at} is outside of the list`);
    return item;
  }
  if (isObject(whole) && typeof at === 'string') return Object.hasOwn(whole, at) ? whole[at]! : null;
  throw new ExpressionError(`${typeOf(whole)} has no element by ${typeOf(at)}`);
}

/** Whether an object has a name; no other value has any. */
export const hasItem: Operation = (_budget, whole, at) =>
  isObject(whole) && typeof at === 'string' && Object.hasOwn(whole, at);

function text(value: Value, of: string): string {
  if (typeof value === 'string') return value;
  throw new ExpressionError(`${of} needs a string, not ${typeOf(value)}`);
}

function size(budget: Budget, value: Value): bigint {
  if (isList(value)) return BigInt(value.length);
  if (isObject(value)) return BigInt(Object.keys(value).length);
  const whole = text(value, 'size');
  spend(budget, whole.length);
  let points = 0;
  for (const _ of whole) points++;
  return BigInt(points);
}

function split(budget: Budget, a: Value, b: Value): Value {
  const whole = text(a, 'split');
  spend(budget, whole.length);
  return whole.split(text(b, 'split'));
}

function contains(budget: Budget, a: Value, b: Value): boolean {
  const [whole, part] = [text(a, 'contains'), text(b, 'contains')];
  // The search may compare the part anew at each character.
  spend(budget, (whole.length / COMPARED) * (1 + part.length));
  return whole.includes(part);
}

function mapped(budget: Budget, value: Value, of: string, change: (whole: string) => string): string {
  const whole = text(value, of);
  spend(budget, whole.length);
  return change(whole);
}

function toInt(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return int(BigInt(Math.trunc(value)));
  if (typeof value === 'string' && /^-?[0-9]{1,19}$/.test(value)) return int(BigInt(value));
  throw new ExpressionError(`no int in this ${typeOf(value)}`);
}

function toDouble(value: Value): number {
  if (isNumeric(value)) return Number(value);
  if (typeof value === 'string' && /^-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?$/.test(value))
    return Number(value);
  throw new ExpressionError(`no double in this ${typeOf(value)}`);
}

function toText(value: Value): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || isNumeric(value)) return String(value);
  throw new ExpressionError(`no string for ${typeOf(value)}`);
}

const startsWith: Operation = (budget, a, b) => {
  const part = text(b, 'startsWith');
  spend(budget, part.length / COMPARED);
  return text(a, 'startsWith').startsWith(part);
};
const endsWith: Operation = (budget, a, b) => {
  const part = text(b, 'endsWith');
  spend(budget, part.length / COMPARED);
  return text(a, 'endsWith').endsWith(part);
};

/** Functions and methods with the number of their operands, the receiver included. */
export const CALLS: { readonly [name: string]: { readonly operands: 1 | 2; readonly run: Operation } } = {
  size: { operands: 1, run: size },
  startsWith: { operands: 2, run: startsWith },
  endsWith: { operands: 2, run: endsWith },
  contains: { operands: 2, run: contains },
  split: { operands: 2, run: split },
  lowerAscii: {
    operands: 1,
    run: (budget, a) => mapped(budget, a, 'lowerAscii', (s) => s.replace(/[A-Z]+/g, (part) => part.toLowerCase())),
  },
  upperAscii: {
    operands: 1,
    run: (budget, a) => mapped(budget, a, 'upperAscii', (s) => s.replace(/[a-z]+/g, (part) => part.toUpperCase())),
  },
  trim: { operands: 1, run: (budget, a) => mapped(budget, a, 'trim', (s) => s.trim()) },
  string: { operands: 1, run: (_budget, a) => toText(a) },
  int: { operands: 1, run: (_budget, a) => toInt(a) },
  double: { operands: 1, run: (_budget, a) => toDouble(a) },
};
