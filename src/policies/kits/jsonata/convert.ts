/**
 * Values on their way into a program and out of it.
 *
 * In: a copy without prototypes, so that no name is inherited and the program cannot change what others read. Integers that
 * a double cannot hold become strings of their digits, long decimals the nearest double.
 *
 * Out: a copy with the numbers as they were. A part of the input that the result contains whole is returned itself.
 */
import { isLongNumber, type JsonValue, type LongNumber, putMember } from '../json-text/index.js';
import type { Budget } from './budget.js';
import { isProgramFunction, MAX_NESTING } from './budget.js';
import { JsonataFault } from './fault.js';
import { inside, outside } from './reserved.js';

/** Values that are copied in the time of a step. */
const VALUES_PER_STEP = 32;

type Table = { readonly [key: string]: JsonValue };

export class Converter {
  readonly #budget: Budget;
  /** Absent if no value has long numbers. */
  readonly #long: LongNumbers | undefined;
  #entered = 0;

  constructor(budget: Budget, long: boolean) {
    this.#budget = budget;
    this.#long = long ? new LongNumbers() : undefined;
    if (long) budget.madeTexts = this.#long!.made;
  }

  /** The copy that the program gets. */
  take(value: JsonValue): unknown {
    this.#entered = 0;
    const copy = this.#enter(value);
    this.#budget.spend(Math.ceil(this.#entered / VALUES_PER_STEP));
    return copy;
  }

  #enter(value: JsonValue): unknown {
    this.#entered++;
    if (typeof value !== 'object' || value === null) return this.#long === undefined ? value : this.#long.seen(value);
    if (isLongNumber(value)) return this.#long === undefined ? value.toNumber() : this.#long.enter(value);
    const copy: unknown = Array.isArray(value)
      ? this.#enterArray(value as readonly JsonValue[])
      : this.#enterTable(value as Table);
    this.#long?.copies.set(copy as object, value);
    return copy;
  }

  #enterArray(items: readonly JsonValue[]): unknown[] {
    const copy: unknown[] = new Array(items.length);
    for (let at = 0; at < items.length; at++) copy[at] = this.#enter(items[at]!);
    return copy;
  }

  #enterTable(table: Table): object {
    const copy = Object.create(null) as Record<string, unknown>;
    for (const key of Object.keys(table)) copy[inside(key)] = this.#enter(table[key]!);
    return copy;
  }

  /** The result, undefined if there is none. Throws JsonataFault if it is no JSON or too large. */
  leave(result: unknown): JsonValue | undefined {
    if (result === undefined) return undefined;
    if (typeof result === 'object' && result !== null) this.#budget.measure(result);
    return this.#leave(result, 0);
  }

  #leave(value: unknown, depth: number): JsonValue {
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'string') return this.#long?.leaveString(value) ?? value;
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw new JsonataFault('error', 'The result has a number that is not finite.');
      return this.#long?.leaveNumber(value) ?? value;
    }
    if (isProgramFunction(value) || typeof value !== 'object')
      throw new JsonataFault('error', 'The result has a function, which is no JSON.');
    const original = this.#long?.copies.get(value);
    if (original !== undefined) return original;
    if (depth >= MAX_NESTING)
      throw this.#budget.fail('depth', `a result that is nested more than ${MAX_NESTING} levels deep`);
    if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : this.#leave(item, depth + 1)));
    return this.#leaveTable(value as Record<string, unknown>, depth);
  }

  #leaveTable(table: Record<string, unknown>, depth: number): JsonValue {
    const copy: { [key: string]: JsonValue } = {};
    for (const key of Object.keys(table)) {
      const item = table[key];
      if (item === undefined) continue;
      putMember(copy, outside(key), this.#leave(item, depth + 1));
    }
    return copy;
  }
}

/** Text of an integer that a double may not hold. */
const LONG_INTEGER = /^-?[0-9]{16,}$/;

/** Which strings and doubles of the program are long numbers of the input. */
class LongNumbers {
  readonly copies = new Map<object, JsonValue>();
  /** What `$string` was asked for: it stays a string. */
  readonly made = new Set<string>();
  readonly #integers = new Map<string, LongNumber>();
  readonly #decimals = new Map<number, LongNumber>();
  /** Strings and doubles of the input that could be taken for long numbers, so that they are not. */
  readonly #plain = new Set<string | number>();

  seen(value: JsonValue): JsonValue {
    if (typeof value === 'string' ? LONG_INTEGER.test(value) : typeof value === 'number' && !Number.isInteger(value))
      this.#plain.add(value as string | number);
    return value;
  }

  enter(value: LongNumber): string | number {
    const double = value.toNumber();
    if (value.isInteger || !Number.isFinite(double)) {
      this.#integers.set(value.text, value);
      return value.text;
    }
    const known = this.#decimals.get(double);
    if (known !== undefined && known.text !== value.text) this.#plain.add(double);
    else this.#decimals.set(double, value);
    return double;
  }

  leaveString(text: string): JsonValue {
    if (this.#plain.has(text) || this.made.has(text)) return text;
    return this.#integers.get(text) ?? text;
  }

  leaveNumber(value: number): JsonValue {
    return this.#plain.has(value) ? value : (this.#decimals.get(value) ?? value);
  }
}
