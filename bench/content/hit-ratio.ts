/**
 * Hit ratio of the memory of contents, the real table, against LRU and W-TinyLFU of the same size: on seeded traffic, a Zipf
 * distribution of requests over contents of very different sizes, alone and with what harms a cache; and on a trace.
 */
import { readFileSync } from 'node:fs';
import { MemoryContents } from '../../src/state/content/memory/index.js';
import type { ContentFacts } from '../../src/state/content/types.js';
import { seeded } from '../../test/support/random.js';
import type { Table } from '../kit.js';
import { WTinyLfu } from './w-tinylfu.js';

export interface Simulation {
  /** Bytes of each cache. */
  readonly bytes: number;
  /** Different contents. */
  readonly contents: number;
  readonly requests: number;
  readonly seed: number;
}

/** Shares of requests, and of their bytes, that were answered from a cache. */
export interface HitRatio {
  readonly requests: number;
  readonly bytes: number;
}

interface Traffic {
  readonly name: string;
  readonly what: string;
  /** Numbers of contents, in the order in which they are asked for. */
  ids(simulation: Simulation): Iterable<number>;
  /** Bytes of a body. Absent: sizeOf(). */
  size?(id: number): number;
}

/** A share of the beginning does not count: the caches fill. */
const WARM_UP = 0.2;

const TRAFFIC: readonly Traffic[] = [
  {
    name: 'zipf',
    what: 'Zipf with exponent 0.9',
    *ids({ contents, requests, seed }) {
      const next = zipf(contents, 0.9, seeded(seed));
      for (let at = 0; at < requests; at++) yield next();
    },
  },
  {
    name: 'flat',
    what: 'Zipf with exponent 0.7: less is popular',
    *ids({ contents, requests, seed }) {
      const next = zipf(contents, 0.7, seeded(seed));
      for (let at = 0; at < requests; at++) yield next();
    },
  },
  {
    name: 'flood',
    what: 'every second request is for a content that is asked for once',
    *ids({ contents, requests, seed }) {
      const random = seeded(seed);
      const next = zipf(contents, 0.9, random);
      for (let at = 0; at < requests; at++) yield random() < 0.5 ? contents * 2 + at : next();
    },
  },
  {
    name: 'scans',
    what: 'a fifth of the time, a client reads a tenth of further contents in order, again and again',
    *ids({ contents, requests, seed }) {
      const next = zipf(contents, 0.9, seeded(seed));
      const period = contents / 2;
      for (let at = 0; at < requests; at++) {
        const phase = at % period;
        yield phase >= period * 0.8 ? contents + Math.floor(phase - period * 0.8) : next();
      }
    },
  },
  {
    name: 'shifts',
    what: 'four times, other contents become popular at once',
    *ids({ contents, requests, seed }) {
      const next = zipf(contents, 0.9, seeded(seed));
      for (let at = 0; at < requests; at++) yield (next() + Math.floor((at * 5) / requests) * 7919) % contents;
    },
  },
];

