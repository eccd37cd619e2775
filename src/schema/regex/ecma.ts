/**
 * Patterns of JSON Schema as automata over code points, so that a test of a text takes time linear in its length.
 *
 * A pattern is searched anywhere in a text, so its language is `ANY* pattern ANY*` except at anchors. Lookahead at the start
 * becomes a further automaton: the text must be in all of their languages.
 */

import { ANY, type EcmaNode, parseEcma } from './ecma-parse.js';
import { type CharSet, PatternError, type RegexNode } from './parse.js';
import { compileNode } from './regex.js';

/** One automaton over classes of code points. Plain data for a bundle. */
export type TextAutomaton = {
  /** First code point of each interval, ascending; the first one is 0. */
  readonly starts: readonly number[];
  /** Column of each interval. */
  readonly columns: readonly number[];
  readonly classCount: number;
  /** states x classCount, row-major; state 0 is the start. */
  readonly next: readonly number[];
  readonly accepts: readonly number[];
  /** Whether the text must not be accepted. */
  readonly negated: boolean;
};

export type TextPattern = readonly TextAutomaton[];

const MAX_SOURCE = 4096;
const MAX_ALTERNATIVES = 64;
/** Classes are numbered like ASCII characters, each one byte of the automaton. */
const MAX_CLASSES = 127;

/** The pattern as automata, or why it cannot be one: a phrase after `The pattern ... cannot be used:`. */
export function compileEcma(source: string): { readonly pattern: TextPattern } | { readonly error: string } {
  if (source.length > MAX_SOURCE) return { error: `it is longer than ${MAX_SOURCE} characters` };
  try {
    return { pattern: languagesOf(parseEcma(source)).map(automatonOf) };
  } catch (error) {
    if (error instanceof PatternError) return { error: error.message };
    throw error;
  }
}

interface Language {
  readonly node: RegexNode;
  readonly negated: boolean;
}

/** The languages that the whole text must, or must not, be in. */
function languagesOf(node: EcmaNode): Language[] {
  const found: Language[] = [];
  const alternatives = expand([node]).map((items) => items.flatMap(flat));
  const choices = alternatives.map((items) => {
    let from = 0;
    while (items[from]?.kind === 'start') from++;
    const anchored = from > 0;
    for (let item = items[from]; item?.kind === 'look'; item = items[++from]) {
      if (!anchored || alternatives.length > 1) throw unsupported('a lookahead that is not right after a leading `^`');
      const inner = languagesOf({ kind: 'sequence', items: [{ kind: 'start' }, item.item] });
      if (inner.length > 1) throw unsupported('a lookahead within a lookahead');
      found.push({ node: inner[0]!.node, negated: item.negative });
    }
    let to = items.length;
    while (to > from && items[to - 1]?.kind === 'end') to--;
    const middle = items.slice(from, to).map(plain);
    const around: RegexNode[] = [...(anchored ? [] : [anything]), ...middle];
    return sequence(to < items.length ? around : [...around, anything]);
  });
  return [{ node: choices.length === 1 ? choices[0]! : { kind: 'choice', items: choices }, negated: false }, ...found];
}

const anything: RegexNode = { kind: 'repeat', item: { kind: 'set', set: ANY }, min: 0, max: Number.POSITIVE_INFINITY };

const sequence = (items: readonly RegexNode[]): RegexNode =>
  items.length === 1 ? items[0]! : { kind: 'sequence', items };

const flat = (node: EcmaNode): readonly EcmaNode[] => (node.kind === 'sequence' ? node.items.flatMap(flat) : [node]);

/** Distributes choices at the edges of a sequence that contain anchors: `(^a|b)c` is `^ac|bc`. */
function expand(given: readonly EcmaNode[]): EcmaNode[][] {
  const items = given.flatMap(flat);
  for (const at of [0, items.length - 1]) {
    const edge = items[at];
    if (edge?.kind !== 'choice' || !edge.items.some(hasAnchor)) continue;
    const all = edge.items.flatMap((item) => expand([...items.slice(0, at), item, ...items.slice(at + 1)]));
    if (all.length > MAX_ALTERNATIVES) throw unsupported('too many alternatives with anchors');
    return all;
  }
  return [items];
}

