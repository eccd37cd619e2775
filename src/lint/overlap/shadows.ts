/** Routes that can never match, because routes with higher precedence take all their requests. */
import { normalizeLiteral } from '../../bundle/normalize.js';
import type { Dfa } from '../../bundle/types.js';
import { acceptsText, includes } from '../../schema/regex/dfa.js';
import type { ConditionModel, RouteModel, SegmentModel } from '../../spec/model.js';
import { holdsAll, listIn } from '../model-index.js';
import { covered } from './conditions.js';
import type { Entry } from './entries.js';
import { languageOf } from './languages.js';

export interface Shadow {
  readonly route: RouteModel;
  /** The routes that together take its requests. */
  readonly by: readonly RouteModel[];
  /** False: a method that is neither in RFC 9110 nor PATCH still reaches it. */
  readonly everyMethod: boolean;
}

/** A route without methods is useless if it loses all of these; CONNECT is not routed and TRACE is refused. */
const COMMON_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** Bounds of the proof for one route; beyond them the route counts as not shadowed. */
const MOST_COVERS = 64;
const MOST_STEPS = 512;
const MOST_EXPANSIONS = 32;

/** A route that matches at least the paths of another. `above`: its path alone has precedence. */
interface Cover {
  readonly entry: Entry;
  readonly above: boolean;
}

/** By entry, because a route may be shadowed under only one of its hosts. */
type Shadows = Map<Entry, Shadow>;

export function shadowsIn(groups: ReadonlyMap<string, readonly Entry[]>): Shadow[] {
  const shadows: Shadows = new Map();
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const pools = new Map<string, Entry[]>();
    for (const entry of group) listIn(pools, entry.typedKey).push(entry);
    for (const pool of pools.values()) shadowsInPool(pool, shadows);
  }
  for (const entries of hostsToCompare(groups)) shadowsAcrossPaths(entries, shadows);
  return ofWholeRoutes(shadows);
}

/** A route is shadowed if it is shadowed under each of its hosts. */
function ofWholeRoutes(shadows: Shadows): Shadow[] {
  const byRoute = new Map<RouteModel, Shadow[]>();
  for (const shadow of shadows.values()) listIn(byRoute, shadow.route).push(shadow);
  return [...byRoute].flatMap(([route, parts]) => {
    if (parts.length < route.match.hosts.length) return [];
    const by = new Set(parts.flatMap((part) => part.by));
    return { route, by: inOrder(by), everyMethod: parts.every((part) => part.everyMethod) };
  });
}

/** Whether every listener of `entry` also serves the other. */
const servesAll = ({ route: { listeners } }: Entry, entry: Entry): boolean =>
  listeners.length === 0 || holdsAll(listeners, entry.listeners);

/** Routes with the same path: only method and conditions decide. */
function shadowsInPool(pool: readonly Entry[], shadows: Shadows): void {
  if (pool.length < 2) return;
  const byMethod = new Map<string, Entry[]>();
  for (const entry of pool) {
    for (const method of methodsOf(entry)) listIn(byMethod, method).push(entry);
  }
  const ranks = new Set(pool.map((entry) => `${entry.headers},${entry.queries}`));
  for (const entry of pool) {
    // Without different methods or numbers of conditions, no entry has precedence.
    if (ranks.size === 1 && (entry.route.match.methods.length > 0 || byMethod.size === 1)) continue;
    const covers: Cover[] = [];
    for (const method of relevantMethods(entry)) {
      const others = byMethod.get(method) ?? [];
      for (const other of others.slice(0, MOST_COVERS - covers.length)) covers.push({ entry: other, above: false });
    }
    judge(entry, [covers], shadows);
  }
}

const ANY_METHOD = '*';
const methodsOf = ({ route }: Entry): readonly string[] =>
  route.match.methods.length === 0 ? [ANY_METHOD] : route.match.methods;
const relevantMethods = ({ route }: Entry): readonly string[] =>
  route.match.methods.length === 0 ? [ANY_METHOD, ...COMMON_METHODS] : route.match.methods;

