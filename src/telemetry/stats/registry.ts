/**
 * The control side of the counters: assigns slots, sums the counts of all workers, and keeps the history of the last
 * minutes. Memory depends on the number of busy slots, not on the number of routes.
 */
import type { Program } from '../../bundle/types.js';
import { type LatencySnapshot, RATE_SECONDS, type TrafficSnapshot } from '../snapshot.js';
import { INTERVAL_MS, LatencyWindow, percentiles, sparse } from './histogram.js';
import { CHUNK_ACTIVITY, CHUNK_BYTES, Counter, HISTOGRAM_BUCKETS, SLOT_WORDS, SLOTS_PER_CHUNK } from './layout.js';
import { SecondsRing } from './seconds-ring.js';
import { type SlotKind, SlotNames } from './slot-names.js';

/** Name of the slot of requests that matched no route. */
export const UNMATCHED = '-';

/** Slots with a history at the same time. A slot that has been idle for a minute loses its history to a new one. */
const MAX_TRACKED = 8192;
const IDLE_MS = 60_000;

const SERIES_SECONDS = 120;

/** The slot of each entity of a program. */
export interface SlotAssignment {
  /** By route index. */
  readonly routes: readonly number[];
  /** Requests that matched no route. */
  readonly unmatched: number;
  /** By service index, then target index. */
  readonly targets: readonly (readonly number[])[];
  /** By listener index: open connections, counted in Counter.Connections. */
  readonly listeners: readonly number[];
  /** By service index: requests that wait for a target, in Counter.Waiting. */
  readonly services?: readonly number[];
}

export interface SlotSums {
  readonly requests: number;
  /** By class: 1xx to 5xx. */
  readonly status: readonly [number, number, number, number, number];
  readonly inFlight: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly failures: number;
  /** Latest over the workers; milliseconds, 0 when healthy. */
  readonly ejectedUntil: number;
  readonly connections: number;
  readonly latencySumMs: number;
}

/** The history of a busy slot. */
interface Tracked {
  readonly window: LatencyWindow;
  readonly rate: SecondsRing;
  touched: boolean;
  touchedAt: number;
}

/** The views of a chunk by worker, and the sums that control read last. */
interface Chunk {
  readonly buffers: SharedArrayBuffer[];
  readonly views: Float64Array<ArrayBufferLike>[];
  activity: number;
  inFlight: number;
  readonly requests: Float64Array;
  readonly errors: Float64Array;
}

export class StatsRegistry {
  #workers: number;
  readonly #names = new SlotNames();
  readonly #chunks: Chunk[] = [];
  readonly #tracked = new Map<number, Tracked>();
  /** Histograms of slots that had a history, at the time it was dropped. */
  readonly #baselines = new Map<number, Float64Array>();
  readonly #requestSeries: SecondsRing;
  readonly #errorSeries: SecondsRing;
  #requests = 0;
  #errors = 0;
  #interval: number;
  #tickedAt: number;

  constructor({ workers = 1, now = Date.now() }: { readonly workers?: number; readonly now?: number } = {}) {
    this.#workers = workers;
    this.#requestSeries = new SecondsRing(SERIES_SECONDS);
    this.#errorSeries = new SecondsRing(SERIES_SECONDS);
    this.#interval = Math.floor(now / INTERVAL_MS);
    this.#tickedAt = now;
  }

  /** Assigns slots to the entities of a program; a name always gets the same slot. */
  assign(program: Pick<Program, 'routes' | 'services' | 'listeners'>, nowMs: number): SlotAssignment {
    this.tick(nowMs);
    const names: string[] = [];
    const note = (kind: SlotKind, name: string): number => names.push(`${kind}:${name}`) - 1;
    const at = {
      routes: program.routes.map((route) => note('route', route.name)),
      unmatched: note('route', UNMATCHED),
      targets: program.services.map((service) =>
        service.targets.map(({ url }) => note('target', targetName(service.name, url))),
      ),
      listeners: program.listeners.map((listener) => note('listener', listener.name)),
      services: program.services.map((service) => note('service', service.name)),
    };
    const slots = this.#assign('program', names, nowMs);
    const slotAt = (index: number): number => slots[index]!;
    return {
      routes: at.routes.map(slotAt),
      unmatched: slotAt(at.unmatched),
      targets: at.targets.map((own) => own.map(slotAt)),
      listeners: at.listeners.map(slotAt),
      services: at.services.map(slotAt),
    };
  }

