/** What a byte may be in which place of an HTTP/1.1 head (RFC 9110 section 5, RFC 9112), as tables indexed by char code. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

const TOKEN_TEXT = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 1 for tchar, RFC 9110 section 5.6.2. */
export const TOKEN = new Uint8Array(256);
for (let i = 0; i < TOKEN_TEXT.length; i++) TOKEN[TOKEN_TEXT.charCodeAt(i)] = 1;

/** 1 for tchar but `_`, so that the scan of a name stops at an underscore: what becomes of those is the listener's policy. */
export const PLAIN_NAME = TOKEN.slice();
PLAIN_NAME[0x5f] = 0;

/** 1 for what a field value or a reason phrase may hold: HTAB, SP, VCHAR, obs-text. */
export const FIELD = new Uint8Array(256);
for (let i = 0x20; i < 256; i++) if (i !== 0x7f) FIELD[i] = 1;
FIELD[HTAB] = 1;

/** 1 for what a request target may hold: visible ASCII but `#` (fragments never go on the wire). */
export const TARGET = new Uint8Array(256);
for (let i = 0x21; i < 0x7f; i++) if (i !== 0x23) TARGET[i] = 1;

/**
 * 1 for what a host name may hold, 2 for the capital letters among it. RFC 3986 section 3.2.2 allows sub-delims and escapes
 * as well, among them the comma that makes a list; no name that resolves has any.
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
 * Where the characters from `at` on end that are 1 in `table`. Never looks behind the end of the text: once charCodeAt() has
 * answered NaN in a loop, that loop is several times slower for the rest of the process.
 */
export function span(table: Uint8Array, text: string, at: number): number {
  let end = at;
  while (end < text.length && table[text.charCodeAt(end)] === 1) end++;
  return end;
}

/** Whether text[start, end) is `lower` in any case of ASCII letters. `lower` holds lower-case letters, digits, `-`, `_`. */
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

/** Whether the text is a token, RFC 9110 section 5.6.2: a field name, a method, a coding. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
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

/** `text` without the spaces and tabs around it: OWS, and no other kind of space, which String.trim would take as well. */
export function trimSpaces(text: string): string {
  const at = span(BLANK, text, 0);
  return text.slice(at, trimEnd(text, at, text.length));
}

/** Where text[start, end) ends without the spaces and tabs at its end. */
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
 * Whether a tab is among the blanks behind a value that ends at `at`. RFC 9110 section 5.5 has them cut off like spaces, but
 * not every reader does: what frames a message must not hang on it.
 */
export function tabBehind(text: string, at: number): boolean {
  let behind = at;
  while (text.charCodeAt(behind) === SP) behind++;
  return text.charCodeAt(behind) === HTAB;
}
