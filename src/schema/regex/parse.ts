/** Parses the safe subset of regular expressions, without features that need backtracking, into a tree. */

/** Inclusive ranges of code points, sorted, disjoint. */
export type CharSet = readonly (readonly [from: number, to: number])[];

export type RegexNode =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly items: readonly RegexNode[] }
  /** `max` may be Infinity. */
  | { readonly kind: 'repeat'; readonly item: RegexNode; readonly min: number; readonly max: number };

/** Thrown only inside the parser; compilePattern turns it into a result. */
export class PatternError extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

const MAX_REPEAT = 1000;
const MAX_DEPTH = 50;
const MAX_CODE_POINT = 0x10ffff;
const SURROGATES: readonly [number, number] = [0xd800, 0xdfff];
const ANY: CharSet = negate([]);

const DIGITS: CharSet = [[0x30, 0x39]];
const WORD: CharSet = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: CharSet = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
const CLASSES: { readonly [letter: string]: CharSet } = {
  d: DIGITS,
  w: WORD,
  s: SPACE,
  D: negate(DIGITS),
  W: negate(WORD),
  S: negate(SPACE),
};
const CONTROLS: { readonly [letter: string]: number } = { n: 10, r: 13, t: 9, f: 12, v: 11, '0': 0 };

/** Sorts, merges, and removes surrogates, which no UTF-8 text contains. */
export function union(ranges: CharSet): CharSet {
  const merged: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged.flatMap(([from, to]): [number, number][] => {
    if (to < SURROGATES[0] || from > SURROGATES[1]) return [[from, to]];
    const pieces: [number, number][] = [
      [from, SURROGATES[0] - 1],
      [SURROGATES[1] + 1, to],
    ];
    return pieces.filter(([low, high]) => low <= high);
  });
}

export function negate(set: CharSet): CharSet {
  const ranges: [number, number][] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) ranges.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= MAX_CODE_POINT) ranges.push([next, MAX_CODE_POINT]);
  return union(ranges);
}

/** Throws PatternError with the offset of the error. */
export function parsePattern(source: string): RegexNode {
  const parser = new Parser(source);
  const node = parser.choice(0);
  parser.end();
  return node;
}

class Parser {
  #at = 0;
  constructor(readonly source: string) {}

