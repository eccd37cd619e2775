/** Routes that can match one request with equal precedence: duplicates where they always do, ambiguous otherwise. */
import type { Dfa } from '../../bundle/types.js';
import { commonExample } from '../../schema/dfa.js';
import type { ConditionModel, RouteModel } from '../../spec/model.js';
import { listIn, shareListener } from '../facts.js';
import { bucketsByValue, conditionsKey, type Example, meetBoth } from './conditions.js';
import type { Entry } from './entries.js';
import { requestText } from './request.js';

export interface Conflict {
  readonly kind: 'duplicate' | 'ambiguous';
  /** The later one in the spec, at which it is reported, and the earlier one. */
  readonly route: RouteModel;
  readonly other: RouteModel;
  /** A request that both match, for people. */
  readonly request: string;
}

const ANY_METHOD = '*';

/** At most one conflict a route, with the earliest other that was found. */
export function conflictsIn(groups: Iterable<readonly Entry[]>): Conflict[] {
  const found = new Map<RouteModel, Conflict>();
  for (const group of groups) {
    if (group.length < 2) continue;
    for (const [method, cell] of cellsOf(group)) if (cell.length > 1) judgeCell(method, cell, found);
  }
  return [...found.values()];
}

/** Entries of a group by method and number of conditions: equal precedence from end to end. */
function cellsOf(group: readonly Entry[]): (readonly [method: string, Entry[]])[] {
  const cells = new Map<string, Entry[]>();
  for (const entry of group) {
    const { methods } = entry.route.match;
    for (const method of methods.length === 0 ? [ANY_METHOD] : new Set(methods)) {
      listIn(cells, `${method} ${entry.headers} ${entry.queries}`).push(entry);
    }
  }
  return [...cells].map(([key, entries]) => [key.slice(0, key.indexOf(' ')), entries]);
}

type Found = Map<RouteModel, Conflict>;

function judgeCell(method: string, cell: readonly Entry[], found: Found): void {
  const pools = new Map<string, Entry[]>();
  for (const entry of cell) listIn(pools, entry.typedKey).push(entry);
  const distinct = [...pools.values()].map((pool) => withoutDuplicates(method, pool, found));
  for (const [index, pool] of distinct.entries()) {
    judgePairs(method, pool, found, () => true);
    for (let earlier = 0; earlier < index; earlier++) {
      const before = distinct[earlier]!;
      if (!overlap(before[0]!.typed, pool[0]!.typed)) continue;
      judgePairs(method, [...before, ...pool], found, (a, b) => a.typedKey !== b.typedKey);
    }
  }
}

/** Reports the entries of a pool that equal an earlier one on a listener of theirs, and returns the others. */
function withoutDuplicates(method: string, pool: readonly Entry[], found: Found): Entry[] {
  const distinct: Entry[] = [];
  const byKey = new Map<string, Entry[]>();
  for (const entry of pool) {
    const key = conditionsKey(entry.route.match.conditions);
    const equals = listIn(byKey, key);
    const original = equals.find((other) => shareListener(other.route, entry.route));
    // With other methods or hosts besides, one of the two takes more than the other.
    if (original) add(sameRequests(original, entry) ? 'duplicate' : 'ambiguous', method, original, entry, found);
    else {
      equals.push(entry);
      distinct.push(entry);
    }
  }
  return distinct;
}

const sameRequests = ({ route: a }: Entry, { route: b }: Entry): boolean =>
  sameItems(a.match.methods, b.match.methods) &&
  sameItems(a.match.hosts, b.match.hosts) &&
  sameItems(a.listeners, b.listeners);

function sameItems<T>(own: readonly T[], others: readonly T[]): boolean {
  const known = new Set(others);
  return own.length === known.size && own.every((item) => known.has(item));
}

function judgePairs(
  method: string,
  entries: readonly Entry[],
  found: Found,
  relevant: (a: Entry, b: Entry) => boolean,
): void {
  const buckets = bucketsByValue(entries, (entry) => entry.route.match.conditions) ?? [entries];
  for (const bucket of buckets) {
    for (let later = 1; later < bucket.length; later++) {
      for (let earlier = 0; earlier < later; earlier++) {
        const a = bucket[earlier]!;
        const b = bucket[later]!;
        if (relevant(a, b) && add('ambiguous', method, a, b, found)) break;
      }
    }
  }
}

/** Adds the conflict if one request can meet both; true when the pair needs no more looking at. */
function add(kind: Conflict['kind'], method: string, a: Entry, b: Entry, found: Found): boolean {
  const [other, entry] = standsBefore(a.route, b.route) ? [a, b] : [b, a];
  if (found.has(entry.route)) return true;
  if (!shareListener(other.route, entry.route)) return false;
  const met = meetBoth(other.route.match.conditions, entry.route.match.conditions);
  if (met === undefined) return false;
  const shownMethod = method === ANY_METHOD ? 'GET' : method;
  const request = commonRequest(shownMethod, other, entry, met);
  found.set(entry.route, { kind, route: entry.route, other: other.route, request });
  return true;
}

function standsBefore(a: RouteModel, b: RouteModel): boolean {
  const [x, y] = [a.match.span, b.match.span];
  return x.file === y.file ? x.start.offset <= y.start.offset : x.file < y.file;
}

function commonRequest(
  method: string,
  a: Entry,
  b: Entry,
  met: readonly (readonly [ConditionModel, Example])[],
): string {
  const text = (index: number): string => {
    const segment = a.route.match.segments[index]!;
    if (segment.kind === 'literal') return segment.text;
    const partner = b.route.match.segments[index];
    if (segment.kind !== 'typed' || partner?.kind !== 'typed') return EXAMPLES[segment.kind];
    return commonExample(segment.dfa, partner.dfa, 1) ?? '';
  };
  return requestText(
    method,
    b.route.match,
    { host: b.host, listener: listenerOfBoth(a, b) },
    (_, index) => text(index),
    met,
  );
}

/** One that serves both; undefined where every listener does. */
function listenerOfBoth(a: Entry, b: Entry): string | undefined {
  if (a.route.listeners.length + b.route.listeners.length === 0) return undefined;
  return a.listeners.find((listener) => b.listeners.includes(listener))?.name;
}

const EXAMPLES = { typed: '', param: 'x', tail: 'x/y' } as const;

const overlaps = new WeakMap<Dfa, WeakMap<Dfa, boolean>>();

/** True when some text is accepted at each typed segment by both. Answers are kept: few automata, many routes. */
function overlap(a: readonly Dfa[], b: readonly Dfa[]): boolean {
  return a.every((dfa, index) => {
    const other = b[index]!;
    if (dfa.source === other.source) return true;
    let answers = overlaps.get(dfa);
    if (!answers) {
      answers = new WeakMap();
      overlaps.set(dfa, answers);
    }
    let answer = answers.get(other);
    if (answer === undefined) {
      answer = commonExample(dfa, other, 1) !== undefined;
      answers.set(other, answer);
    }
    return answer;
  });
}