  /**
   * Assigns slots to the endpoints of a service, in addition to those of programs, in place of the ones that it had. None: the
   * service is gone. Slots of removed endpoints keep their counts for a while, and are reused only when no worker uses them.
   */
  assignTargets(
    service: string,
    endpoints: readonly { readonly url: string; readonly address?: string }[],
    nowMs: number,
  ): readonly number[] {
    const names = endpoints.map(({ url, address }) => `target:${targetName(service, url, address)}`);
    return this.#assign(`service ${service}`, names, nowMs);
  }

  #assign(group: string, names: readonly string[], nowMs: number): readonly number[] {
    const slots = this.#names.assign(group, names, nowMs);
    while (this.#chunks.length * SLOTS_PER_CHUNK < this.#names.size) this.#chunks.push(this.#newChunk());
    for (const slot of this.#names.release(nowMs, (candidate) => this.#isIdle(candidate))) this.#wipe(slot);
    return slots;
  }

  /**
   * The memory of one worker, for its GenerationInput. Its counts stay when the worker is removed.
   */
  chunks(worker: number): SharedArrayBuffer[] {
    this.#workers = Math.max(this.#workers, worker + 1);
    for (const chunk of this.#chunks) {
      while (chunk.buffers.length < this.#workers) addWorker(chunk);
    }
    return this.#chunks.map((chunk) => chunk.buffers[worker]!);
  }

  slot(kind: SlotKind, name: string): number | undefined {
    return this.#names.get(`${kind}:${name}`);
  }

  entries(kind: SlotKind): IterableIterator<readonly [name: string, slot: number]> {
    return this.#names.entries(kind);
  }

  /** Reads what the workers counted since the last call. Call it at least once a second. */
  tick(nowMs: number): void {
    let requests = 0;
    let errors = 0;
    const since = this.#tickedAt;
    this.#tickedAt = nowMs;
    this.#chunks.forEach((chunk, index) => {
      const activity = chunk.views.reduce((sum, view) => sum + view[CHUNK_ACTIVITY]!, 0);
      if (activity === chunk.activity && chunk.inFlight === 0) return;
      chunk.activity = activity;
      const seen = this.#scan(chunk, index * SLOTS_PER_CHUNK, since);
      requests += seen.requests;
      errors += seen.errors;
    });
    this.#requests += requests;
    this.#errors += errors;
    this.#requestSeries.add(requests, since, nowMs);
    this.#errorSeries.add(errors, since, nowMs);
    const interval = Math.floor(nowMs / INTERVAL_MS);
    for (; this.#interval < interval; this.#interval++) {
      // After a long pause old intervals are empty and need not be closed one by one.
      if (interval - this.#interval > 2 * MAX_CLOSES) this.#interval = interval - MAX_CLOSES;
      this.#closeInterval();
    }
  }

  sums(slot: number): SlotSums {
    const sum = (word: number): number => this.#sum(slot, word);
    const { views } = this.#chunks[Math.floor(slot / SLOTS_PER_CHUNK)]!;
    const base = (slot % SLOTS_PER_CHUNK) * SLOT_WORDS;
    return {
      requests: sum(Counter.Requests),
      status: [
        sum(Counter.Status1xx),
        sum(Counter.Status2xx),
        sum(Counter.Status3xx),
        sum(Counter.Status4xx),
        sum(Counter.Status5xx),
      ],
      inFlight: Math.max(0, sum(Counter.InFlight)),
      bytesIn: sum(Counter.BytesIn),
      bytesOut: sum(Counter.BytesOut),
      failures: sum(Counter.Failures),
      ejectedUntil: Math.max(...views.map((view) => view[base + Counter.EjectedUntil]!)),
      connections: Math.max(0, sum(Counter.Connections)),
      latencySumMs: sum(Counter.LatencySumMs),
    };
  }

  /** Exchanges of slow clients with a target that were shed. */
  shed(slot: number): number {
    return this.#sum(slot, Counter.Shed);
  }

  /** One counter of all workers. */
  sum(slot: number, word: number): number {
    return this.#sum(slot, word);
  }

  /** Numbers of workers short of memory: those that reject new connections, those that close idle ones. */
  overloaded(): { readonly shedding: number; readonly shrinking: number } {
    const slot = this.#names.get(`route:${UNMATCHED}`);
    if (slot === undefined) return { shedding: 0, shrinking: 0 };
    return { shedding: this.#sum(slot, Counter.Shedding), shrinking: this.#sum(slot, Counter.Shrinking) };
  }

  /** Latency counts by bucket since the slot was first used. */
  histogram(slot: number): Float64Array {
    const { views } = this.#chunks[Math.floor(slot / SLOTS_PER_CHUNK)]!;
    const first = (slot % SLOTS_PER_CHUNK) * SLOT_WORDS + Counter.Histogram;
    const counts = new Float64Array(HISTOGRAM_BUCKETS);
    for (const view of views) {
      for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        counts[bucket] = counts[bucket]! + view[first + bucket]!;
      }
    }
    return counts;
  }

  /** Percentiles of the last minute; since the start for a slot without a history, if too many are busy. */
  latency(slot: number): LatencySnapshot {
    const tracked = this.#tracked.get(slot);
    if (tracked === undefined && this.#tracked.size >= MAX_TRACKED) return percentiles(this.histogram(slot));
    const counts = new Float64Array(HISTOGRAM_BUCKETS);
    tracked?.window.addTo(counts, this.histogram(slot));
    return percentiles(counts);
  }

  /** Requests per second, mean of the last RATE_SECONDS. */
  rate(slot: number): number {
    return this.#tracked.get(slot)?.rate.mean(this.#tickedAt) ?? 0;
  }

  /** Sums over all routes at the last tick. */
  traffic(): TrafficSnapshot {
    const latency = new Float64Array(HISTOGRAM_BUCKETS);
    for (const [slot, { window }] of this.#tracked) {
      if (this.#isRoute(slot)) window.addTo(latency, this.histogram(slot));
    }
    return {
      requests: this.#requests,
      errors: this.#errors,
      inFlight: this.#chunks.reduce((sum, chunk) => sum + chunk.inFlight, 0),
      requestsPerSecond: this.#requestSeries.values(this.#tickedAt),
      errorsPerSecond: this.#errorSeries.values(this.#tickedAt),
      latency: percentiles(latency),
    };
  }

  /**
   * A worker has ended: resets its gauges and its ejections of targets. Returns the number of exchanges that it had in
   * flight.
   */
  forgetWorker(worker: number): number {
    let lost = 0;
    this.#chunks.forEach((chunk, index) => {
      const view = chunk.views[worker];
      if (view === undefined) return;
      for (let slot = 0; slot < SLOTS_PER_CHUNK; slot++) {
        const base = slot * SLOT_WORDS;
        if (this.#isRoute(index * SLOTS_PER_CHUNK + slot)) lost += Math.max(0, view[base + Counter.InFlight]!);
        view[base + Counter.InFlight] = 0;
        view[base + Counter.Connections] = 0;
        view[base + Counter.OpenWebSockets] = 0;
        view[base + Counter.EjectedUntil] = 0;
        view[base + Counter.Panic] = 0;
        view[base + Counter.Waiting] = 0;
        view[base + Counter.Shedding] = 0;
        view[base + Counter.Shrinking] = 0;
      }
      view[CHUNK_ACTIVITY] = view[CHUNK_ACTIVITY]! + 1;
    });
    return lost;
  }

  #newChunk(): Chunk {
    const chunk: Chunk = {
      buffers: [],
      views: [],
      activity: 0,
      inFlight: 0,
      requests: new Float64Array(SLOTS_PER_CHUNK),
      errors: new Float64Array(SLOTS_PER_CHUNK),
    };
    while (chunk.buffers.length < this.#workers) addWorker(chunk);
    return chunk;
  }

  #scan(chunk: Chunk, first: number, since: number): { readonly requests: number; readonly errors: number } {
    const seen = { requests: 0, errors: 0 };
    chunk.inFlight = 0;
    for (let index = 0; index < SLOTS_PER_CHUNK; index++) {
      const slot = first + index;
      const requests = this.#sum(slot, Counter.Requests);
      const isRoute = this.#isRoute(slot);
      if (isRoute) chunk.inFlight += Math.max(0, this.#sum(slot, Counter.InFlight));
      const added = requests - chunk.requests[index]!;
      if (added <= 0) continue;
      this.#track(slot, chunk.requests[index]! === 0)?.rate.add(added, since, this.#tickedAt);
      chunk.requests[index] = requests;
      if (!isRoute) continue;
      const errors = this.#sum(slot, Counter.Status5xx);
      seen.requests += added;
      seen.errors += errors - chunk.errors[index]!;
      chunk.errors[index] = errors;
    }
    return seen;
  }

  /** The history of a slot that is busy now, if there is room. `isNew`: its counts were zero before. */
  #track(slot: number, isNew: boolean): Tracked | undefined {
    let tracked = this.#tracked.get(slot);
    if (tracked) this.#tracked.delete(slot);
    else {
      if (this.#tracked.size >= MAX_TRACKED && !this.#forgetLongestIdle()) return undefined;
      const before = this.#baselines.get(slot) ?? (isNew ? undefined : sparse(this.histogram(slot)));
      tracked = { window: new LatencyWindow(before), rate: new SecondsRing(RATE_SECONDS), touched: true, touchedAt: 0 };
    }
    // Insertion order is order of last use.
    this.#tracked.set(slot, tracked);
    tracked.touched = true;
    tracked.touchedAt = this.#tickedAt;
    return tracked;
  }

  /** False if none is idle. */
  #forgetLongestIdle(): boolean {
    for (const [slot, { touchedAt }] of this.#tracked) {
      if (this.#tickedAt - touchedAt < IDLE_MS) return false;
      this.#tracked.delete(slot);
      this.#baselines.set(slot, sparse(this.histogram(slot)));
      return true;
    }
    return false;
  }

  #closeInterval(): void {
    for (const [slot, tracked] of this.#tracked) {
      if (tracked.touched) tracked.window.close(this.histogram(slot));
      else tracked.window.skip();
      tracked.touched = false;
    }
  }

  #sum(slot: number, word: number): number {
    const { views } = this.#chunks[Math.floor(slot / SLOTS_PER_CHUNK)]!;
    const at = (slot % SLOTS_PER_CHUNK) * SLOT_WORDS + word;
    let sum = 0;
    for (const view of views) sum += view[at]!;
    return sum;
  }