/** `ways`: for each part of the entry's paths, the routes that cover it. The entry is shadowed if all parts are. */
function judge(entry: Entry, ways: readonly (readonly Cover[])[], shadows: Shadows): void {
  if (shadows.has(entry)) return;
  const by = new Set<RouteModel>();
  const takes = (method: string): boolean =>
    ways.every((covers) => {
      const first = covers.filter(
        (cover) => cover.entry !== entry && servesAll(cover.entry, entry) && comesFirst(cover, entry, method),
      );
      if (!covered(entry.route.match.conditions, first.map(conditionsOf))) return false;
      for (const cover of first) by.add(cover.entry.route);
      return true;
    });
  const { methods } = entry.route.match;
  const everyMethod = methods.length > 0 ? methods.every(takes) : takes(ANY_METHOD);
  if (everyMethod || (methods.length === 0 && COMMON_METHODS.every(takes))) {
    shadows.set(entry, { route: entry.route, by: inOrder(by), everyMethod });
  }
}

/** In spec order, so that the message does not depend on the course of the proof. */
const inOrder = (routes: Iterable<RouteModel>): RouteModel[] =>
  [...routes].sort(({ match: { span: a } }, { match: { span: b } }) =>
    a.file === b.file ? a.start.offset - b.start.offset : a.file < b.file ? -1 : 1,
  );

const conditionsOf = ({ entry }: Cover): readonly ConditionModel[] => entry.route.match.conditions;

/** Whether `cover` takes the method and has precedence over `entry`. */
function comesFirst(cover: Cover, entry: Entry, method: string): boolean {
  const rank = methodRank(cover.entry, method);
  if (rank === undefined) return false;
  if (cover.above) return true;
  const own = methodRank(entry, method) ?? 0;
  if (rank !== own) return rank > own;
  const more = cover.entry.headers - entry.headers || cover.entry.queries - entry.queries;
  return more > 0;
}

/** 2: method named, 1: HEAD answered by GET, 0: any method; undefined: method not taken. */
function methodRank({ route: { match } }: Entry, method: string): number | undefined {
  if (match.methods.length === 0) return 0;
  if (match.methods.includes(method)) return 2;
  return method === 'HEAD' && match.methods.includes('GET') ? 1 : undefined;
}

// ---- paths that contain all paths of another route: patterns that are a list of words, or that match anything

/** Entries by host, for hosts with a typed parameter that is a short list of words or matches anything. */
function hostsToCompare(groups: ReadonlyMap<string, readonly Entry[]>): Iterable<readonly Entry[]> {
  const chosen = new Set<string>();
  for (const group of groups.values()) {
    for (const { typed, host } of group) {
      if (typed.some((dfa) => languageOf(dfa).words !== undefined || languageOf(dfa).everything)) {
        chosen.add(host);
      }
    }
  }
  if (chosen.size === 0) return [];
  const hosts = new Map<string, Entry[]>();
  for (const group of groups.values()) {
    for (const entry of group) {
      if (chosen.has(entry.host)) listIn(hosts, entry.host).push(entry);
    }
  }
  return hosts.values();
}

class Node {
  readonly literals = new Map<string, Node>();
  readonly typed = new Map<string, { readonly dfa: Dfa; readonly node: Node }>();
  param: Node | undefined;
  readonly tails: Entry[] = [];
  readonly ends: Entry[] = [];
}

/** One segment of the route under test. `rank` as in precedence: literal 3, typed 2, parameter 1, tail 0. */
interface Piece {
  readonly rank: number;
  /** A single text: as in normalised paths, and decoded, as patterns see it. */
  readonly literal?: string;
  readonly word?: string;
  readonly dfa?: Dfa;
}

function shadowsAcrossPaths(entries: readonly Entry[], shadows: Shadows): void {
  const root = new Node();
  for (const entry of entries) plant(root, entry);
  const anything = entries.some(({ typed }) => typed.some((dfa) => languageOf(dfa).everything));
  for (const entry of entries) {
    const worthIt =
      entry.typed.some((dfa) => languageOf(dfa).words !== undefined) ||
      (anything && entry.route.match.segments.some(({ kind }) => kind === 'param'));
    const ways = worthIt ? waysOf(root, entry) : undefined;
    if (ways) judge(entry, ways, shadows);
  }
}

