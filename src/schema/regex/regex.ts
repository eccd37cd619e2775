/**
 * Patterns: a safe subset of regular expressions, compiled to a minimal automaton over bytes. Matching reads each byte
 * once, without backtracking. A pattern matches the whole text.
 *
 *     literals  .  [a-z0-9-]  [^/]  \d \w \s \D \W \S  \n \t \x2f \u{e9}  (ab|cd)  ?  *  +  {2}  {2,}  {2,5}
 */
import type { Dfa } from '../../bundle/types.js';
import { buildNfa, type Nfa } from './nfa.js';
import { PatternError, parsePattern, type RegexNode } from './parse.js';

export type CompiledPattern = { readonly dfa: Dfa } | { readonly error: string; readonly offset: number };

/** Named types of path parameters: `{id:int}`. */
export const NAMED_TYPES: { readonly [name: string]: string } = {
  int: '0|[1-9][0-9]*',
  uuid: '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}',
  hex: '[0-9A-Fa-f]+',
  alpha: '[A-Za-z]+',
  alnum: '[A-Za-z0-9]+',
  slug: '[a-z0-9]+(-[a-z0-9]+)*',
  date: '[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])',
  bool: 'true|false',
};

/** Help for every error in a pattern. */
export const PATTERN_HELP =
  'Use only literals, `.`, classes such as `[a-z0-9]`, `?`, `*`, `+`, `{2,5}`, `|` and groups; patterns have no backtracking.';

const MAX_SOURCE = 4096;
const MAX_STATES = 2000;
/** Bounds the work of determinisation, so that no pattern can stall a reload. */
const MAX_WORK = 4_000_000;

/** Cache of results, since compiling is pure; cleared when full. */
const compiled = new Map<string, CompiledPattern>();
const MAX_KEPT = 4096;

/** Never throws. The error's offset is in UTF-16 code units from the start of the source. */
export function compilePattern(source: string): CompiledPattern {
  const known = compiled.get(source);
  if (known) return known;
  const result = compileFresh(source);
  if (compiled.size >= MAX_KEPT) compiled.clear();
  compiled.set(source, result);
  return result;
}

function compileFresh(source: string): CompiledPattern {
  if (source.length > MAX_SOURCE) return { error: `The pattern is longer than ${MAX_SOURCE} characters.`, offset: 0 };
  try {
    const nfa = buildNfa(parsePattern(source));
    return { dfa: canonical(source, determinise(nfa)) };
  } catch (error) {
    if (error instanceof PatternError) return { error: error.message, offset: error.offset };
    throw error;
  }
}

/** The minimal automaton of a tree. Throws PatternError if it is too large. */
export const compileNode = (node: RegexNode): Dfa => canonical('', determinise(buildNfa(node)));

/** Total, over byte classes, not minimal. State 0 is the start, state 1 the sink. */
interface Automaton {
  readonly classes: readonly number[];
  readonly classCount: number;
  readonly next: readonly number[];
  readonly accepts: readonly boolean[];
}

function determinise(nfa: Nfa): Automaton {
  const { classes, starts } = byteClasses(nfa);
  const closures = new Closures(nfa);
  const known = new Map<string, number>();
  const sets: (readonly number[])[] = [];
  const idOf = (set: readonly number[]): number => {
    const key = set.join();
    let id = known.get(key);
    if (id === undefined) {
      if (sets.length > MAX_STATES) throw new PatternError(`The pattern needs more than ${MAX_STATES} states.`, 0);
      id = sets.push(set) - 1;
      known.set(key, id);
    }
    return id;
  };
  idOf(closures.of([0]));
  idOf([]);
  const next: number[] = [];
  for (let state = 0; state < sets.length; state++) {
    for (const byte of starts) {
      const targets: number[] = [];
      for (const member of sets[state]!) {
        for (const move of nfa.moves[member]!) if (move.from <= byte && byte <= move.to) targets.push(move.target);
        closures.work += nfa.moves[member]!.length;
      }
      next.push(idOf(targets.length === 0 ? [] : closures.of(targets)));
    }
  }
  return { classes, classCount: starts.length, next, accepts: sets.map((set) => set.includes(nfa.accept)) };
}

/** Computes sets of states closed under empty moves, and counts the total work. */
class Closures {
  work = 0;
  readonly #mark: Uint32Array;
  #round = 0;

  constructor(readonly nfa: Nfa) {
    this.#mark = new Uint32Array(nfa.empty.length);
  }

