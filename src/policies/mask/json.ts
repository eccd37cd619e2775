/**
 * Masks JSON in its text: everything that is not masked keeps its bytes, such as the digits of numbers, the order of members, names
 * that occur twice, and space.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_JSON_DEPTH } from '../kits/json.js';
import type { Form } from './forms.js';
import { type Path, PathSet, type Places } from './paths.js';
import { TextMask, type TextRule } from './texts.js';

/** A rule for members: with `text`, only for what it finds in them. */
export interface MemberRule {
  readonly path: Path;
  readonly form: Form;
  readonly text: TextRule | undefined;
}

/** Why a text cannot be masked. */
export interface Unreadable {
  readonly fault: string;
}

export class JsonMask {
  readonly #rules: readonly MemberRule[];
  readonly #paths: PathSet;
  /** For all texts of a document. */
  readonly #texts: readonly TextRule[];
  /** Masks by the rules whose members are entered, so that each is made once. */
  readonly #masks = new Map<string, TextMask>();

  constructor(rules: readonly MemberRule[], texts: readonly TextRule[]) {
    this.#rules = rules;
    this.#paths = new PathSet(rules.map(({ path }) => path));
    this.#texts = texts;
  }

  /** The masked bytes; undefined if nothing is masked. Never throws. */
  mask(bytes: Uint8Array): Uint8Array | Unreadable | undefined {
    if (!isUtf8(bytes)) return { fault: 'it is not UTF-8' };
    const masked = this.maskText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    return typeof masked === 'string' ? Buffer.from(masked) : masked;
  }

  /** The same for a text, which may begin with a byte order mark. */
  maskText(text: string): string | Unreadable | undefined {
    const start = text.startsWith('\ufeff') ? 1 : 0;
    const fault = jsonFault(start === 0 ? text : text.slice(start));
    if (fault !== undefined) return { fault };
    return new Run(text, start, this).result();
  }

  get paths(): PathSet {
    return this.#paths;
  }

  rule(index: number): MemberRule {
    return this.#rules[index]!;
  }

  /** What masks texts inside of the members of these rules; undefined for nothing. */
  textMask(inside: readonly number[]): TextMask | undefined {
    if (inside.length === 0 && this.#texts.length === 0) return undefined;
    const key = inside.join();
    let mask = this.#masks.get(key);
    if (mask === undefined) {
      mask = new TextMask([...inside.flatMap((index) => this.#rules[index]!.text ?? []), ...this.#texts]);
      if (this.#masks.size >= MAX_MASKS) this.#masks.clear();
      this.#masks.set(key, mask);
    }
    return mask;
  }
}

const NO_RULES: readonly number[] = [];
/** Sets of rules that are kept: a document can enter the members of many at once. */
const MAX_MASKS = 100;

/** What is wrong with a text of JSON; undefined if nothing is. */
function jsonFault(text: string): string | undefined {
  if (isTooDeep(text)) return `it is nested more than ${MAX_JSON_DEPTH} levels deep`;
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return 'it is not valid JSON';
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
/** `[` and `]` with this bit are `{` and `}`. */
const BRACE_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Right for valid JSON, and bounded for other texts. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at) - 1;
    else if ((code | BRACE_BIT) === OPEN) {
      if (++depth > MAX_JSON_DEPTH) return true;
    } else if ((code | BRACE_BIT) === CLOSE) depth--;
  }
  return false;
}

/** The place after the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let escapes = quote;
    while (escapes > start + 1 && text.charCodeAt(escapes - 1) === BACKSLASH) escapes--;
    if ((quote - escapes) % 2 === 0) return quote + 1;
  }
  return text.length;
}

/** What the walk knows where it is. */
interface Around {
  readonly places: Places;
  /** The rules with texts whose members it is in. */
  readonly inside: readonly number[];
  readonly mask: TextMask | undefined;
}

/** One pass over a valid text of bounded depth. */
class Run {
  readonly #text: string;
  readonly #masks: JsonMask;
  #at: number;
  #out = '';
  /** Up to here the text was copied, or left out. */
  #copied = 0;

  constructor(text: string, start: number, masks: JsonMask) {
    this.#text = text;
    this.#at = start;
    this.#masks = masks;
  }

  /** Undefined if nothing is masked. */
  result(): string | undefined {
    const { paths } = this.#masks;
    this.#value({ places: paths.start, inside: NO_RULES, mask: this.#masks.textMask(NO_RULES) });
    return this.#copied === 0 ? undefined : this.#out + this.#text.slice(this.#copied);
  }

  #value(around: Around): void {
    this.#space();
    const { mask, places } = around;
    const char = this.#text[this.#at];
    if (places.at.length === 0 && mask === undefined) this.#skip();
    else if (char === '{') this.#object(around);
    else if (char === '[') this.#array(around);
    else this.#scalar(mask);
  }

  #scalar(mask: TextMask | undefined): void {
    const start = this.#at;
    const isString = this.#text[start] === '"';
    this.#skip();
    if (mask === undefined) return;
    const raw = this.#text.slice(start, this.#at);
    if (!isString && !isNumber(raw)) return;
    const masked = mask.mask(isString ? decoded(raw) : raw);
    if (masked !== undefined) this.#replace(start, JSON.stringify(masked));
  }

  #object(around: Around): void {
    const list = new Items();
    this.#at++;
    for (let more = !this.#ends('}'); more; more = this.#more(list)) {
      this.#space();
      const start = this.#at;
      this.#at = endOfString(this.#text, start);
      const raw = this.#text.slice(start, this.#at);
      const name = decoded(raw);
      const end = this.#at;
      this.#space();
      this.#at++;
      this.#child(around, name, list, { start, end });
    }
  }

