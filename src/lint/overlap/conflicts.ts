/** Routes that match the same request with equal precedence: duplicates if they always do, ambiguous otherwise. */
import type { Dfa } from '../../bundle/types.js';
import { commonExample } from '../../schema/regex/dfa.js';
import type { ConditionModel, ListenerModel, MatchModel, RouteModel, SegmentModel } from '../../spec/model.js';
import { listIn, shareListener } from '../model-index.js';
import { bucketsByValue, conditionsKey, type Example, meetBoth } from './conditions.js';
import type { Entry } from './entries.js';
import { textsOf } from './languages.js';

export interface Conflict {
  readonly kind: 'duplicate' | 'ambiguous';
  /** The later route in the spec, where the conflict is reported, and the earlier one. */
  readonly route: RouteModel;
  readonly other: RouteModel;
  /** A request that both match, as text. */
  readonly request: string;
}

const ANY_METHOD = '*';

/** At most one conflict per route, with the earliest other route found. */
export function conflictsIn(groups: Iterable<readonly Entry[]>): Conflict[] {
  const found = new Map<RouteModel, Conflict>();
  for (const group of groups) {
    if (group.length < 2) continue;
    for (const [method, cell] of cellsOf(group)) if (cell.length > 1) judgeCell(method, cell, found);
  }
  return [...found.values()];
}

/** Entries of a group by method and number of conditions; all entries of a cell have equal precedence. */
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
  const earlier = new EarlierPools();
  for (const pool of distinct) {
    judgePairs(method, pool, found, () => true);
    for (const before of earlier.meeting(pool)) {
      if (!overlap(before[0]!.typed, pool[0]!.typed)) continue;
      judgePairs(method, [...before, ...pool], found, (a, b) => a.typedKey !== b.typedKey);
    }
  }
}

/** Pools indexed by the texts of their first typed segment, if few: pools without a common text share no path. */
class EarlierPools {
  readonly #all: (readonly Entry[])[] = [];
  readonly #open: number[] = [];
  readonly #byText = new Map<string, number[]>();