  of(states: readonly number[]): number[] {
    this.#round++;
    const stack = [...states];
    const found: number[] = [];
    for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
      this.work++;
      if (this.#mark[state] === this.#round) continue;
      this.#mark[state] = this.#round;
      // States with only empty moves make no difference between sets.
      if (this.nfa.moves[state]!.length > 0 || state === this.nfa.accept) found.push(state);
      stack.push(...this.nfa.empty[state]!);
    }
    if (this.work > MAX_WORK) throw new PatternError('The pattern is too large to compile.', 0);
    return found.sort((a, b) => a - b);
  }
}

/** Groups bytes with the same moves into classes. `starts`: one byte of each class. */
function byteClasses(nfa: Nfa): { classes: number[]; starts: number[] } {
  const cuts = new Set<number>([0]);
  for (const moves of nfa.moves) {
    for (const { from, to } of moves) {
      cuts.add(from);
      cuts.add(to + 1);
    }
  }
  const classes: number[] = [];
  const starts: number[] = [];
  for (let byte = 0; byte < 256; byte++) {
    if (cuts.has(byte)) starts.push(byte);
    classes.push(starts.length - 1);
  }
  return { classes, starts };
}

/** Minimal, with states and classes numbered by first use: equal languages give equal tables. */
function canonical(source: string, automaton: Automaton): Dfa {
  const block = minimise(automaton);
  const { classCount, next } = automaton;
  const blockCount = Math.max(...block) + 1;
  const member: number[] = new Array<number>(blockCount).fill(-1);
  block.forEach((id, state) => {
    if (member[id] === -1) member[id] = state;
  });
  const columns = new Map<string, number>();
  const columnOf: number[] = [];
  const kept: number[] = [];
  for (let column = 0; column < classCount; column++) {
    const key = member.map((state) => block[next[state * classCount + column]!]).join();
    let id = columns.get(key);
    if (id === undefined) {
      id = kept.push(column) - 1;
      columns.set(key, id);
    }
    columnOf.push(id);
  }
  const order = [block[0]!];
  const place = new Map<number, number>([[block[0]!, 0]]);
  const table: number[] = [];
  for (let index = 0; index < order.length; index++) {
    for (const column of kept) {
      const target = block[next[member[order[index]!]! * classCount + column]!]!;
      let at = place.get(target);
      if (at === undefined) {
        at = order.push(target) - 1;
        place.set(target, at);
      }
      table.push(at);
    }
  }
  return {
    source,
    classes: automaton.classes.map((column) => columnOf[column]!),
    classCount: kept.length,
    next: table,
    accepts: order.map((id) => (automaton.accepts[member[id]!] ? 1 : 0)),
    // No UTF-8 text contains the byte 0xff, so the sink is always reachable and in the table.
    dead: place.get(block[1]!)!,
  };
}

/** Hopcroft's partition refinement: state -> block. */
function minimise({ classCount, next, accepts }: Automaton): number[] {
  const reverse = predecessors(classCount, next, accepts.length);
  const block: number[] = accepts.map((accepting) => (accepting ? 1 : 0));
  const members: number[][] = [[], []];
  block.forEach((id, state) => {
    members[id]!.push(state);
  });
  const pending = new Set<number>([0, 1]);
  for (const splitter of pending) {
    pending.delete(splitter);
    const targets = members[splitter]!;
    for (let column = 0; column < classCount; column++) {
      const touched = new Map<number, Set<number>>();
      for (const target of targets) {
        for (const state of reverse[target * classCount + column] ?? []) {
          const hit = touched.get(block[state]!);
          if (hit) hit.add(state);
          else touched.set(block[state]!, new Set([state]));
        }
      }
      for (const [id, hit] of touched) split(id, hit);
    }
  }
  return renumbered(block);

  function split(id: number, hit: ReadonlySet<number>): void {
    const all = members[id]!;
    if (hit.size === all.length) return;
    members[id] = all.filter((state) => !hit.has(state));
    const fresh = members.push([...hit]) - 1;
    for (const state of hit) block[state] = fresh;
    // If the block is still pending, both halves must be; otherwise the smaller one is enough.
    const smaller = hit.size <= members[id]!.length ? fresh : id;
    pending.add(pending.has(id) ? fresh : smaller);
  }
}

/** Block ids without gaps: one of the first two blocks may be empty. */
function renumbered(block: readonly number[]): number[] {
  const ids = new Map<number, number>();
  return block.map((id) => {
    const known = ids.get(id) ?? ids.size;
    ids.set(id, known);
    return known;
  });
}

function predecessors(classCount: number, next: readonly number[], count: number): number[][] {
  const reverse: number[][] = [];
  for (let state = 0; state < count; state++) {
    for (let column = 0; column < classCount; column++) {
      const index = next[state * classCount + column]! * classCount + column;
      const list = reverse[index];
      if (list) list.push(state);
      else reverse[index] = [state];
    }
  }
  return reverse;
}