  #isRoute(slot: number): boolean {
    return this.#names.nameOf(slot)?.startsWith('route:') ?? false;
  }

  #isIdle(slot: number): boolean {
    return this.#sum(slot, Counter.InFlight) <= 0 && this.#sum(slot, Counter.Connections) <= 0;
  }

  #wipe(slot: number): void {
    const chunk = this.#chunks[Math.floor(slot / SLOTS_PER_CHUNK)]!;
    const index = slot % SLOTS_PER_CHUNK;
    for (const view of chunk.views) view.fill(0, index * SLOT_WORDS, (index + 1) * SLOT_WORDS);
    chunk.requests[index] = 0;
    chunk.errors[index] = 0;
    this.#tracked.delete(slot);
    this.#baselines.delete(slot);
  }
}

function addWorker({ buffers, views }: Chunk): void {
  const buffer = new SharedArrayBuffer(CHUNK_BYTES);
  buffers.push(buffer);
  views.push(new Float64Array(buffer));
}

/** More intervals than a window holds. */
const MAX_CLOSES = 12;

/** Name of a target's slot, without its kind. `address`: for one of several addresses of the URL's host. */
export const targetName = (service: string, url: string | { readonly $ref: string }, address?: string): string =>
  `${service}|${typeof url === 'string' ? url : url.$ref}${address === undefined ? '' : `|${address}`}`;