/** The routes that cover each part of the entry's paths; undefined if only the entry itself covers a part. */
function waysOf(root: Node, entry: Entry): (readonly Cover[])[] | undefined {
  const ways: (readonly Cover[])[] = [];
  for (const pieces of expand(entry) ?? []) {
    const covers = coversOf(root, pieces);
    if (covers.every((cover) => cover.entry === entry)) return undefined;
    ways.push(covers);
  }
  return ways.length === 0 ? undefined : ways;
}

function plant(root: Node, entry: Entry): void {
  let node = root;
  for (const segment of entry.route.match.segments) {
    if (segment.kind === 'tail') {
      node.tails.push(entry);
      return;
    }
    node = childFor(node, segment);
  }
  node.ends.push(entry);
}

function childFor(node: Node, segment: Exclude<SegmentModel, { kind: 'tail' }>): Node {
  if (segment.kind === 'param') {
    node.param ??= new Node();
    return node.param;
  }
  if (segment.kind === 'typed') {
    const known = node.typed.get(segment.dfa.source);
    if (known) return known.node;
    const fresh = new Node();
    node.typed.set(segment.dfa.source, { dfa: segment.dfa, node: fresh });
    return fresh;
  }
  const text = segment.text;
  const known = node.literals.get(text);
  if (known) return known;
  const fresh = new Node();
  node.literals.set(text, fresh);
  return fresh;
}

/** Splits the route's paths into parts, one per word of typed segments with few words. Undefined: too many parts. */
function expand(entry: Entry): Piece[][] | undefined {
  let parts: Piece[][] = [[]];
  for (const segment of entry.route.match.segments) {
    const pieces = piecesOf(segment);
    parts = parts.flatMap((part) => pieces.map((piece) => [...part, piece]));
    if (parts.length > MOST_EXPANSIONS) return undefined;
  }
  return parts.length === 0 ? undefined : parts;
}

function piecesOf(segment: SegmentModel): Piece[] {
  switch (segment.kind) {
    case 'literal':
      return [{ rank: 3, literal: segment.text, word: decoded(segment.text) }];
    case 'typed':
      return (
        languageOf(segment.dfa).words?.map((word) => ({ rank: 2, word, literal: normalizeLiteral(word) })) ?? [
          { rank: 2, dfa: segment.dfa },
        ]
      );
    case 'param':
      return [{ rank: 1 }];
    case 'tail':
      return [{ rank: 0 }];
  }
}

/** All routes whose paths contain every path of `pieces`, unless their path has lower precedence. */
function coversOf(root: Node, pieces: readonly Piece[]): Cover[] {
  const covers: Cover[] = [];
  let steps = 0;
  const visit = (node: Node, index: number, above: boolean): void => {
    if (++steps > MOST_STEPS) return;
    const piece = pieces[index];
    const add = (entries: readonly Entry[]): void => {
      for (const entry of entries) if (covers.length < MOST_COVERS) covers.push({ entry, above });
    };
    if (piece === undefined) add(node.ends);
    else if (above || piece.rank === 0) add(node.tails);
    if (piece === undefined || piece.rank === 0) return;
    const go = (rank: number, next: Node | undefined): void => {
      if (next && (above || rank >= piece.rank)) visit(next, index + 1, above || rank > piece.rank);
    };
    if (piece.literal !== undefined) go(3, node.literals.get(piece.literal));
    for (const { dfa, node: next } of node.typed.values()) {
      if (++steps > MOST_STEPS) return;
      if (takesPiece(dfa, piece)) go(2, next);
    }
    if (piece.word !== '') go(1, node.param);
  };
  visit(root, 0, false);
  return covers;
}

function decoded(literal: string): string {
  try {
    return decodeURIComponent(literal);
  } catch {
    // Escapes that are not UTF-8 are bytes that no pattern matches.
    return literal;
  }
}

function takesPiece(dfa: Dfa, piece: Piece): boolean {
  if (piece.word !== undefined) return piece.word !== '' && acceptsText(dfa, piece.word);
  if (piece.dfa === undefined) return languageOf(dfa).everything;
  return dfa.source === piece.dfa.source || includes(dfa, piece.dfa);
}
