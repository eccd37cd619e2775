/**
 * Parses regular expressions as JSON Schema has them (ECMA-262 with the flag `u`) into a tree over code points. What needs
 * backtracking (backreferences, word boundaries, lookbehind) is refused; anchors and lookahead stay in the tree.
 */
import { type CharSet, negate, PatternError, union } from './parse.js';

export type EcmaNode =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly EcmaNode[] }
  | { readonly kind: 'choice'; readonly items: readonly EcmaNode[] }
  | { readonly kind: 'repeat'; readonly item: EcmaNode; readonly min: number; readonly max: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'look'; readonly negative: boolean; readonly item: EcmaNode };

const MAX_REPEAT = 1000;
const MAX_DEPTH = 50;

const LINE_ENDS: CharSet = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
export const ANY: CharSet = negate([]);
const DOT = negate(LINE_ENDS);
const DIGITS: CharSet = [[0x30, 0x39]];
const WORD: CharSet = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
/** White space and line ends, ECMA-262 section 22.2.2.9. */
const SPACE: CharSet = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const CLASSES = new Map<string, CharSet>([
  ['d', DIGITS],
  ['D', negate(DIGITS)],
  ['w', WORD],
  ['W', negate(WORD)],
  ['s', SPACE],
  ['S', negate(SPACE)],
]);
const CONTROLS = new Map([
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['f', 12],
  ['v', 11],
  ['0', 0],
]);

/** Throws PatternError. */
export function parseEcma(source: string): EcmaNode {
  const parser = new EcmaParser(source);
  const node = parser.choice(0);
  if (!parser.atEnd) throw parser.error('it has an unmatched `)`');
  return node;
}

