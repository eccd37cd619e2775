/** The result of a match with its reasons, from the walk of the matcher. */

import * as layout from '../trie/layout.js';
import { type Place, patternText, type Step, type StepKind, type TrieMap } from '../trie/map.js';
import type { RequestView } from '../types.js';
import { shownText } from '../wire-text.js';
import type { Automaton } from './automaton.js';
import type { Condition } from './conditions.js';

/** Receives the steps of a walk; a normal match has no observer. */
export interface WalkObserver {
  /** `failed` is undefined if the candidate matches; the walk continues in any case. */
  candidate(list: number, at: number, failed: 'method' | Condition | undefined): void;
  /** A candidate on other listeners: shown by explain, but never revealed to the client. */
  hidden?(list: number, at: number): void;
  typedRefused(node: number, child: number, automaton: Automaton, start: number, end: number): void;
  /** Nothing at `node` matches the segment, or (`start` after the path) no route ends here. */
  deadEnd(node: number, start: number, end: number): void;
  /** All candidates of one host pattern were shown; those of a less specific one follow. */
  hostDone?(): void;
}

/** One step of precedence. `only`: there was no other candidate; `none`: no route matched. */
export type DecidedBy = 'none' | 'only' | 'host' | 'path' | 'method' | 'headers' | 'query' | 'order';

export interface TraceSegment {
  readonly kind: StepKind;
  /** `orders`, `{id:int}`; without the spec `{:[0-9]+}`, `{}`, `{...}`. */
  readonly pattern: string;
  /** The text in the request. */
  readonly text: string;
}

export interface NearMiss {
  /** Index of the route, or of the first of several; -1: none. */
  readonly route: number;
  /** The part of the pattern that the request matched. */
  readonly pattern: string;
  /** Host pattern of the route; absent: any. */
  readonly host?: string;
  readonly reason: 'precedence' | 'listener' | 'method' | 'scheme' | 'header' | 'query' | 'type' | 'segment';
  /** A sentence without a full stop. */
  readonly message: string;
}

export interface MatchTrace {
  /** The result of match(). */
  readonly route: number;
  /** Host pattern of the winner; absent: any host. */
  readonly host?: string;
  readonly segments: readonly TraceSegment[];
  readonly decidedBy: DecidedBy;
  readonly why: string;
  /** Best first, at most MAX_NEAR_MISSES. */
  readonly nearMisses: readonly NearMiss[];
}

export const MAX_NEAR_MISSES = 20;
/** Kept while walking, so that the deepest dead ends can be chosen at the end. */
const MAX_NOTES = 500;

const KIND_NAMES = { literal: 'a literal', typed: 'a typed parameter', param: 'a parameter', tail: 'a tail' } as const;

interface Seen {
  readonly list: number;
  readonly at: number;
}

export class Tracer implements WalkObserver {
  readonly #also: Seen[] = [];
  readonly #refused: NearMiss[] = [];
  readonly #deadEnds: { depth: number; miss: NearMiss }[] = [];
  #winnerList = 0;

  constructor(
    private readonly map: TrieMap,
    private readonly view: RequestView,
    private readonly winner: number,
  ) {}

