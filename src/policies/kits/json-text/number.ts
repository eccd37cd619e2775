/** Numbers of JSON that a double cannot hold: integers beyond 2^53 and decimals with many digits. */

/** A number as its text. Two of them are equal if their texts are. */
export class LongNumber {
  /** A valid number of JSON. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Whether it is an integer without fraction and exponent. */
  get isInteger(): boolean {
    return !/[.eE]/.test(this.text);
  }

  /** The nearest double; infinite beyond 1.8e308. */
  toNumber(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }
}

/** JSON, with numbers that a double would change as LongNumber. Treat it as immutable. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | LongNumber
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export const isLongNumber = (value: unknown): value is LongNumber => value instanceof LongNumber;

/**
 * The number as a double if that has the same decimal value, else as its text. Integers beyond 2^53 - 1 are always a text,
 * so that the kind of an identifier does not depend on whether a double happens to hold it. `text`: a valid number of JSON.
 */
export function numberOf(text: string): number | LongNumber {
  const value = Number(text);
  const exponent = /[eE]/.test(text);
  if (text.length <= 15 && !exponent) return value;
  if (!exponent && !text.includes('.')) return Number.isSafeInteger(value) ? value : new LongNumber(text);
  if (Number.isFinite(value) && sameDecimal(text, String(value))) return value;
  return new LongNumber(text);
}

function sameDecimal(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [decimalOf(a), decimalOf(b)];
  return left.digits === right.digits && left.exponent === right.exponent;
}

/** 0.0120 is 12 and -3: digits without zeros at the ends, and the exponent of the last one. The sign is not compared. */
function decimalOf(text: string): { readonly digits: string; readonly exponent: number } {
  const [mantissa = '', power = '0'] = text.replace(/^-/, '').split(/[eE]/);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const all = whole + fraction;
  let end = all.length;
  while (end > 0 && all[end - 1] === '0') end--;
  let start = 0;
  while (start < end && all[start] === '0') start++;
  if (start === end) return { digits: '', exponent: 0 };
  return { digits: all.slice(start, end), exponent: Number(power) - fraction.length + (all.length - end) };
}