  /** Returns the earlier pools that may share a path with this pool, in order, and adds the pool. */
  meeting(pool: readonly Entry[]): readonly (readonly Entry[])[] {
    const [first] = pool[0]!.typed;
    const texts = first && textsOf(first);
    const number = this.#all.push(pool) - 1;
    if (texts === undefined) {
      this.#open.push(number);
      return this.#all.slice(0, number);
    }
    const earlier = new Set(this.#open);
    for (const text of texts) {
      const same = listIn(this.#byText, text);
      for (const other of same) earlier.add(other);
      same.push(number);
    }
    return [...earlier].sort((a, b) => a - b).map((other) => this.#all[other]!);
  }
}

/** Reports the entries of a pool that equal an earlier one on a common listener, and returns the others. */
function withoutDuplicates(method: string, pool: readonly Entry[], found: Found): Entry[] {
  const distinct: Entry[] = [];
  const byKey = new Map<string, Originals>();
  for (const entry of pool) {
    const key = conditionsKey(entry.route.match.conditions);
    const originals = byKey.get(key) ?? new Originals();
    byKey.set(key, originals);
    const original = originals.meeting(entry);
    // With additional methods or hosts, one of the two matches more than the other.
    if (original)
      add(() => (sameRequests(original, entry) ? 'duplicate' : 'ambiguous'), method, original, entry, found);
    else {
      originals.add(entry);
      distinct.push(entry);
    }
  }
  return distinct;
}

/** Entries that differ only in their listeners; no two share a listener. */
class Originals {
  readonly #entries: Entry[] = [];
  /** Index of the entry of each listener. */
  readonly #byListener = new Map<ListenerModel, number>();

  add(entry: Entry): void {
    for (const listener of entry.route.listeners) this.#byListener.set(listener, this.#entries.length);
    this.#entries.push(entry);
  }

  /** The first entry that shares a listener with `entry`. */
  meeting({ route: { listeners } }: Entry): Entry | undefined {
    const [first] = this.#entries;
    // A route on every listener meets all others.
    if (listeners.length === 0 || first?.route.listeners.length === 0) return first;
    let place = this.#entries.length;
    for (const listener of listeners) place = Math.min(place, this.#byListener.get(listener) ?? place);
    return this.#entries[place];
  }
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
  for (const bucket of partsOf(entries, new Set())) {
    for (let later = 1; later < bucket.length; later++) {
      for (let earlier = 0; earlier < later; earlier++) {
        const a = bucket[earlier]!;
        const b = bucket[later]!;
        if (relevant(a, b) && add(ambiguous, method, a, b, found)) break;
      }
    }
  }
}

/** Up to this many entries are compared pairwise. */
const FEW = 16;
/** Maximum number of names to split by. */
const MOST_NAMES = 4;

/** Splits the entries into parts: two entries that can match the same request are together in at least one part. */
function partsOf(entries: readonly Entry[], tried: ReadonlySet<string>): readonly (readonly Entry[])[] {
  if (tried.size > 0 && entries.length <= FEW) return [entries];
  const parted = tried.size > MOST_NAMES ? undefined : bucketsByValue(entries, conditionsOf, tried);
  if (parted === undefined) return partsByListener(entries);
  const names = new Set([...tried, parted.by]);
  const isWorthIt = tried.size === 0 || sizeOf(parted.buckets) <= 2 * entries.length;
  return isWorthIt ? parted.buckets.flatMap((bucket) => partsOf(bucket, names)) : partsOf(entries, names);
}

function partsByListener(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  if (entries.length <= FEW || entries.some(({ route }) => route.listeners.length === 0)) return [entries];
  const parts = new Map<ListenerModel, Entry[]>();
  for (const entry of entries) for (const listener of entry.route.listeners) listIn(parts, listener).push(entry);
  const found = [...parts.values()];
  return sizeOf(found) <= 2 * entries.length ? found : [entries];
}

const conditionsOf = ({ route }: Entry): readonly ConditionModel[] => route.match.conditions;

const sizeOf = (parts: readonly (readonly Entry[])[]): number => parts.reduce((sum, { length }) => sum + length, 0);

const ambiguous = (): 'ambiguous' => 'ambiguous';

/** Adds the conflict if a request can match both; true if the pair needs no further check. */
function add(kindOf: () => Conflict['kind'], method: string, a: Entry, b: Entry, found: Found): boolean {
  const [other, entry] = isBefore(a.route, b.route) ? [a, b] : [b, a];
  if (found.has(entry.route)) return true;
  if (!shareListener(other.route, entry.route)) return false;
  const met = meetBoth(other.route.match.conditions, entry.route.match.conditions);
  if (met === undefined) return false;
  const shownMethod = method === ANY_METHOD ? 'GET' : method;
  const request = commonRequest(shownMethod, other, entry, met);
  found.set(entry.route, { kind: kindOf(), route: entry.route, other: other.route, request });
  return true;
}

function isBefore(a: RouteModel, b: RouteModel): boolean {
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

/**
 * Shows a request: `GET http://api.example.com/orders/7?v=2` with `x-beta: 1`. `text` gives an example of each segment;
 * `host` is a host of the match, '' for any.
 */
function requestText(
  method: string,
  match: MatchModel,
  { host, listener }: { readonly host: string; readonly listener: string | undefined },
  text: (segment: SegmentModel, index: number) => string,
  conditions: readonly (readonly [ConditionModel, Example])[],
): string {
  const path = `/${match.segments.map(text).map(visible).join('/')}`;
  let scheme: string | undefined;
  const query: string[] = [];
  const headers: string[] = [];
  const missing: string[] = [];
  for (const [{ on, name }, example] of conditions) {
    if ('absent' in example) missing.push(`${on === 'header' ? 'header' : 'query parameter'} \`${name}\``);
    else if (on === 'scheme') scheme = example.value;
    else if (on === 'query') query.push(`${encodeURIComponent(name)}=${encodeURIComponent(example.value)}`);
    else headers.push(`\`${name}: ${example.value}\``);
  }
  // Without a host there is no URL; the words show the scheme.
  const origin = host === '' ? '' : `${scheme ?? 'http'}://${host.replace(/^\*/, 'a')}`;
  const over = host !== '' || scheme === undefined ? '' : ` over ${scheme}`;
  const line = `\`${method} ${origin}${path}${query.length > 0 ? `?${query.join('&')}` : ''}\``;
  const withHeaders = headers.length > 0 ? ` with ${headers.join(' and ')}` : '';
  const without = missing.length > 0 ? ` without ${missing.join(' and ')}` : '';
  return `${line}${over}${withHeaders}${without}${listener === undefined ? '' : ` on listener \`${listener}\``}`;
}

/** Percent-encodes characters that are not printable ASCII: examples of patterns may contain any text. */
const visible = (text: string): string => text.replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char));

/** A listener that serves both; undefined if all listeners do. */
function listenerOfBoth(a: Entry, b: Entry): string | undefined {
  if (a.route.listeners.length + b.route.listeners.length === 0) return undefined;
  return a.listeners.find((listener) => b.listeners.includes(listener))?.name;
}

const EXAMPLES = { typed: '', param: 'x', tail: 'x/y' } as const;

const overlaps = new WeakMap<Dfa, WeakMap<Dfa, boolean>>();

/** Whether both accept a common text at each typed segment. Cached: there are few automata and many routes. */
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
