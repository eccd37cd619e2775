/** From a parsed pattern to a nondeterministic automaton over the bytes of UTF-8. */
import { type CharSet, PatternError, type RegexNode } from './parse.js';

/** Flat: state i has the empty moves `empty[i]` and the byte moves `moves[i]`. State 0 starts, `accept` accepts. */
export interface Nfa {
  readonly empty: readonly (readonly number[])[];
  readonly moves: readonly (readonly ByteMove[])[];
  readonly accept: number;
}

export interface ByteMove {
  readonly from: number;
  readonly to: number;
  readonly target: number;
}

const MAX_NFA_STATES = 20_000;

/** Throws PatternError if nested counts make it too large. */
export function buildNfa(node: RegexNode): Nfa {
  const builder = new Builder();
  const start = builder.state();
  return { empty: builder.empty, moves: builder.moves, accept: builder.add(node, start) };
}

class Builder {
  readonly empty: number[][] = [];
  readonly moves: ByteMove[][] = [];

  state(): number {
    if (this.empty.length >= MAX_NFA_STATES)
      throw new PatternError('The pattern is too large, because nested counts multiply.', 0);
    this.moves.push([]);
    return this.empty.push([]) - 1;
  }

  /** Adds the node after state `start`; returns its end state. */
  add(node: RegexNode, start: number): number {
    switch (node.kind) {
      case 'set':
        return this.#set(node.set, start);
      case 'sequence':
        return node.items.reduce((at, item) => this.add(item, at), start);
      case 'choice': {
        const end = this.state();
        for (const item of node.items) this.#link(this.add(item, this.#behind(start)), end);
        return end;
      }
      case 'repeat':
        return this.#repeat(node.item, node.min, node.max, start);
    }
  }

  #repeat(item: RegexNode, min: number, max: number, start: number): number {
    let at = start;
    for (let count = 0; count < min; count++) at = this.add(item, at);
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#behind(at);
      this.#link(this.add(item, loop), loop);
      return this.#behind(loop);
    }
    const end = this.state();
    for (let count = min; count < max; count++) {
      this.#link(at, end);
      at = this.add(item, this.#behind(at));
    }
    this.#link(at, end);
    return end;
  }

  #set(set: CharSet, start: number): number {
    const end = this.state();
    for (const [from, to] of set) {
      for (const sequence of utf8Sequences(from, to)) {
        let at = start;
        sequence.forEach(([low, high], index) => {
          const target = index === sequence.length - 1 ? end : this.state();
          this.moves[at]!.push({ from: low, to: high, target });
          at = target;
        });
      }
    }
    return end;
  }

  /** A new state after an empty move, so that a loop into it does not reach the states before. */
  #behind(state: number): number {
    const next = this.state();
    this.#link(state, next);
    return next;
  }

  #link(from: number, to: number): void {
    this.empty[from]!.push(to);
  }
}

type ByteRange = readonly [low: number, high: number];

/** Code points from..to as sequences of byte ranges (RFC 3629); splits where the encoding changes shape. */
function utf8Sequences(from: number, to: number): ByteRange[][] {
  for (const last of [0x7f, 0x7ff, 0xffff]) {
    if (from <= last && to > last) return [...utf8Sequences(from, last), ...utf8Sequences(last + 1, to)];
  }
  if (to <= 0x7f) return [[[from, to]]];
  const length = to <= 0x7ff ? 2 : to <= 0xffff ? 3 : 4;
  // Within one length, a range is a product of byte ranges only if its lower bytes span whole blocks.
  for (let bits = 6; bits < length * 6; bits += 6) {
    const mask = (1 << bits) - 1;
    if ((from & ~mask) === (to & ~mask)) continue;
    if ((from & mask) !== 0) return [...utf8Sequences(from, from | mask), ...utf8Sequences((from | mask) + 1, to)];
    if ((to & mask) !== mask) return [...utf8Sequences(from, (to & ~mask) - 1), ...utf8Sequences(to & ~mask, to)];
  }
  const low = encode(from, length);
  const high = encode(to, length);
  return [low.map((byte, index): ByteRange => [byte, high[index]!])];
}

function encode(code: number, length: number): number[] {
  const bytes: number[] = [];
  let rest = code;
  for (let index = 1; index < length; index++) {
    bytes.unshift(0x80 | (rest & 0x3f));
    rest >>= 6;
  }
  return [([0, 0, 0xc0, 0xe0, 0xf0][length] ?? 0) | rest, ...bytes];
}
