/** The syntax of header fields, RFC 9110 section 5, as tables indexed by char code. */

const TOKEN_TEXT = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** 1 for tchar, RFC 9110 section 5.6.2. */
export const TOKEN = new Uint8Array(256);
for (let i = 0; i < TOKEN_TEXT.length; i++) TOKEN[TOKEN_TEXT.charCodeAt(i)] = 1;

/** 1 for what a field value or a reason phrase may contain: HTAB, SP, VCHAR, obs-text. */
export const FIELD = new Uint8Array(256);
for (let i = 0x20; i < 256; i++) if (i !== 0x7f) FIELD[i] = 1;
FIELD[0x09] = 1;

/** Whether the text is a token, RFC 9110 section 5.6.2: a field name, a method, a coding. */
export function isToken(text: string): boolean {
  // A loop, since policies ask for every edit of every request, and a regular expression takes three times as long.
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}

/** Whether a field value may contain all characters of `value`, RFC 9110 section 5.5: one byte each, no control bytes. */
function isFieldValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (FIELD[value.charCodeAt(i)] !== 1) return false;
  return true;
}

/** Throws TypeError for a name that is not a token or a value with control bytes, RFC 9110 sections 5.1 and 5.5. */
export function assertField(name: string, value: string): void {
  if (!isToken(name)) throw new TypeError(`Not a header field name: ${JSON.stringify(name)}`);
  // Custom code in plain JavaScript may pass an object whose text has line breaks, such as an error.
  if (typeof value !== 'string') throw new TypeError(`The value of ${name} must be a string`);
  if (!isFieldValue(value)) throw new TypeError(`The value of ${name} contains a byte that no field may carry`);
}

/** A field that was checked once and can be added to many messages. Made by readyField() only. */
export class ReadyField {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
  /** As it goes on the wire, with CRLF. */
  readonly line: string;

  constructor(name: string, value: string) {
    assertField(name, value);
    this.name = name.toLowerCase();
    this.value = value;
    this.line = `${this.name}: ${value}\r\n`;
  }
}

/** A checked field. Throws TypeError as assertField() does. */
export const readyField = (name: string, value: string): ReadyField => new ReadyField(name, value);

/** Throws TypeError for an object that readyField() did not make: nothing has checked it. */
export function assertReady(field: ReadyField): void {
  if (!(field instanceof ReadyField)) throw new TypeError('add() takes a field that readyField() has made');
}