  #name(name: string, { start, end }: Place, mask: TextMask | undefined): void {
    const masked = mask?.mask(name);
    if (masked === undefined) return;
    this.#cut(start, end);
    this.#out += JSON.stringify(masked);
  }

  #array(around: Around): void {
    const list = new Items();
    this.#at++;
    let index = 0;
    for (let more = !this.#ends(']'); more; more = this.#more(list)) {
      this.#space();
      this.#child(around, index++, list, { start: this.#at, end: this.#at });
    }
  }

  /** A member or an item; its value comes next. `place`: of the name, or of the beginning of the item. */
  #child(around: Around, key: string | number, list: Items, place: Place): void {
    const { hits, places } = this.#masks.paths.advance(around.places, key);
    const whole = hits.map((index) => this.#masks.rule(index)).find(({ text }) => text === undefined);
    if (whole?.form.removes === true) {
      this.#skip();
      this.#remove(list, place.start);
      return;
    }
    if (typeof key === 'string') this.#name(key, place, around.mask);
    list.kept = true;
    if (whole !== undefined) this.#whole(whole.form);
    else if (hits.length === 0) this.#value({ ...around, places });
    else {
      const inside = [...new Set([...around.inside, ...hits])].sort((a, b) => a - b);
      this.#value({ places, inside, mask: this.#masks.textMask(inside) });
    }
  }

  #whole(form: Form): void {
    this.#space();
    const start = this.#at;
    this.#skip();
    const raw = this.#text.slice(start, this.#at);
    // It says only that there is no value.
    if (raw === 'null') return;
    const masked = raw.startsWith('"') ? form.mask(decoded(raw)) : isNumber(raw) ? form.mask(raw) : form.maskOther(raw);
    this.#replace(start, JSON.stringify(masked));
  }

  /** Leaves out a member or an item, and one comma beside it. */
  #remove(list: Items, start: number): void {
    const { comma, kept } = list;
    this.#cut(kept && comma >= 0 ? comma : start, this.#at);
    list.dropsComma = !kept;
  }

  /** Reads what is between two items: a comma, which may be left out, or the closing bracket. */
  #more(list: Items): boolean {
    this.#space();
    const at = this.#at++;
    if (this.#text[at] !== ',') return false;
    list.comma = at;
    if (list.dropsComma) this.#cut(at, at + 1);
    list.dropsComma = false;
    return true;
  }

  #ends(bracket: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** Goes to the end of a value. */
  #skip(): void {
    this.#space();
    const text = this.#text;
    let depth = 0;
    let at = this.#at;
    do {
      const code = text.charCodeAt(at);
      if (code === QUOTE) at = endOfString(text, at);
      else if ((code | BRACE_BIT) === OPEN) {
        depth++;
        at++;
      } else if ((code | BRACE_BIT) === CLOSE) {
        depth--;
        at++;
      } else if (depth === 0) at = endOfWord(text, at);
      else at++;
    } while (depth > 0 && at < text.length);
    this.#at = at;
  }

  #space(): void {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at++;
  }

  /** Writes `instead` for the text from `start` to the current place. */
  #replace(start: number, instead: string): void {
    this.#cut(start, this.#at);
    this.#out += instead;
  }

  #cut(start: number, end: number): void {
    this.#out += this.#text.slice(this.#copied, start);
    this.#copied = end;
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/** The members or items of one value. */
class Items {
  /** Whether one of them stays. */
  kept = false;
  /** Place of the last comma; -1: none. */
  comma = -1;
  /** The next comma separates nothing any more. */
  dropsComma = false;
}

/** The end of a number, `true`, `false` or `null`. */
function endOfWord(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 0x20 || code === COMMA || (code | BRACE_BIT) === CLOSE) break;
  }
  return at;
}

const isNumber = (raw: string): boolean => /^[-\d]/.test(raw);

/** The text of a valid string of JSON. */
const decoded = (raw: string): string => (raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1));
