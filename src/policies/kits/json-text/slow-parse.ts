/** Parses JSON that JSON.parse accepts, and keeps the texts of long numbers. */
import { putMember } from './member.js';
import { isLongNumber, type JsonValue, numberOf } from './number.js';

/** `text`: valid JSON of bounded depth. */
export function slowParse(text: string): { readonly value: JsonValue; readonly long: boolean } {
  const parser = new Parser(text);
  const value = parser.value();
  return { value, long: parser.long };
}

/** Sticky, so that each is tried at the position alone. */
const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Parser {
  long = false;
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): JsonValue {
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#word(4, true);
      case 'f':
        return this.#word(5, false);
      case 'n':
        return this.#word(4, null);
      default:
        return this.#number();
    }
  }

  #object(): JsonValue {
    const table: { [key: string]: JsonValue } = {};
    this.#at++;
    for (let more = !this.#ends('}'); more; more = this.#more()) {
      this.#space();
      const key = this.#string();
      this.#space();
      this.#at++;
      putMember(table, key, this.value());
    }
    return table;
  }

  #array(): JsonValue {
    const items: JsonValue[] = [];
    this.#at++;
    for (let more = !this.#ends(']'); more; more = this.#more()) items.push(this.value());
    return items;
  }

  /** Whether the bracket follows; then it is read. */
  #ends(bracket: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** Reads the comma or the closing bracket after a value. */
  #more(): boolean {
    this.#space();
    return this.#text[this.#at++] === ',';
  }

  #string(): string {
    const start = this.#at;
    const text = this.#text;
    let end = text.indexOf('"', start + 1);
    const plain = text.slice(start + 1, end);
    if (!plain.includes('\\')) {
      this.#at = end + 1;
      return plain;
    }
    for (end = start + 1; text[end] !== '"'; end++) if (text[end] === '\\') end++;
    this.#at = end + 1;
    return JSON.parse(text.slice(start, end + 1)) as string;
  }

  #number(): JsonValue {
    const value = numberOf(this.#take(NUMBER));
    if (isLongNumber(value)) this.long = true;
    return value;
  }

  #word<T>(length: number, value: T): T {
    this.#at += length;
    return value;
  }

  #space(): void {
    if (this.#text.charCodeAt(this.#at) <= 0x20) this.#take(SPACE);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
}
