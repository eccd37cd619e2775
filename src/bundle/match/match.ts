/** Matches requests against the trie. The only implementation, used by proxy, explain and tests. */
import * as layout from '../trie/layout.js';
import { ListenerTable } from '../trie/listeners.js';
import { TrieMap } from '../trie/map.js';
import type { Trie } from '../trie/trie.js';
import type { RequestView } from '../types.js';
import { Automaton } from './automaton.js';
import { Condition } from './conditions.js';
import { HostTable } from './hosts.js';
import { type MatchTrace, Tracer, type WalkObserver } from './trace.js';

export type { MatchTrace, NearMiss, TraceSegment } from './trace.js';

/** No route matches this path. */
export const NO_ROUTE = -1;
/** Routes match this path, but not this method (405). */
export const WRONG_METHOD = -2;

/** Special method ids; ids of known methods are >= 0. */
const UNKNOWN_METHOD = -2;
const EVERY_METHOD = -3;

const SLASH = 0x2f;
/** node, segment start, segment end, parameters so far, next typed child to try. */
const FRAME_WORDS = 5;
/** A frame at this stage has only its tail left. */
const STAGE_TAIL = -1;

/**
 * Matches requests. Not thread-safe: each thread has its own Matcher over the shared trie.
 * Visits each node of the trie at most once per match; no recursion, no allocation.
 */
export class Matcher {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #methods = new Map<string, number>();
  readonly #automata: readonly Automaton[];
  readonly #conditions: readonly Condition[];
  readonly #hosts: HostTable;
  readonly #listeners: ListenerTable;
  readonly #ignoreSlash: boolean;
  /** Whether a node has two typed children; then candidates have a rank. */
  readonly severalTyped: boolean;
  readonly #stack: Int32Array;
  readonly #params: Int32Array;
  readonly #bestParams: Int32Array;
  #paramCount = 0;
  #bestCount = 0;
  #view: RequestView | undefined;
  #path = '';
  #end = 0;
  #method = UNKNOWN_METHOD;
  #sawOtherMethod = false;
  /** The candidate that won the last match; 0: none. */
  #winner = 0;
  #map: TrieMap | undefined;
  #observer: WalkObserver | undefined;
  /** Second results of #literal and #parameter, which must not allocate a pair. */
  #segmentEnd = 0;
  #nextStage = 0;

  constructor(readonly trie: Trie) {
    this.#words = trie.nodes;
    this.#bytes = trie.nodeBytes;
    for (const [id, name] of trie.methods.entries()) this.#methods.set(trie.string(name), id);
    this.#automata = Array.from({ length: trie.dfaCount }, (_, i) => new Automaton(trie, i));
    const length = trie.conditions.length / layout.CONDITION_WORDS;
    this.#conditions = Array.from({ length }, (_, i) => new Condition(trie, i));
    this.#hosts = new HostTable(trie);
    this.#listeners = new ListenerTable(trie);
    const flags = trie.header[layout.H_FLAGS]!;
    this.#ignoreSlash = (flags & layout.FLAG_IGNORE_TRAILING_SLASH) !== 0;
    this.severalTyped = (flags & layout.FLAG_SEVERAL_TYPED) !== 0;
    this.#stack = new Int32Array((trie.depth + 2) * FRAME_WORDS);
    this.#params = new Int32Array((trie.depth + 2) * 2);
    this.#bestParams = new Int32Array(this.#params.length);
  }