  candidate(list: number, at: number, failed: 'method' | Condition | undefined): void {
    if (at === this.winner) {
      this.#winnerList = list;
      return;
    }
    // The winner does not compete with its own other hosts and methods.
    const own = this.winner !== 0 && this.map.trie.nodes[at + 1] === this.map.trie.nodes[this.winner + 1];
    if (failed === undefined) {
      if (!own && this.#also.length < MAX_NOTES) this.#also.push({ list, at });
      return;
    }
    if (this.#refused.length >= MAX_NOTES) return;
    const route = this.map.trie.nodes[at + 1]!;
    const place = this.map.placeOfList(list, route);
    if (failed === 'method') {
      if (own) return;
      const takes = this.map.methodsOf(list, route).join(' or ');
      this.#refused.push(miss(route, place, 'method', `it matches ${takes}, not ${this.view.method}`));
    } else {
      const why = `its condition fails: ${failed.describe()}${foundBy(failed, this.view)}`;
      this.#refused.push(miss(route, place, failed.on, why));
    }
  }

  hidden(list: number, at: number): void {
    if (this.#refused.length >= MAX_NOTES) return;
    const route = this.map.trie.nodes[at + 1]!;
    const names = this.map.listenersOf(at).map((name) => `\`${name}\``);
    const place = this.map.placeOfList(list, route);
    this.#refused.push(
      miss(route, place, 'listener', `it is served on ${names.join(', ')}, not on \`${this.view.listener}\``),
    );
  }

  typedRefused(_node: number, child: number, automaton: Automaton, start: number, end: number): void {
    if (this.#refused.length >= MAX_NOTES) return;
    const text = this.view.path.slice(start, end);
    const place = this.map.place(child);
    const type = place.steps.at(-1)?.pattern ?? automaton.source;
    this.#refused.push(miss(this.map.firstRoute(child), place, 'type', `\`${text}\` does not match \`${type}\``));
  }

  deadEnd(node: number, start: number, end: number): void {
    if (this.#deadEnds.length >= MAX_NOTES) return;
    const place = this.map.place(node);
    const text = this.view.path.slice(start, end);
    const below = place.steps.length === 0 ? 'no route' : `no route below \`${patternText(place.steps)}\``;
    let message = `${below} takes the segment \`${text}\``;
    if (start > this.view.path.length) message = 'the path ends here, but the routes continue';
    else if (text === '') message = `${below} ends with a slash`;
    const miss_ = miss(this.map.firstRoute(node), place, 'segment', message);
    this.#deadEnds.push({ depth: place.steps.length, miss: miss_ });
  }

  finish(route: number): MatchTrace {
    const winner = this.winner === 0 ? undefined : this.map.placeOfList(this.#winnerList, route);
    const beaten = winner === undefined ? [] : this.#also.map((other) => this.#beaten(winner, other));
    this.#deadEnds.sort((a, b) => b.depth - a.depth);
    const misses = [...beaten.map(({ near }) => near), ...this.#refused, ...this.#deadEnds.map((end) => end.miss)];
    const runnerUp = beaten[0];
    const decidedBy = winner === undefined ? 'none' : (runnerUp?.by ?? 'only');
    let why = runnerUp?.why ?? 'no other route matches this request';
    if (winner === undefined)
      why = route === -2 ? 'routes match this path, but not this method' : 'no route matches this request';
    return {
      route,
      ...(winner?.host === undefined ? {} : { host: winner.host }),
      segments: winner === undefined ? [] : traceSegments(winner.steps, this.view.path),
      decidedBy,
      why,
      nearMisses: distinct(misses).slice(0, MAX_NEAR_MISSES),
    };
  }

  /** The step of precedence that puts the winner before another matching candidate. */
  #beaten(winner: Place, other: Seen): { by: DecidedBy; why: string; near: NearMiss } {
    const route = this.map.trie.nodes[other.at + 1]!;
    const place = this.map.placeOfList(other.list, route);
    const [by, why] = this.#step(winner, place, other);
    return { by, why, near: miss(route, place, 'precedence', `it also matches the request, but ${why}`) };
  }

  #step(winner: Place, place: Place, other: Seen): [DecidedBy, string] {
    if (winner.root !== place.root) {
      return ['host', `host \`${winner.host ?? 'any'}\` is more specific than \`${place.host ?? 'any'}\``];
    }
    const length = Math.max(winner.steps.length, place.steps.length);
    for (let i = 0; i < length; i++) {
      const mine = winner.steps[i]?.kind;
      const theirs = place.steps[i]?.kind;
      if (mine === theirs) continue;
      if (mine === undefined || theirs === undefined) return ['path', 'a path without a tail comes before a tail'];
      return ['path', `at segment ${i + 1} ${KIND_NAMES[mine]} comes before ${KIND_NAMES[theirs]}`];
    }
    const words = this.map.trie.nodes;
    const mine = words[this.winner]!;
    const theirs = words[other.at]!;
    if (mine !== theirs) {
      const byGet = this.view.method === 'HEAD' && !this.#namesHead(this.#winnerList, this.winner);
      return ['method', `${byGet ? 'GET, which also answers HEAD,' : 'a named method'} comes before any method`];
    }
    const named = this.view.method === 'HEAD' && this.#namesHead(this.#winnerList, this.winner);
    if (named && !this.#namesHead(other.list, other.at))
      return ['method', 'HEAD comes before GET, which also answers HEAD'];
    const [headers, queries] = this.#conditionCounts(this.winner);
    const [otherHeaders, otherQueries] = this.#conditionCounts(other.at);
    if (headers !== otherHeaders) {
      const onScheme = [this.winner, other.at].some((candidate) => this.#hasScheme(candidate));
      return ['headers', `${headers} header ${onScheme ? 'and scheme ' : ''}conditions come before ${otherHeaders}`];
    }
    if (queries !== otherQueries) return ['query', `${queries} query conditions come before ${otherQueries}`];
    return ['order', 'both are equally specific, and this route comes first'];
  }

  #namesHead(list: number, candidate: number): boolean {
    return this.map.namesHead(list, this.map.trie.nodes[candidate + 1]!);
  }

  /** Conditions on header fields and the scheme, and on the query. */
  #conditionCounts(candidate: number): [headers: number, queries: number] {
    const subjects = this.#subjects(candidate);
    const queries = subjects.filter((on) => on === 'query').length;
    return [subjects.length - queries, queries];
  }

  #hasScheme(candidate: number): boolean {
    return this.#subjects(candidate).includes('scheme');
  }

  /** What each condition of a candidate is on. */
  #subjects(candidate: number): readonly Condition['on'][] {
    const { lists, conditions, nodes } = this.map.trie;
    const list = nodes[candidate + 2]!;
    if (list === 0) return [];
    const indices = lists.subarray(list + 1, list + 1 + lists[list]!);
    return Array.from(indices, (index) => layout.ON[conditions[index * layout.CONDITION_WORDS]!]!);
  }
}

/** The value in the request for which a condition fails; '' if absent. */
function foundBy({ on, name }: Condition, view: RequestView): string {
  if (on === 'scheme') return ` (the request has ${JSON.stringify(view.scheme)})`;
  if (on === 'header') {
    const has = view.header(name);
    return has === undefined ? '' : ` (the request has ${JSON.stringify(shownText(has))})`;
  }
  const values = new URLSearchParams(view.query).getAll(name);
  if (values.length === 0) return '';
  const more = values.length > 1 ? `, the first of ${values.length} values` : '';
  return ` (the request has ${JSON.stringify(values[0])}${more})`;
}

function miss(route: number, place: Place, reason: NearMiss['reason'], message: string): NearMiss {
  const host = place.host === undefined ? {} : { host: place.host };
  return { route, pattern: patternText(place.steps), ...host, reason, message };
}

function traceSegments(steps: readonly Step[], path: string): TraceSegment[] {
  const texts = path.slice(1).split('/');
  return steps.map(({ kind, pattern }, i) => ({
    kind,
    pattern,
    text: kind === 'tail' ? texts.slice(i).join('/') : (texts[i] ?? ''),
  }));
}

/** Each route and reason once. A route refused with its own method is not listed again for others. */
function distinct(misses: readonly NearMiss[]): NearMiss[] {
  const place = (near: NearMiss): string => `${near.route} ${near.host ?? ''}${near.pattern}`;
  const tried = new Set(misses.filter(({ reason }) => reason !== 'method' && reason !== 'segment').map(place));
  const seen = new Set<string>();
  return misses.filter((near) => {
    if (near.reason === 'method' && tried.has(place(near))) return false;
    const key = `${place(near)} ${near.reason} ${near.reason === 'method' ? '' : near.message}`;
    return seen.size < seen.add(key).size;
  });
}
