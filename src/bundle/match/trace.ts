/** What a match decided and why, from the matcher's own walk. */

import * as layout from '../trie/layout.js';
import { type Place, patternText, type Step, type StepKind, type TrieMap } from '../trie/map.js';
import type { RequestView } from '../types.js';
import { shownText } from '../wire-text.js';
import type { Automaton } from './automaton.js';
import type { Condition } from './conditions.js';

/** What a walk reports to somebody who asked; a match in earnest has none. */
export interface WalkObserver {
  /** `failed` is undefined where the candidate takes the request; the walk goes on either way. */
  candidate(list: number, at: number, failed: 'method' | Condition | undefined): void;
  /** A candidate that is bound to other listeners: the request must not learn of it, only people who explain. */
  hidden?(list: number, at: number): void;
  typedRefused(node: number, child: number, automaton: Automaton, start: number, end: number): void;
  /** Nothing at `node` takes the segment, or (`start` behind the path) the path ends where no route does. */
  deadEnd(node: number, start: number, end: number): void;
  /** All candidates of one host pattern have been shown; those of a less specific one follow. */
  hostDone?(): void;
}

/** One step of precedence. `only`: nothing else came into question; `none`: no route won. */
export type DecidedBy = 'none' | 'only' | 'host' | 'path' | 'method' | 'headers' | 'query' | 'order';

export interface TraceSegment {
  readonly kind: StepKind;
  /** `orders`, `{id:int}`; without the spec's words `{:[0-9]+}`, `{}`, `{...}`. */
  readonly pattern: string;
  /** What the request has there. */
  readonly text: string;
}

export interface NearMiss {
  /** Index of the route, or of the first of several that it stands for; -1: of none. */
  readonly route: number;
  /** Pattern as far as the request followed it. */
  readonly pattern: string;
  /** Host pattern of the route; absent: any. */
  readonly host?: string;
  readonly reason: 'precedence' | 'listener' | 'method' | 'header' | 'query' | 'type' | 'segment';
  /** A sentence without a full stop. */
  readonly message: string;
}

export interface MatchTrace {
  /** As match() returned it. */
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
    // Under another of its hosts or methods the winner is not a rival.
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
      this.#refused.push(miss(route, place, 'method', `it takes ${takes}, not ${this.view.method}`));
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
    this.#refused.push(miss(this.map.firstRoute(child), place, 'type', `\`${text}\` is no \`${type}\``));
  }

  deadEnd(node: number, start: number, end: number): void {
    if (this.#deadEnds.length >= MAX_NOTES) return;
    const place = this.map.place(node);
    const text = this.view.path.slice(start, end);
    const below = place.steps.length === 0 ? 'no route' : `no route below \`${patternText(place.steps)}\``;
    let message = `${below} takes the segment \`${text}\``;
    if (start > this.view.path.length) message = 'the path ends here, and its routes go on';
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
    let why = runnerUp?.why ?? 'no other route takes this request';
    if (winner === undefined)
      why = route === -2 ? 'routes take this path, but not this method' : 'no route takes this request';
    return {
      route,
      ...(winner?.host === undefined ? {} : { host: winner.host }),
      segments: winner === undefined ? [] : traceSegments(winner.steps, this.view.path),
      decidedBy,
      why,
      nearMisses: distinct(misses).slice(0, MAX_NEAR_MISSES),
    };
  }

  /** Which step of precedence puts the winner before another candidate that takes the request as well. */
  #beaten(winner: Place, other: Seen): { by: DecidedBy; why: string; near: NearMiss } {
    const route = this.map.trie.nodes[other.at + 1]!;
    const place = this.map.placeOfList(other.list, route);
    const [by, why] = this.#step(winner, place, other);
    return { by, why, near: miss(route, place, 'precedence', `it takes the request too, but ${why}`) };
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
      if (mine === undefined || theirs === undefined) return ['path', 'a path that ends comes before a tail'];
      return ['path', `at segment ${i + 1} ${KIND_NAMES[mine]} comes before ${KIND_NAMES[theirs]}`];
    }
    const words = this.map.trie.nodes;
    const mine = words[this.winner]!;
    const theirs = words[other.at]!;
    if (mine !== theirs) {
      const byGet = this.view.method === 'HEAD' && !this.#namesHead(this.#winnerList, this.winner);
      return ['method', `${byGet ? 'GET, which answers HEAD as well,' : 'a named method'} comes before any method`];
    }
    const named = this.view.method === 'HEAD' && this.#namesHead(this.#winnerList, this.winner);
    if (named && !this.#namesHead(other.list, other.at))
      return ['method', 'HEAD itself comes before GET, which answers HEAD as well'];
    const [headers, queries] = this.#conditionCounts(this.winner);
    const [otherHeaders, otherQueries] = this.#conditionCounts(other.at);
    if (headers !== otherHeaders) return ['headers', `${headers} header conditions come before ${otherHeaders}`];
    if (queries !== otherQueries) return ['query', `${queries} query conditions come before ${otherQueries}`];
    return ['order', 'both are equally specific, and the other stands behind it'];
  }

  #namesHead(list: number, candidate: number): boolean {
    return this.map.namesHead(list, this.map.trie.nodes[candidate + 1]!);
  }

  #conditionCounts(candidate: number): [headers: number, queries: number] {
    const { lists, conditions, nodes } = this.map.trie;
    const list = nodes[candidate + 2]!;
    if (list === 0) return [0, 0];
    let headers = 0;
    for (let i = list + 1; i <= list + lists[list]!; i++) {
      if (conditions[lists[i]! * layout.CONDITION_WORDS] === 0) headers++;
    }
    return [headers, lists[list]! - headers];
  }
}

/** What the request has where a condition fails; '' where it has nothing. */
function foundBy({ on, name }: Condition, view: RequestView): string {
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

/** Once a route and reason. A route that was refused with its own method is not refused for its others as well. */
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
