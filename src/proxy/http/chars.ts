/** Character classes of an HTTP/1.1 head (RFC 9110 section 5, RFC 9112), as tables indexed by char code. */
export { FIELD, isToken, TOKEN } from '../../field-syntax.js';

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

/** 1 for letters, digits and the hyphen: the listener's `underscores` decides on names with other characters. */
export const PLAIN_NAME = new Uint8Array(256);
for (const char of '-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ')
  PLAIN_NAME[char.charCodeAt(0)] = 1;

/** 1 for the characters of a request target: visible ASCII except `#` (fragments never go on the wire). */
export const TARGET = new Uint8Array(256);
for (let i = 0x21; i < 0x7f; i++) if (i !== 0x23) TARGET[i] = 1;

/**
 * 1 for the characters of a host name, 2 for capital letters. RFC 3986 section 3.2.2 also allows sub-delims and escapes,
 * among them the comma that separates lists; no name that resolves contains any.
 */
export const HOST_NAME = new Uint8Array(256);
const HOST_TEXT = '-._~0123456789abcdefghijklmnopqrstuvwxyz';
for (let i = 0; i < HOST_TEXT.length; i++) HOST_NAME[HOST_TEXT.charCodeAt(i)] = 1;
for (let i = 0x41; i <= 0x5a; i++) HOST_NAME[i] = 2;

/** Value of a hex digit, 255 for every other byte. */
export const HEX = new Uint8Array(256).fill(255);
for (let i = 0; i < 10; i++) HEX[0x30 + i] = i;
for (let i = 0; i < 6; i++) {
  HEX[0x41 + i] = 10 + i;
  HEX[0x61 + i] = 10 + i;
}

/** 1 for the blanks around a value. */
export const BLANK = new Uint8Array(256);
BLANK[SP] = 1;
BLANK[HTAB] = 1;

/**
 * End of the run of characters from `at` on that are 1 in `table`. Never reads past the end of the text: once charCodeAt()
 * has returned NaN in a loop, V8 runs that loop several times slower for the rest of the process.
 */
export function span(table: Uint8Array, text: string, at: number): number {
  let end = at;
  while (end < text.length && table[text.charCodeAt(end)] === 1) end++;
  return end;
}

/** Whether text[start, end) is `lower` in any case of ASCII letters. `lower` contains lower-case letters, digits, `-`, `_`. */
export function equalsLower(text: string, start: number, end: number, lower: string): boolean {
  const length = lower.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) {
    const want = lower.charCodeAt(i);
    const code = text.charCodeAt(start + i);
    if (code === want) continue;
    if (want < 0x61 || want > 0x7a || code !== want - 0x20) return false;
  }
  return true;
}

/** Decimal digits text[start, end) as a safe integer; -1 when empty, not all digits, or 2^53 and more. */
export function parseDigits(text: string, start: number, end: number): number {
  if (end <= start || end - start > 16) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** `text` without surrounding OWS: spaces and tabs only, unlike String.trim. */
export function trimSpaces(text: string): string {
  const at = span(BLANK, text, 0);
  return text.slice(at, trimEnd(text, at, text.length));
}

/** End of text[start, end) without trailing spaces and tabs. */
export function trimEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start) {
    const code = text.charCodeAt(at - 1);
    if (code !== SP && code !== HTAB) break;
    at--;
  }
  return at;
}

/**
 * Whether the blanks after a value that ends at `at` contain a tab. RFC 9110 section 5.5 requires removing it, but not every
 * parser does, so a framing field must not depend on it.
 */
export function tabAfter(text: string, at: number): boolean {
  let next = at;
  while (text.charCodeAt(next) === SP) next++;
  return text.charCodeAt(next) === HTAB;
}
