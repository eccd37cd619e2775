/** Operations on automata for proofs: acceptance, inclusion, common examples. */
import type { Dfa } from '../../bundle/types.js';

const encoder = new TextEncoder();

/** Whether the automaton accepts the whole text as UTF-8. */
export function acceptsText(dfa: Dfa, text: string): boolean {
  let state = 0;
  for (const byte of encoder.encode(text)) {
    state = step(dfa, state, byte);
    if (state === dfa.dead) return false;
  }
  return dfa.accepts[state] === 1;
}

const step = (dfa: Dfa, state: number, byte: number): number => dfa.next[state * dfa.classCount + dfa.classes[byte]!]!;

/** A shortest accepted text of at least `minBytes` bytes (a path segment is never empty). */
export function example(dfa: Dfa, minBytes = 0): string {
  return commonExample(dfa, dfa, minBytes) ?? '';
}

/** A shortest text of at least `minBytes` bytes that both accept; undefined if there is none. */
export function commonExample(a: Dfa, b: Dfa, minBytes = 0): string | undefined {
  return shortest(a, b, minBytes, (inA, inB) => inA && inB);
}

/** Whether `a` accepts every text that `b` accepts. */
export function includes(a: Dfa, b: Dfa): boolean {
  return shortest(a, b, 0, (inA, inB) => inB && !inA) === undefined;
}

/** Whether both accept exactly the same texts. */
export const equivalent = (a: Dfa, b: Dfa): boolean => includes(a, b) && includes(b, a);

/** Bytes that make examples readable come first. */
const NICE_BYTES: readonly number[] = (() => {
  const nice = [...encoder.encode('abcdefghijklmnopqrstuvwxyz1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~')];
  const seen = new Set(nice);
  const printable = Array.from({ length: 94 }, (_, index) => index + 33).filter((byte) => !seen.has(byte));
  const rest = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte < 33 || byte > 126);
  return [...nice, ...printable, ...rest];
})();

/** One byte for each pair of classes; enough to explore the product of two automata. */
function representatives(a: Dfa, b: Dfa): number[] {
  const seen = new Set<number>();
  return NICE_BYTES.filter((byte) => {
    const pair = a.classes[byte]! * 256 + b.classes[byte]!;
    if (seen.has(pair)) return false;
    seen.add(pair);
    return true;
  });
}

/** Breadth-first over the product automaton, so the first hit is a shortest one. Depth counts up to `minBytes` only. */
function shortest(
  a: Dfa,
  b: Dfa,
  minBytes: number,
  wanted: (inA: boolean, inB: boolean) => boolean,
): string | undefined {
  const bytes = representatives(a, b);
  const states = a.accepts.length * b.accepts.length;
  interface Visit {
    readonly inA: number;
    readonly inB: number;
    readonly depth: number;
    readonly byte: number;
    readonly from: Visit | undefined;
  }
  const queue: Visit[] = [{ inA: 0, inB: 0, depth: 0, byte: -1, from: undefined }];
  const seen = new Set<number>([0]);
  for (let head = 0; head < queue.length; head++) {
    const visit = queue[head]!;
    if (visit.depth >= minBytes && wanted(a.accepts[visit.inA] === 1, b.accepts[visit.inB] === 1)) return textOf(visit);
    const depth = Math.min(visit.depth + 1, minBytes);
    for (const byte of bytes) {
      const inA = step(a, visit.inA, byte);
      const inB = step(b, visit.inB, byte);
      if (inA === a.dead && inB === b.dead) continue;
      const key = depth * states + inA * b.accepts.length + inB;
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push({ inA, inB, depth, byte, from: visit });
    }
  }
  return undefined;

  function textOf(last: Visit): string {
    const path: number[] = [];
    for (let visit: Visit | undefined = last; visit?.from; visit = visit.from) path.push(visit.byte);
    return new TextDecoder().decode(Uint8Array.from(path.reverse()));
  }
}