function hasAnchor(node: EcmaNode): boolean {
  if (node.kind === 'set') return false;
  if (node.kind === 'sequence' || node.kind === 'choice') return node.items.some(hasAnchor);
  return node.kind === 'repeat' ? hasAnchor(node.item) : true;
}

function plain(node: EcmaNode): RegexNode {
  switch (node.kind) {
    case 'set':
      return node;
    case 'sequence':
    case 'choice':
      return { kind: node.kind, items: node.items.map(plain) };
    case 'repeat':
      return { ...node, item: plain(node.item) };
    case 'look':
      throw unsupported('a lookahead that is not right after a leading `^`');
    default:
      throw unsupported('an anchor in its middle');
  }
}

const unsupported = (what: string): PatternError => new PatternError(`it has ${what}`, 0);

function automatonOf({ node, negated }: Language): TextAutomaton {
  const { starts, classOf, count } = alphabetOf(node);
  if (count > MAX_CLASSES) throw new PatternError('it names too many different characters', 0);
  const { classes, classCount, next, accepts } = compileNode(renamed(node, starts, classOf));
  const columns = classOf.map((id) => classes[id]!);
  // Neighbours with the same column are one interval.
  const kept = starts.map((_, index) => index === 0 || columns[index] !== columns[index - 1]);
  return {
    starts: starts.filter((_, index) => kept[index]),
    columns: columns.filter((_, index) => kept[index]),
    classCount,
    next,
    accepts,
    negated,
  };
}

interface Alphabet {
  readonly starts: readonly number[];
  /** By interval: intervals that no set of the pattern tells apart have the same class. */
  readonly classOf: readonly number[];
  readonly count: number;
}

function alphabetOf(node: RegexNode): Alphabet {
  const sets = [...setsOf(node)];
  const cuts = new Set([0]);
  for (const set of sets) {
    for (const [from, to] of set) cuts.add(from).add(to + 1);
  }
  const starts = [...cuts].filter((code) => code <= 0x10ffff).sort((a, b) => a - b);
  const members = starts.map(() => '');
  for (const [index, set] of sets.entries()) {
    let at = 0;
    for (const [from, to] of set) {
      while (starts[at]! < from) at++;
      for (; at < starts.length && starts[at]! <= to; at++) members[at] += `${index},`;
    }
  }
  const ids = new Map<string, number>();
  const classOf = members.map((key) => {
    const id = ids.get(key) ?? ids.size;
    ids.set(key, id);
    return id;
  });
  return { starts, classOf, count: ids.size };
}

function setsOf(node: RegexNode, found = new Set<CharSet>()): Set<CharSet> {
  if (node.kind === 'set') found.add(node.set);
  else if (node.kind === 'repeat') setsOf(node.item, found);
  else for (const item of node.items) setsOf(item, found);
  return found;
}

/** The same tree over the numbers of classes. */
function renamed(node: RegexNode, starts: readonly number[], classOf: readonly number[]): RegexNode {
  switch (node.kind) {
    case 'set': {
      const ids = new Set<number>();
      for (const [from, to] of node.set) {
        for (let at = lowerBound(starts, from); at < starts.length && starts[at]! <= to; at++) ids.add(classOf[at]!);
      }
      return { kind: 'set', set: [...ids].sort((a, b) => a - b).map((id) => [id, id] as const) };
    }
    case 'repeat':
      return { ...node, item: renamed(node.item, starts, classOf) };
    default:
      return { ...node, items: node.items.map((item) => renamed(item, starts, classOf)) };
  }
}

function lowerBound(starts: readonly number[], code: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle]! < code) low = middle + 1;
    else high = middle;
  }
  return low;
}