class EcmaParser {
  #at = 0;
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  get atEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  error(message: string): PatternError {
    return new PatternError(message, this.#at);
  }

  choice(depth: number): EcmaNode {
    if (depth > MAX_DEPTH) throw this.error(`its groups are nested more than ${MAX_DEPTH} levels deep`);
    const items = [this.#sequence(depth)];
    while (this.#eat('|')) items.push(this.#sequence(depth));
    return items.length === 1 ? items[0]! : { kind: 'choice', items };
  }

  #sequence(depth: number): EcmaNode {
    const items: EcmaNode[] = [];
    while (!this.atEnd && this.#peek() !== '|' && this.#peek() !== ')') items.push(this.#repeated(this.#atom(depth)));
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  #atom(depth: number): EcmaNode {
    const char = this.#take();
    if (char === '^') return { kind: 'start' };
    if (char === '$') return { kind: 'end' };
    if (char === '.') return { kind: 'set', set: DOT };
    if (char === '(') return this.#group(depth);
    if (char === '[') return { kind: 'set', set: this.#class() };
    if (char === '\\') return { kind: 'set', set: this.#escape(false) };
    if ('*+?{'.includes(char)) throw this.error(`its \`${char}\` has nothing to repeat`);
    return { kind: 'set', set: one(char.codePointAt(0)!) };
  }

  #group(depth: number): EcmaNode {
    const look = this.#eat('?=') ? 'look' : this.#eat('?!') ? 'not' : undefined;
    if (look === undefined && this.#eat('?') && !this.#eat(':')) {
      const name = /^<[A-Za-z_$][\w$]*>/.exec(this.#source.slice(this.#at));
      if (name === null) throw this.error('it has a lookbehind, or a kind of group that ECMAScript does not have');
      this.#at += name[0].length;
    }
    const item = this.choice(depth + 1);
    if (!this.#eat(')')) throw this.error('it has an unmatched `(`');
    return look === undefined ? item : { kind: 'look', negative: look === 'not', item };
  }

  #repeated(item: EcmaNode): EcmaNode {
    const counts = this.#counts();
    if (counts === undefined) return item;
    // Lazy or not makes no difference to whether a text matches.
    this.#eat('?');
    const [min, max] = counts;
    if (item.kind === 'start' || item.kind === 'end' || item.kind === 'look') throw this.error('it repeats an anchor');
    if (max < min) throw this.error('it has a count whose maximum is below its minimum');
    if (min > MAX_REPEAT || (max !== Number.POSITIVE_INFINITY && max > MAX_REPEAT)) {
      throw this.error(`it counts above ${MAX_REPEAT}; use \`minLength\` and \`maxLength\``);
    }
    return { kind: 'repeat', item, min, max };
  }

  #counts(): readonly [number, number] | undefined {
    if (this.#eat('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#eat('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#eat('?')) return [0, 1];
    if (this.#peek() !== '{') return undefined;
    const found = /^\{(\d{1,9})(,(\d{0,9}))?\}/.exec(this.#source.slice(this.#at, this.#at + 24));
    if (found === null) throw this.error('it has a `{` that does not begin a count; write `\\{`');
    this.#at += found[0].length;
    const min = Number(found[1]);
    if (found[2] === undefined) return [min, min];
    return [min, found[3] ? Number(found[3]) : Number.POSITIVE_INFINITY];
  }

  #class(): CharSet {
    const negated = this.#eat('^');
    const ranges: (readonly [number, number])[] = [];
    while (!this.#eat(']')) {
      if (this.atEnd) throw this.error('it has an unmatched `[`');
      const low = this.#classItem();
      if (this.#peek() !== '-' || ']'.includes(this.#source[this.#at + 1] ?? ']')) {
        ranges.push(...low);
        continue;
      }
      this.#at++;
      const high = this.#classItem();
      const [from, to] = [single(low), single(high)];
      // `[\w-.]`: with a class on one side, the `-` is a character.
      if (from === undefined || to === undefined) ranges.push(...low, ...one(0x2d), ...high);
      else if (to < from) throw this.error('it has a range whose end is below its start');
      else ranges.push([from, to]);
    }
    const set = union(ranges);
    return negated ? negate(set) : set;
  }

  #classItem(): CharSet {
    const char = this.#take();
    return char === '\\' ? this.#escape(true) : one(char.codePointAt(0)!);
  }

  #escape(inClass: boolean): CharSet {
    if (this.atEnd) throw this.error('it ends with a backslash');
    const char = this.#take();
    const known = CLASSES.get(char);
    if (known !== undefined) return known;
    if (char === 'p' || char === 'P') return this.#property(char === 'P');
    if (char === 'b' && inClass) return one(8);
    if (char === 'b' || char === 'B') throw this.error('it has a word boundary');
    const rest = this.#source.slice(this.#at, this.#at + 12);
    if (char === '0' && /^\d/.test(rest)) throw this.error('it has an octal escape');
    const control = CONTROLS.get(char);
    if (control !== undefined) return one(control);
    if (/[1-9k]/.test(char)) throw this.error('it has a backreference');
    return one(this.#codePoint(char, rest));
  }

  #codePoint(char: string, rest: string): number {
    const pattern = { x: /^[0-9A-Fa-f]{2}/, u: /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{4}))/, c: /^[A-Za-z]/ }[char];
    if (pattern === undefined) {
      if (/[A-Za-z]/.test(char)) throw this.error(`it has the unknown escape \`\\${char}\``);
      return char.codePointAt(0)!;
    }
    const found = pattern.exec(rest);
    if (found === null) throw this.error(`it has an incomplete escape \`\\${char}\``);
    this.#at += found[0].length;
    if (char === 'c') return found[0].charCodeAt(0) % 32;
    const code = Number.parseInt(found[1] ?? found[2] ?? found[0], 16);
    const low = /^\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})/.exec(this.#source.slice(this.#at));
    if (code < 0xd800 || code > 0xdbff || low === null) return code;
    this.#at += low[0].length;
    return (code - 0xd800) * 0x400 + (Number.parseInt(low[1]!, 16) - 0xdc00) + 0x10000;
  }

  #property(negated: boolean): CharSet {
    const found = /^\{([A-Za-z_0-9=]{1,60})\}/.exec(this.#source.slice(this.#at));
    if (found === null) throw this.error('it has an incomplete `\\p`');
    this.#at += found[0].length;
    const set = propertySet(found[1]!);
    if (set === undefined) throw this.error(`it has the unknown property \`\\p{${found[1]}}\``);
    return negated ? negate(set) : set;
  }

  #peek(): string {
    return this.#source[this.#at] ?? '';
  }

  #take(): string {
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    return char;
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}

const one = (code: number): CharSet => [[code, code]];

const single = (set: CharSet): number | undefined =>
  set.length === 1 && set[0]![0] === set[0]![1] ? set[0]![0] : undefined;

/** The characters of a Unicode property, as this version of Node knows it. */
function propertySet(name: string): CharSet | undefined {
  let property: RegExp;
  try {
    property = new RegExp(`^\\p{${name}}$`, 'u');
  } catch {
    return undefined;
  }
  const ranges: [number, number][] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if ((code >= 0xd800 && code <= 0xdfff) || !property.test(String.fromCodePoint(code))) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  return ranges;
}
