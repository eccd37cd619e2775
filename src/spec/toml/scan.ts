/**
 * Finds the positions of keys and values in text that `toml` has already accepted, so it checks nothing. Many times faster
 * than a syntax tree; tests compare the two.
 */
import { child, type Range, type Shadow, shadowOf, wholeOf } from './shadow.js';

type Growing = [start: number, end: number];

interface Key {
  readonly name: string;
  readonly range: Range;
}

/** Throws a SyntaxError for text that it cannot scan. */
export function shadowFromScan(text: string): Shadow {
  return new Scanner(text).scan();
}

const BARE = /[A-Za-z0-9_-]+/y;
const BLANK = /(?:[ \t\r\n]|#[^\n]*)*/y;
const SPACE = /[ \t]*/y;
/** Numbers, dates, booleans. A date may contain a space, so the end is trimmed. */
const SCALAR = /[^,\]}#\r\n]*/y;

class Scanner {
  #at: number;

  constructor(readonly text: string) {
    this.#at = wholeOf(text)[0];
  }

  scan(): Shadow {
    const root = shadowOf('table', wholeOf(this.text));
    let table = root;
    let range: Growing | undefined;
    for (;;) {
      this.#skip(BLANK);
      if (this.#at >= this.text.length) return root;
      if (this.text[this.#at] === '[') [table, range] = this.#header(root);
      else {
        const end = this.#keyValue(table);
        if (range) range[1] = end;
      }
    }
  }

  /** The table of a header and its range, which the lines below extend. */
  #header(root: Shadow): [Shadow, Growing] {
    const start = this.#at;
    const isArray = this.text.startsWith('[[', start);
    this.#at += isArray ? 2 : 1;
    const keys = this.#keys();
    this.#skip(SPACE);
    this.#expect(isArray ? ']]' : ']');
    const head: Range = [start, this.#at];
    const range: Growing = [start, this.#at];
    const inner: Range = [keys[0]!.range[0], keys[keys.length - 1]!.range[1]];
    let at = root;
    keys.forEach(({ name, range: keyRange }, index) => {
      const last = index === keys.length - 1;
      const grows = last && isArray;
      at = child(at, name, grows ? 'array' : 'table', last && !isArray ? range : inner, keyRange);
      if (grows) at.items.push(shadowOf('table', range, keyRange));
      // An array of tables means its last one.
      if (at.kind === 'array') at = at.items[at.items.length - 1] ?? this.#fail();
    });
    at.head ??= head;
    return [at, range];
  }

  /** Adds one to the table and returns where it ends. */
  #keyValue(table: Shadow): number {
    const start = this.#at;
    const keys = this.#keys();
    this.#skip(SPACE);
    this.#expect('=');
    this.#skip(SPACE);
    const range: Growing = [start, start];
    let at = table;
    const last = keys.pop()!;
    for (const { name, range: keyRange } of keys) at = child(at, name, 'table', range, keyRange);
    const value = this.#value(last.range);
    range[1] = this.#at;
    if (!at.entries.has(last.name)) at.entries.set(last.name, value);
    return this.#at;
  }

  #keys(): Key[] {
    const keys: Key[] = [];
    do {
      if (keys.length > 0) this.#at++;
      this.#skip(SPACE);
      keys.push(this.#key());
      this.#skip(SPACE);
    } while (this.text[this.#at] === '.');
    return keys;
  }

  #key(): Key {
    const start = this.#at;
    const quote = this.text[start];
    if (quote === '"' || quote === "'") {
      this.#string();
      const raw = this.text.slice(start + 1, this.#at - 1);
      return { name: quote === '"' ? unescaped(raw) : raw, range: [start, this.#at] };
    }
    if (this.#skip(BARE) === 0) this.#fail();
    return { name: this.text.slice(start, this.#at), range: [start, this.#at] };
  }

  #value(key?: Range): Shadow {
    const start = this.#at;
    const char = this.text[start];
    if (char === '[') return this.#array(key);
    if (char === '{') return this.#inlineTable(key);
    if (char === '"' || char === "'") this.#string();
    else {
      this.#skip(SCALAR);
      while (this.#at > start && (this.text[this.#at - 1] === ' ' || this.text[this.#at - 1] === '\t')) this.#at--;
      if (this.#at === start) this.#fail();
    }
    return shadowOf('scalar', [start, this.#at], key);
  }

  #array(key: Range | undefined): Shadow {
    const range: Growing = [this.#at, this.#at];
    const array = shadowOf('array', range, key);
    this.#list(']', () => array.items.push(this.#value()));
    range[1] = this.#at;
    return array;
  }

  #inlineTable(key: Range | undefined): Shadow {
    const range: Growing = [this.#at, this.#at];
    const table = shadowOf('table', range, key);
    this.#list('}', () => this.#keyValue(table));
    range[1] = this.#at;
    return table;
  }

  /** Items separated by commas, from the opening to after the closing bracket. */
  #list(close: string, item: () => void): void {
    this.#at++;
    for (;;) {
      this.#skip(BLANK);
      if (this.text[this.#at] === close) break;
      item();
      this.#skip(BLANK);
      if (this.text[this.#at] !== close) this.#expect(',');
    }
    this.#at++;
  }

  #string(): void {
    const quote = this.text[this.#at]!;
    const long = quote.repeat(3);
    const isLong = this.text.startsWith(long, this.#at);
    const close = isLong ? long : quote;
    let end = this.text.indexOf(close, this.#at + close.length);
    while (end >= 0 && quote === '"' && this.#isEscaped(end)) end = this.text.indexOf(close, end + 1);
    if (end < 0) this.#fail();
    end += close.length;
    // Up to two quotes may come before the closing three.
    for (let more = 0; isLong && more < 2 && this.text[end] === quote; more++) end++;
    this.#at = end;
  }

  #isEscaped(at: number): boolean {
    let before = at;
    while (this.text[before - 1] === '\\') before--;
    return (at - before) % 2 === 1;
  }

  /** Returns the number of skipped characters. */
  #skip(pattern: RegExp): number {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.text)?.[0].length ?? 0;
    this.#at += length;
    return length;
  }

  #expect(text: string): void {
    if (!this.text.startsWith(text, this.#at)) this.#fail();
    this.#at += text.length;
  }

  #fail(): never {
    throw new SyntaxError(`cannot scan at offset ${this.#at}`);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r', e: '\u001b' };

function unescaped(raw: string): string {
  if (!raw.includes('\\')) return raw;
  return raw.replace(/\\(?:u(.{4})|U(.{8})|x(.{2})|(.))/gs, (_, short, long, byte, char) => {
    const code: string | undefined = short ?? long ?? byte;
    return code === undefined
      ? (ESCAPES[char as string] ?? String(char))
      : String.fromCodePoint(Number.parseInt(code, 16));
  });
}
