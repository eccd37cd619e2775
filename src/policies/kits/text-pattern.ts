/** Runs the automata of text patterns: each character is read once for each automaton, without backtracking. */

/** As in the bundle; src/schema/regex/ecma.ts makes it. */
export interface TextAutomatonEntry {
  readonly starts: readonly number[];
  readonly columns: readonly number[];
  readonly classCount: number;
  readonly next: readonly number[];
  readonly accepts: readonly number[];
  readonly negated: boolean;
}

export class TextMatcher {
  readonly #automata: readonly Automaton[];

  constructor(entries: readonly TextAutomatonEntry[]) {
    this.#automata = entries.map((entry) => new Automaton(entry));
  }

  /** Whether the pattern is found in the text. */
  test(text: string): boolean {
    for (const automaton of this.#automata) if (automaton.accepts(text) === automaton.negated) return false;
    return true;
  }
}

class Automaton {
  readonly negated: boolean;
  readonly #ascii = new Uint8Array(128);
  readonly #starts: Uint32Array;
  readonly #columns: Uint8Array;
  readonly #classCount: number;
  readonly #next: Uint16Array;
  readonly #accepts: Uint8Array;

  constructor({ starts, columns, classCount, next, accepts, negated }: TextAutomatonEntry) {
    this.negated = negated;
    this.#starts = Uint32Array.from(starts);
    this.#columns = Uint8Array.from(columns);
    this.#classCount = classCount;
    this.#next = Uint16Array.from(next);
    this.#accepts = Uint8Array.from(accepts);
    for (let code = 0; code < 128; code++) this.#ascii[code] = this.#column(code);
  }

  accepts(text: string): boolean {
    let state = 0;
    for (let at = 0; at < text.length; at++) {
      let code = text.charCodeAt(at);
      if (code >= 0xd800 && code <= 0xdbff && at + 1 < text.length) {
        code = text.codePointAt(at)!;
        if (code > 0xffff) at++;
      }
      const column = code < 128 ? this.#ascii[code]! : this.#column(code);
      state = this.#next[state * this.#classCount + column]!;
    }
    return this.#accepts[state] === 1;
  }

  /** The last interval that starts at or below the code point. */
  #column(code: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= code) low = middle;
      else high = middle - 1;
    }
    return this.#columns[low]!;
  }
}