  /**
   * The index of the route that takes the request, NO_ROUTE, or WRONG_METHOD. `view.path` must be normal
   * (normalizePath), `view.host` lower case without a port.
   */
  match(view: RequestView): number {
    this.#sawOtherMethod = false;
    const found = this.#run(view, this.#methods.get(view.method) ?? UNKNOWN_METHOD);
    this.#winner = found;
    if (found !== 0) return this.#words[found + 1]!;
    if (!this.#sawOtherMethod) return NO_ROUTE;
    const other = this.#run(view, EVERY_METHOD);
    this.#paramCount = 0;
    return other === 0 ? NO_ROUTE : WRONG_METHOD;
  }

  /** Path parameters of the last match, in path order, a tail last. */
  get paramCount(): number {
    return this.#paramCount;
  }

  /** Offsets into view.path, valid until the next match. */
  paramStart(index: number): number {
    return this.#params[index * 2]!;
  }

  paramEnd(index: number): number {
    return this.#params[index * 2 + 1]!;
  }

  /** The conditions of a candidate shown to an observer. Allocates. */
  conditionsOf(candidate: number): readonly Condition[] {
    const { lists } = this.trie;
    const list = this.#words[candidate + 2]!;
    if (list === 0) return [];
    return Array.from(lists.subarray(list + 1, list + 1 + lists[list]!), (index) => this.#conditions[index]!);
  }

  /** Whether the winner of the last match names the method, rather than matching any. */
  get wonByMethod(): boolean {
    return this.#winner !== 0 && this.#words[this.#winner] !== layout.ANY_METHOD;
  }

  /**
   * The match, the reason for it, and near misses. Allocates; for explain and the dashboard.
   * @param written the match of a route as written in the spec, for display.
   */
  trace(view: RequestView, written?: (route: number) => string | undefined): MatchTrace {
    const route = this.match(view);
    this.#map ??= new TrieMap(this.trie, written);
    const tracer = new Tracer(this.#map, view, this.#winner);
    this.walk(view, view.method, tracer);
    // The full walk has overwritten the parameters.
    this.match(view);
    return tracer.finish(route);
  }

  /** Shows an observer every candidate for the host, path and method of the view; without method, for all methods. Allocates nothing. */
  walk(view: RequestView, method: string | undefined, observer: WalkObserver): void {
    const id = method === undefined ? EVERY_METHOD : (this.#methods.get(method) ?? UNKNOWN_METHOD);
    try {
      this.#observer = observer;
      this.#aim(view, id);
      const roots = this.#hosts.find(view.host);
      for (let i = 0; i < roots; i++) this.#walkHost(this.#hosts.root(i), observer);
      this.#walkHost(this.#hosts.anyRoot, observer);
    } finally {
      this.#observer = undefined;
    }
  }

  #walkHost(root: number, observer: WalkObserver): void {
    if (root !== 0) this.#walk(root);
    observer.hostDone?.();
  }

  #aim(view: RequestView, method: number): void {
    const path = view.path;
    let end = path.length;
    if (this.#ignoreSlash && end > 1 && path.charCodeAt(end - 1) === SLASH) end--;
    this.#view = view;
    this.#path = path;
    this.#end = end;
    this.#method = method;
    this.#paramCount = 0;
  }

  /** Host classes from the best to the worst; the first with a route decides. Returns a candidate, or 0. */
  #run(view: RequestView, method: number): number {
    this.#aim(view, method);
    const { anyRoot } = this.#hosts;
    const roots = this.#hosts.find(view.host);
    for (let i = 0; i < roots; i++) {
      const found = this.#walk(this.#hosts.root(i));
      if (found !== 0) return found;
    }
    return anyRoot === 0 ? 0 : this.#walk(anyRoot);
  }

  /**
   * Literal, typed, parameter, tail: depth first, with the remaining choices on an explicit stack. If a node has two typed
   * children, the first match is kept as `best`, and only choices that can still beat it are visited: frames below
   * `barrier` are on the path of best, so only their further typed children can compete.
   */
  #walk(root: number): number {
    const words = this.#words;
    const stack = this.#stack;
    const end = this.#end;
    let node = root;
    let start = 1;
    let stop = 0;
    let count = 0;
    let stage = 0;
    let fresh = true;
    let top = 0;
    let best = 0;
    let barrier = 0;
    for (;;) {
      const before = count;
      const typedOnly = top < barrier;
      let found = 0;
      let child = 0;
      if (fresh) {
        child = this.#literal(node, start);
        stop = this.#segmentEnd;
        stage = 0;
      }
      if (child === 0 && start < stop && stage !== STAGE_TAIL) {
        child = this.#parameter(node, start, stop, count, stage, typedOnly);
        if (child !== 0) {
          count++;
          stage = this.#nextStage;
        }
      }
      if (child !== 0) {
        if (hasMore(words, node, stage)) {
          stack[top] = node;
          stack[top + 1] = start;
          stack[top + 2] = stop;
          stack[top + 3] = before;
          stack[top + 4] = stage;
          top += FRAME_WORDS;
        }
        if (typedOnly) barrier = top;
        if (stop < end) {
          node = child;
          start = stop + 1;
          fresh = true;
          continue;
        }
        found = this.#leafAtEnd(child, count);
      } else if (!typedOnly && words[node + layout.N_TAIL] !== 0) {
        found = this.#tail(node, start, count);
      } else if (fresh) {
        this.#observer?.deadEnd(node, start, stop);
      }
      if (found !== 0) {
        if (!this.severalTyped) return found;
        best = this.#better(found, best);
        barrier = top;
      }
      if (top === 0) return this.#settle(best);
      top -= FRAME_WORDS;
      node = stack[top]!;
      start = stack[top + 1]!;
      stop = stack[top + 2]!;
      count = stack[top + 3]!;
      stage = stack[top + 4]!;
      fresh = false;
    }
  }

  /** The literal child for the segment at `start`, or 0. Always sets #segmentEnd to the end of the segment. */
  #literal(node: number, start: number): number {
    const words = this.#words;
    const bytes = this.#bytes;
    const path = this.#path;
    const end = this.#end;
    const mask = words[node + layout.N_MASK]!;
    const table = node + layout.N_EDGES;
    let at = start;
    if (mask <= 0) {
      if (mask === 0) {
        const last = start + words[table + 3]!;
        if (last <= end) {
          let byte = words[table + 2]!;
          while (at < last && path.charCodeAt(at) === bytes[byte]) {
            at++;
            byte++;
          }
          if (at === last && (at === end || path.charCodeAt(at) === SLASH)) {
            this.#segmentEnd = at;
            return words[table + 1]!;
          }
        }
      }
      while (at < end && path.charCodeAt(at) !== SLASH) at++;
      this.#segmentEnd = at;
      return 0;
    }
    let hash = layout.FNV_OFFSET;
    for (; at < end; at++) {
      const code = path.charCodeAt(at);
      if (code === SLASH) break;
      hash = Math.imul(hash ^ code, layout.FNV_PRIME);
    }
    this.#segmentEnd = at;
    for (let slot = layout.slotOf(hash, mask); ; slot = (slot + 1) & mask) {
      const edge = table + slot * layout.EDGE_WORDS;
      const child = words[edge + 1]!;
      if (child === 0) return 0;
      if (words[edge] !== hash || words[edge + 3] !== at - start) continue;
      let byte = words[edge + 2]!;
      let same = start;
      while (same < at && path.charCodeAt(same) === bytes[byte]) {
        same++;
        byte++;
      }
      if (same === at) return child;
    }
  }