  end(): void {
    if (this.#at < this.source.length) this.#fail('Unmatched `)`; write `\\)` for the character.');
  }

  choice(depth: number): RegexNode {
    if (depth > MAX_DEPTH) this.#fail(`Groups are nested more than ${MAX_DEPTH} levels deep.`);
    const items = [this.#sequence(depth)];
    while (this.#eat('|')) items.push(this.#sequence(depth));
    return items.length === 1 ? items[0]! : { kind: 'choice', items };
  }

  #sequence(depth: number): RegexNode {
    const items: RegexNode[] = [];
    while (this.#at < this.source.length && this.#peek() !== '|' && this.#peek() !== ')') {
      items.push(this.#repeated(this.#atom(depth)));
    }
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  #atom(depth: number): RegexNode {
    const start = this.#at;
    const char = this.#take();
    switch (char) {
      case '(':
        return this.#group(start, depth);
      case '[':
        return { kind: 'set', set: this.#class(start) };
      case '.':
        return { kind: 'set', set: ANY };
      case '\\':
        return { kind: 'set', set: this.#escape(start, false) };
      case '^':
      case '$':
        return this.#fail(
          `Anchors are not needed: a pattern always matches the whole text. Write \`\\${char}\` for the character.`,
          start,
        );
      case '*':
      case '+':
      case '?':
        return this.#fail(`The \`${char}\` has nothing to repeat; write \`\\${char}\` for the character.`, start);
      case '{':
      case '}':
      case ']':
        return this.#fail(`Unmatched \`${char}\`; write \`\\${char}\` for the character.`, start);
      default:
        return { kind: 'set', set: single(char.codePointAt(0)!) };
    }
  }

  #group(start: number, depth: number): RegexNode {
    if (this.#eat('?')) {
      if (!this.#eat(':'))
        this.#fail('Only plain groups `(...)` are supported, without lookaround, names or flags.', start);
    }
    const node = this.choice(depth + 1);
    if (!this.#eat(')')) this.#fail('Unmatched `(`; write `\\(` for the character.', start);
    return node;
  }

  #repeated(item: RegexNode): RegexNode {
    const start = this.#at;
    const counts = this.#counts();
    if (!counts) return item;
    const [min, max] = counts;
    if (max < min) this.#fail(`In the count \`{${min},${max}}\` the maximum is below the minimum.`, start);
    if (min > MAX_REPEAT || (max !== Number.POSITIVE_INFINITY && max > MAX_REPEAT)) {
      this.#fail(`A count must be at most ${MAX_REPEAT}.`, start);
    }
    if (/[*+?{]/.test(this.#peek())) {
      this.#fail('Lazy and possessive repetitions are not supported; use a group `(...)` to nest repetitions.');
    }
    return { kind: 'repeat', item, min, max };
  }

  #counts(): readonly [number, number] | undefined {
    if (this.#eat('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#eat('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#eat('?')) return [0, 1];
    if (this.#peek() !== '{') return undefined;
    const found = /^\{(\d+)(,(\d*))?\}/.exec(this.source.slice(this.#at, this.#at + 24));
    if (!found) return this.#fail('Expected a count such as `{3}`, `{2,}` or `{2,5}`; write `\\{` for the character.');
    this.#at += found[0].length;
    const min = Number(found[1]);
    if (found[2] === undefined) return [min, min];
    return [min, found[3] ? Number(found[3]) : Number.POSITIVE_INFINITY];
  }

  #class(start: number): CharSet {
    const negated = this.#eat('^');
    const ranges: (readonly [number, number])[] = [];
    while (!this.#eat(']')) {
      if (this.#at >= this.source.length) this.#fail('Unmatched `[`; write `\\[` for the character.', start);
      const itemStart = this.#at;
      const low = this.#classItem();
      if (this.#peek() === '-' && this.source[this.#at + 1] !== ']' && this.#at + 1 < this.source.length) {
        this.#at++;
        const high = this.#classItem();
        const from = onlyOne(low);
        const to = onlyOne(high);
        if (from === undefined || to === undefined)
          this.#fail('A range needs a single character on both sides; put a literal `-` last.', itemStart);
        if (to < from)
          this.#fail(`The range \`${this.source.slice(itemStart, this.#at)}\` is in the wrong order.`, itemStart);
        ranges.push([from, to]);
      } else ranges.push(...low);
    }
    const set = negated ? negate(union(ranges)) : union(ranges);
    if (set.length === 0) this.#fail('An empty class can never match.', start);
    return set;
  }

  #classItem(): CharSet {
    const start = this.#at;
    const char = this.#take();
    if (char === '\\') return this.#escape(start, true);
    if (char === '[') this.#fail('Write `\\[` for a literal bracket within a class.', start);
    return single(char.codePointAt(0)!);
  }

  #escape(start: number, inClass: boolean): CharSet {
    if (this.#at >= this.source.length) this.#fail('Missing character after the `\\`.', start);
    const char = this.#take();
    const named = Object.hasOwn(CLASSES, char) ? CLASSES[char] : undefined;
    if (named) return named;
    if (Object.hasOwn(CONTROLS, char)) {
      if (char === '0' && /\d/.test(this.#peek())) this.#fail('Octal escapes are not supported; write `\\xHH`.', start);
      return single(CONTROLS[char]!);
    }
    if (char === 'x') return single(this.#hex(/^[0-9A-Fa-f]{2}/, start));
    if (char === 'u') return single(this.#hex(/^(?:[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})/, start));
    if (/[1-9k]/.test(char)) this.#fail('Back-references are not supported, because they need backtracking.', start);
    if (/[bB]/.test(char) && !inClass)
      this.#fail('Word boundaries are not supported: a pattern matches the whole text.', start);
    if (/[A-Za-z]/.test(char)) this.#fail(`Unknown escape \`\\${char}\`.`, start);
    return single(char.codePointAt(0)!);
  }

  #hex(form: RegExp, start: number): number {
    const digits = form.exec(this.source.slice(this.#at, this.#at + 8))?.[0];
    if (digits === undefined) this.#fail('Expected hex digits: `\\x2f`, `\\u002f` or `\\u{1f600}`.', start);
    this.#at += digits.length;
    const code = Number.parseInt(digits.replace(/[{}]/g, ''), 16);
    if (code > MAX_CODE_POINT || (code >= SURROGATES[0] && code <= SURROGATES[1])) {
      this.#fail('The escape is not a Unicode character.', start);
    }
    return code;
  }

  #peek(): string {
    return this.source[this.#at] ?? '';
  }

  #take(): string {
    const code = this.source.codePointAt(this.#at);
    if (code === undefined) this.#fail('The pattern is incomplete.');
    if (code >= SURROGATES[0] && code <= SURROGATES[1]) this.#fail('The pattern contains half a surrogate pair.');
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #eat(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }

  #fail(message: string, offset = this.#at): never {
    throw new PatternError(message, offset);
  }
}

const single = (code: number): CharSet => [[code, code]];

function onlyOne(set: CharSet): number | undefined {
  const only = set.length === 1 ? set[0]! : undefined;
  return only && only[0] === only[1] ? only[0] : undefined;
}
