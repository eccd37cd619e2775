/**
 * Reads JSON strictly, with work and memory linear in its bytes. What two parsers could read differently is refused
 * (RFC 8259 section 4 and 8.2, RFC 7493): other encodings than UTF-8, a byte order mark, names that occur twice, unpaired
 * surrogates, and `__proto__`. Deep nesting is refused before anything is built.
 */
import { isUtf8 } from 'node:buffer';
import type { Json } from '../contract.js';

export interface JsonFault {
  readonly kind: 'encoding' | 'syntax' | 'depth' | 'duplicate' | 'name' | 'surrogate';
  /** A sentence for the client. */
  readonly detail: string;
}

export type JsonRead = { readonly value: Json; readonly fault?: undefined } | { readonly fault: JsonFault };

/** Enough for any document that people design; deeper ones exhaust the stacks of recursive programs. */
export const MAX_JSON_DEPTH = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Never throws. `maxDepth`: nesting of arrays and objects; `[[1]]` has 2. */
export function readJson(bytes: Uint8Array, maxDepth = MAX_JSON_DEPTH): JsonRead {
  const scan = scanJson(bytes, maxDepth);
  if (scan.tooDeepAt >= 0) {
    return fault('depth', `The JSON is nested more than ${maxDepth} levels deep, at byte ${scan.tooDeepAt}.`);
  }
  if (!isUtf8(bytes)) return fault('encoding', 'The JSON is not valid UTF-8.');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fault('syntax', syntaxDetail(error, text));
  }
  const walk = new Walk(scan.escapes);
  walk.visit(value);
  if (walk.proto) return fault('name', 'The JSON has a member named `__proto__`, which is not accepted.');
  if (walk.members !== scan.members) return fault('duplicate', duplicateDetail(text));
  if (walk.surrogates) return fault('surrogate', 'The JSON has an unpaired surrogate in a string.');
  return { value };
}

const fault = (kind: JsonFault['kind'], detail: string): JsonRead => ({ fault: { kind, detail } });

interface Scan {
  /** Number of members of all objects, if the text is valid. */
  readonly members: number;
  /** Whether a string has an escape. */
  readonly escapes: boolean;
  /** Offset of the bracket that is nested too deeply; -1 for none. */
  readonly tooDeepAt: number;
}

/** One pass over the bytes. Correct for valid JSON; for other texts the numbers mean nothing, but the bounds hold. */
function scanJson(bytes: Uint8Array, maxDepth: number): Scan {
  let depth = 0;
  let members = 0;
  let escapes = false;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (inString) {
      if (byte === QUOTE) inString = false;
      else if (byte === BACKSLASH) {
        escapes = true;
        at++;
      }
    } else if (byte === QUOTE) inString = true;
    else if (byte === COLON) members++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > maxDepth) return { members, escapes, tooDeepAt: at };
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return { members, escapes, tooDeepAt: -1 };
}

/** With the flag, a pair is one character and no surrogate. */
const UNPAIRED = /\p{Cs}/u;

/** Goes through a parsed value. JSON.parse keeps the last of equal names, so repeated names make the count differ. */
class Walk {
  members = 0;
  proto = false;
  surrogates = false;
  readonly #escapes: boolean;

  /** `escapes`: without escapes, UTF-8 text has no surrogates. */
  constructor(escapes: boolean) {
    this.#escapes = escapes;
  }

  visit(value: Json): void {
    if (typeof value === 'string') {
      if (this.#escapes && UNPAIRED.test(value)) this.surrogates = true;
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item as Json);
      return;
    }
    const table = value as { readonly [key: string]: Json };
    for (const key in table) {
      this.members++;
      if (key === '__proto__') this.proto = true;
      if (this.#escapes && UNPAIRED.test(key)) this.surrogates = true;
      this.visit(table[key]!);
    }
  }
}

/** What is wrong and where, without the client's own text. */
export function syntaxDetail(error: SyntaxError, text: string): string {
  if (text.trim() === '') return 'The body is empty where JSON is expected.';
  if (text.startsWith('\ufeff')) return 'The JSON begins with a byte order mark.';
  const position = /position (\d+)/.exec(error.message)?.[1];
  if (position === undefined)
    return error.message.startsWith('Unexpected end') ? 'The JSON ends too early.' : 'The JSON is not valid.';
  const before = text.slice(0, Number(position));
  const line = before.split('\n').length;
  return `The JSON is not valid at line ${line}, column ${before.length - before.lastIndexOf('\n')}.`;
}

const STRING = /"(?:[^"\\]|\\.)*"/y;

/** Finds the first name that occurs twice in an object of a valid text. */
export function duplicateDetail(text: string): string {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (names !== undefined && isName(text, end)) {
        const name = JSON.parse(text.slice(at, end)) as string;
        if (names.has(name)) return `The JSON has the member \`${shortened(name)}\` twice in one object.`;
        names.add(name);
      }
      at = end - 1;
    }
  }
  return 'The JSON has a member twice in one object.';
}

function endOfString(text: string, start: number): number {
  STRING.lastIndex = start;
  return STRING.test(text) ? STRING.lastIndex : text.length;
}

/** Whether a colon follows. */
function isName(text: string, at: number): boolean {
  let next = at;
  while (/[ \t\r\n]/.test(text[next] ?? '')) next++;
  return text[next] === ':';
}

/** Text of a client in a message: bounded. */
export const shortened = (text: string, max = 100): string =>
  text.length <= max ? text : `${text.slice(0, max).replace(/\p{Cs}/gu, '')}...`;