/** Numbers from 0 to below `count`, of which low ones are more frequent. */
function zipf(count: number, exponent: number, random: () => number): () => number {
  const sums = new Float64Array(count);
  let total = 0;
  for (let at = 0; at < count; at++) {
    total += 1 / (at + 1) ** exponent;
    sums[at] = total;
  }
  return () => {
    const wanted = random() * total;
    let low = 0;
    for (let high = count - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Bytes of a body: 300 to 73,000, evenly by magnitude, and the same each time. */
function sizeOf(id: number): number {
  const [share] = [seeded(id + 1)()];
  return Math.round(300 * Math.exp(share * 5.5));
}

export interface Cache {
  get(id: number): boolean;
  put(id: number, size: number): void;
}

/** What a content takes in the table: whole units of 256 bytes, and two for its facts. */
const taken = (body: number): number => 512 + Math.ceil(body / 256) * 256;

class Lru implements Cache {
  readonly #sizes = new Map<number, number>();
  readonly #bytes: number;
  #used = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get(id: number): boolean {
    const size = this.#sizes.get(id);
    if (size === undefined) return false;
    this.#sizes.delete(id);
    this.#sizes.set(id, size);
    return true;
  }

  put(id: number, body: number): void {
    const size = taken(body);
    this.#sizes.set(id, size);
    this.#used += size;
    for (const [oldest, freed] of this.#sizes) {
      if (this.#used <= this.#bytes) break;
      this.#sizes.delete(oldest);
      this.#used -= freed;
    }
  }
}

const BODY = Buffer.alloc(100_000);

class GwContents implements Cache {
  readonly #store: ReturnType<MemoryContents['store']>;

  constructor(bytes: number, admission: boolean) {
    // With seeds of its own: the same traffic has the same hits in each run.
    const memory = MemoryContents.allocate({ bytes, workers: 1, seed: [1, 2] });
    const contents = new MemoryContents(memory, () => 0, 0, { random: seeded(3) });
    this.#store = contents.store('bench', { maxEntry: bytes, admission, disk: false });
  }

  get(id: number): boolean {
    const content = this.#store.get(urlOf(id));
    content?.release();
    return content !== undefined;
  }

  put(id: number, size: number): void {
    const url = urlOf(id);
    const facts: ContentFacts = { expiresAt: Number.POSITIVE_INFINITY, url, route: 'bench', tags: [], data: null };
    const writer = this.#store.put(url, facts, size);
    for (let at = 0; at < size; at += BODY.length) writer?.write(BODY.subarray(0, Math.min(size - at, BODY.length)));
    writer?.commit();
  }
}

const urlOf = (id: number): string => `http://shop.test/products/${id}`;

function run(traffic: Traffic, simulation: Simulation, cache: Cache): HitRatio {
  let [requests, hits, bytes, hitBytes, at] = [0, 0, 0, 0, 0];
  for (const id of traffic.ids(simulation)) {
    const size = traffic.size?.(id) ?? sizeOf(id);
    const hit = cache.get(id);
    if (!hit) cache.put(id, size);
    if (at++ < simulation.requests * WARM_UP) continue;
    requests++;
    bytes += size;
    if (hit) {
      hits++;
      hitBytes += size;
    }
  }
  return { requests: hits / requests, bytes: hitBytes / bytes };
}

/** Bytes that a content takes, about: for the model of W-TinyLFU. */
const USUAL = 8 * 1024;

export interface Ratios {
  readonly lru: HitRatio;
  readonly tinyLfu: HitRatio;
  readonly gw: HitRatio;
  readonly admission: HitRatio;
}

function ratiosOf(traffic: Traffic, simulation: Simulation): Ratios {
  const { bytes } = simulation;
  const model = new WTinyLfu(bytes, USUAL);
  return {
    lru: run(traffic, simulation, new Lru(bytes)),
    tinyLfu: run(traffic, simulation, { get: (id) => model.get(id), put: (id, size) => model.put(id, taken(size)) }),
    gw: run(traffic, simulation, new GwContents(bytes, false)),
    admission: run(traffic, simulation, new GwContents(bytes, true)),
  };
}

/** For each kind of traffic, by its name. */
export const hitRatios = (simulation: Simulation): ReadonlyMap<string, Ratios> =>
  new Map(TRAFFIC.map((traffic) => [traffic.name, ratiosOf(traffic, simulation)]));

/** A recorded sequence of requests. */
export interface Trace {
  readonly ids: readonly number[];
  /** Bytes by id. */
  readonly sizes: readonly number[];
}

/**
 * Reads lines of time, id and size, separated by spaces, tabs or commas: the plain form of public traces of caches. The first size of
 * an id counts; other lines, such as a heading, and bodies of no byte do not.
 */
export function readTrace(text: string): Trace {
  const [numbers, sizes, ids]: [Map<string, number>, number[], number[]] = [new Map(), [], []];
  for (const line of text.split('\n')) {
    const [, id = '', size = ''] = line.trim().split(/[\s,]+/);
    if (!/^[1-9]\d*$/.test(size)) continue;
    const number = numbers.get(id) ?? numbers.size;
    if (number === numbers.size) {
      numbers.set(id, number);
      sizes.push(Number(size));
    }
    ids.push(number);
  }
  return { ids, sizes };
}

export function traceRatios({ ids, sizes }: Trace, bytes: number): Ratios {
  const traffic: Traffic = { name: 'trace', what: 'a trace', ids: () => ids, size: (id) => sizes[id]! };
  return ratiosOf(traffic, { bytes, contents: sizes.length, requests: ids.length, seed: 0 });
}

const percent = ({ requests, bytes }: HitRatio): string =>
  `${(requests * 100).toFixed(1)} % (${(bytes * 100).toFixed(1)} %)`;
const COLUMNS = ['LRU', 'W-TinyLFU', 'gw', 'gw with admission'];
const cells = ({ lru, tinyLfu, gw, admission }: Ratios): string[] => [lru, tinyLfu, gw, admission].map(percent);

export function hitRatioTable(simulation: Simulation): Table {
  const ratios = hitRatios(simulation);
  return {
    title: `hits, and bytes of hits, with ${simulation.bytes / 1024 ** 2} MiB`,
    columns: ['traffic', ...COLUMNS],
    rows: TRAFFIC.map(({ name }) => [name, ...cells(ratios.get(name)!)]),
    notes: TRAFFIC.map(({ name, what }) => `${name}: ${what}`),
  };
}

/** The same for the trace in a file, with caches of several sizes. @throws if the file cannot be read */
export function traceTable(path: string, sizes: readonly number[]): Table {
  const trace = readTrace(readFileSync(path, 'utf8'));
  return {
    title: `hits, and bytes of hits, on the trace ${path}`,
    columns: ['MiB', ...COLUMNS],
    rows: sizes.map((bytes) => [bytes / 1024 ** 2, ...cells(traceRatios(trace, bytes))]),
    notes: [`${trace.ids.length} requests for ${trace.sizes.length} contents`],
  };
}
