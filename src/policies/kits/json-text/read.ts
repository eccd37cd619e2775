/**
 * Reads JSON within bounds, with work and memory linear in its bytes. Texts without long numbers are read by JSON.parse;
 * others by `slowParse`, after JSON.parse has found them valid.
 *
 * Refused as by `kits/json.ts`: what is not UTF-8, a byte order mark, a name that occurs twice in an object, unpaired
 * surrogates. `__proto__` is a name like others here: it is an own member of the object.
 */
import { isUtf8 } from 'node:buffer';
import { duplicateDetail, MAX_JSON_DEPTH, syntaxDetail } from '../json.js';
import type { JsonValue } from './number.js';
import { slowParse } from './slow-parse.js';

export interface JsonTextLimits {
  /** Bytes of the text. */
  readonly bytes: number;
  /** Nesting of arrays and objects; `[[1]]` has 2. At most 1000, because values are walked by recursion. */
  readonly depth: number;
  /** Members of all objects and items of all arrays. */
  readonly values: number;
}

export const DEFAULT_JSON_LIMITS: JsonTextLimits = { bytes: 10 << 20, depth: MAX_JSON_DEPTH, values: 1_000_000 };

export interface JsonTextFault {
  readonly kind: 'encoding' | 'syntax' | 'depth' | 'size' | 'duplicate' | 'surrogate';
  /** A sentence for the client, without its text except for the name of a duplicate. */
  readonly detail: string;
}

export type JsonTextRead =
  | {
      readonly value: JsonValue;
      /** Whether a number in it is a LongNumber. */
      readonly long: boolean;
      readonly fault?: undefined;
    }
  | { readonly fault: JsonTextFault; readonly value?: undefined };

/** Never throws. Missing limits are those of DEFAULT_JSON_LIMITS. */
export function readJsonText(bytes: Uint8Array, limits: Partial<JsonTextLimits> = {}): JsonTextRead {
  const { bytes: maxBytes, depth: maxDepth, values: maxValues } = { ...DEFAULT_JSON_LIMITS, ...limits };
  if (bytes.length > maxBytes) return fault('size', `The JSON has more than ${maxBytes} bytes.`);
  const scan = scanBytes(bytes, maxDepth);
  if (scan.tooDeepAt >= 0)
    return fault('depth', `The JSON is nested more than ${maxDepth} levels deep, at byte ${scan.tooDeepAt}.`);
  if (scan.values > maxValues) return fault('size', `The JSON has more than ${maxValues} members and items.`);
  if (!isUtf8(bytes)) return fault('encoding', 'The JSON is not valid UTF-8.');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fault('syntax', syntaxDetail(error, text));
  }
  const walk = new Walk(scan.escapes);
  walk.visit(value);
  if (walk.members !== scan.members) return fault('duplicate', duplicateDetail(text));
  if (walk.surrogates) return fault('surrogate', 'The JSON has an unpaired surrogate in a string.');
  return scan.longNumbers ? slowParse(text) : { value, long: false };
}

const fault = (kind: JsonTextFault['kind'], detail: string): JsonTextRead => ({ fault: { kind, detail } });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;
/** The letter e in either case. */
const EXPONENT = 0x65;
const LOWER = 0x20;

interface Scan {
  /** Members of all objects, if the text is valid. */
  members: number;
  /** At least members and items together. */
  values: number;
  escapes: boolean;
  /** Whether a number has more digits than every double keeps, or an exponent. */
  longNumbers: boolean;
  /** Offset of the bracket that is nested too deeply; -1 for none. */
  tooDeepAt: number;
}

/** Digits that every double keeps. */
const SAFE_DIGITS = 15;

/** One pass over the bytes. Correct for valid JSON; for other texts the numbers mean nothing, but the bounds hold. */
function scanBytes(bytes: Uint8Array, maxDepth: number): Scan {
  const scan: Scan = { members: 0, values: 0, escapes: false, longNumbers: false, tooDeepAt: -1 };
  let depth = 0;
  let digits = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte >= ZERO && byte <= NINE) {
      if (++digits > SAFE_DIGITS) scan.longNumbers = true;
      continue;
    }
    if (byte === QUOTE) at = endOfString(bytes, at + 1, scan);
    else if (byte === COMMA) scan.values++;
    else if (byte === COLON) scan.members++;
    else if ((byte | LOWER) === 0x7b) {
      // `{` and `[`; a first value has no comma before it.
      scan.values++;
      if (++depth > maxDepth) {
        scan.tooDeepAt = at;
        return scan;
      }
    } else if ((byte | LOWER) === 0x7d) depth--;
    else if (digits > 0) {
      if (byte === 0x2e) continue;
      if ((byte | LOWER) === EXPONENT) scan.longNumbers = true;
    }
    digits = 0;
  }
  return scan;
}

/** Offset of the closing quote, or the end of the text. */
function endOfString(bytes: Uint8Array, start: number, scan: Scan): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== QUOTE) {
    if (bytes[at] === BACKSLASH) {
      scan.escapes = true;
      at++;
    }
    at++;
  }
  return at;
}

/** With the flag, a pair is one character and no surrogate. */
const UNPAIRED = /\p{Cs}/u;

/** Goes through a parsed value. JSON.parse keeps the last of equal names, so repeated names make the count differ. */
class Walk {
  members = 0;
  surrogates = false;
  readonly #escapes: boolean;

  /** `escapes`: without escapes, UTF-8 text has no surrogates. */
  constructor(escapes: boolean) {
    this.#escapes = escapes;
  }

  visit(value: JsonValue): void {
    if (typeof value === 'string') {
      if (this.#escapes && UNPAIRED.test(value)) this.surrogates = true;
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item as JsonValue);
      return;
    }
    const table = value as { readonly [key: string]: JsonValue };
    for (const key of Object.keys(table)) {
      this.members++;
      if (this.#escapes && UNPAIRED.test(key)) this.surrogates = true;
      this.visit(table[key]!);
    }
  }
}