  /** The next typed child from `stage` on that matches the segment, else the parameter child; records its offsets. */
  #parameter(node: number, start: number, stop: number, count: number, stage: number, typedOnly: boolean): number {
    const words = this.#words;
    const list = words[node + layout.N_TYPED]!;
    let child = 0;
    if (list !== 0) {
      const typed = words[list]!;
      for (let next = stage; next < typed && child === 0; next++) {
        const automaton = this.#automata[words[list + 1 + next * 2]!]!;
        const candidate = words[list + 2 + next * 2]!;
        if (automaton.accepts(this.#path, start, stop, false)) {
          child = candidate;
          this.#nextStage = next + 1;
        } else {
          this.#observer?.typedRefused(node, candidate, automaton, start, stop);
        }
      }
    }
    if (child === 0) {
      if (typedOnly) return 0;
      child = words[node + layout.N_PARAM]!;
      this.#nextStage = STAGE_TAIL;
    }
    this.#params[count * 2] = start;
    this.#params[count * 2 + 1] = stop;
    return child;
  }

  /** The path ends at `node`. If trailing slashes are ignored, `/files` equals `/files/` and a tail may be empty. */
  #leafAtEnd(node: number, count: number): number {
    const list = this.#words[node + layout.N_LEAF]!;
    this.#paramCount = count;
    const found = list === 0 ? 0 : this.#choose(list);
    if (found !== 0) return found;
    if (this.#ignoreSlash && this.#words[node + layout.N_TAIL] !== 0) return this.#tail(node, this.#end, count);
    if (list === 0) this.#observer?.deadEnd(node, this.#end + 1, this.#end + 1);
    return 0;
  }

  #tail(node: number, start: number, count: number): number {
    this.#params[count * 2] = start;
    // A tail contains what was sent, including a trailing slash that the walk ignored.
    this.#params[count * 2 + 1] = start < this.#end ? this.#path.length : start;
    this.#paramCount = count + 1;
    return this.#choose(this.#words[node + layout.N_TAIL]!);
  }

  /** The first candidate of a leaf list that matches the request, or 0. */
  #choose(list: number): number {
    const words = this.#words;
    const method = this.#method;
    const last = list + 1 + words[list]! * layout.CANDIDATE_WORDS;
    for (let at = list + 1; at < last; at += layout.CANDIDATE_WORDS) {
      const takes = words[at]!;
      const listeners = words[at + 4]!;
      // Checked before the method, so that 405 and Allow do not reveal routes on other listeners.
      if (listeners !== 0 && !this.#listeners.serves(listeners, this.#view!.listener)) {
        this.#observer?.hidden?.(list, at);
      } else if (takes === method || takes === layout.ANY_METHOD || method === EVERY_METHOD) {
        const conditions = words[at + 2]!;
        const failed = conditions === 0 ? undefined : this.#failing(conditions);
        if (this.#observer !== undefined) this.#observer.candidate(list, at, failed);
        else if (failed === undefined) return at;
      } else {
        this.#sawOtherMethod = true;
        this.#observer?.candidate(list, at, 'method');
      }
    }
    return 0;
  }

  #failing(list: number): Condition | undefined {
    const lists = this.trie.lists;
    for (let i = list + 1, last = list + lists[list]!; i <= last; i++) {
      const condition = this.#conditions[lists[i]!]!;
      if (!condition.holds(this.#view!)) return condition;
    }
    return undefined;
  }

  #better(found: number, best: number): number {
    if (best !== 0 && this.#words[best + 3]! <= this.#words[found + 3]!) return best;
    this.#bestCount = this.#paramCount;
    this.#bestParams.set(this.#params);
    return found;
  }

  #settle(best: number): number {
    if (best !== 0) {
      this.#params.set(this.#bestParams);
      this.#paramCount = this.#bestCount;
    }
    return best;
  }
}

/** Whether a node has choices left at `stage`. */
function hasMore(words: Int32Array, node: number, stage: number): boolean {
  if (stage === STAGE_TAIL) return words[node + layout.N_TAIL] !== 0;
  return (words[node + layout.N_PARAM]! | words[node + layout.N_TAIL]! | words[node + layout.N_TYPED]!) !== 0;
}
