/** 100,000 consumers with a key each: reading, memory, lookups, and changes while the gateway serves. */
import * as crypto from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConsumerEntry } from '../src/bundle/types.js';
import { type CalledExchange, Callers } from '../src/proxy/exchange/chain/callers.js';
import { loadSpec } from '../src/spec/index.js';
import { LiveConsumers } from '../src/state/consumers/live.js';
import { ConsumerSet } from '../src/state/consumers/set.js';
import {
  type Benchmark,
  type BenchOptions,
  collect,
  median,
  type Report,
  shuffled,
  timed,
  timedClean,
  verdict,
} from './kit.js';

const CONSUMERS = 100_000;
const ROUNDS = 5;
/** Lookups per measurement. */
const LOOKUPS = 200_000;
const ADDED = 500;
/** Bytes that a worker may have of its own: consumers that it has used, in a bounded number. A copy of all takes a multiple. */
const MOST_OWN = 8 * 1024 * 1024;

const digestOf = (key: string): string => crypto.hash('sha256', key, 'hex');
const keyOf = (at: number): string => `key of customer ${at}`;

const consumer = (name: string, key: string, at: number): ConsumerEntry => ({
  name,
  plan: at % 10 === 0 ? 'gold' : 'basic',
  groups: ['partners'],
  tags: { team: `team-${at % 100}` },
  credentials: [{ kind: 'key', name: 'ci', id: `sha256:${digestOf(key)}`, expires: 4_000_000_000_000 }],
});

const entriesOf = (count: number): ConsumerEntry[] =>
  Array.from({ length: count }, (_, at) => consumer(`customer-${at}`, keyOf(at), at));

/** Milliseconds to read a spec that names a file of consumers as JSON lines. */
function readLines(entries: readonly ConsumerEntry[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  try {
    const lines = entries.map(({ name, plan, groups, tags, credentials }) => {
      const written = credentials.map((each) => ({ name: each.name, key: each.id, expires: EXPIRES }));
      return JSON.stringify({ name, plan, groups, tags, credentials: written });
    });
    writeFileSync(join(folder, 'all.jsonl'), `${lines.join('\n')}\n`);
    const path = join(folder, 'gateway.toml');
    writeFileSync(path, SPEC);
    let errors: unknown;
    const time = timedClean(() => {
      const { value, diagnostics } = loadSpec({ path });
      errors = value === undefined ? diagnostics.slice(0, 3) : undefined;
    });
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
    return time / 1e6;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const EXPIRES = new Date(4_000_000_000_000).toISOString();
const SPEC = `spec = 1
consumers = "all.jsonl"
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["http://127.0.0.1:9"]
[plan.gold]
[plan.basic]
[policy.keys]
use = "api-key"
[[route]]
match = "GET /"
to = "shop"
policies = ["keys"]
`;

/** Nanoseconds for each of `count` lookups in random order. */
function lookup(live: LiveConsumers, digests: readonly string[], found: boolean): number {
  let wrong = 0;
  const time = timed(() => {
    for (let at = 0; at < LOOKUPS; at++)
      if ((live.byKey(digests[at % digests.length]!) !== undefined) !== found) wrong++;
  });
  if (wrong > 0) throw new Error(`${wrong} lookups have the wrong result.`);
  return time / LOOKUPS;
}

/** Nanoseconds for the engine's check of a kept identity. */
function check(live: LiveConsumers): number {
  const callers = new Callers(live, () => Date.now());
  const found = live.byKey(digestOf(keyOf(1)))!;
  const exchange: CalledExchange = {
    remoteAddress: '::1',
    consumer: undefined,
    credential: undefined,
    certificate: undefined,
    callerTurn: 0,
  };
  const identity = { outcome: 'identity', ...found, why: '' } as const;
  let refused = 0;
  const time = timed(() => {
    for (let at = 0; at < LOOKUPS * 10; at++) if (callers.admit(exchange, identity).outcome !== 'identity') refused++;
  });
  if (refused > 0) throw new Error(`${refused} identities were refused.`);
  return time / LOOKUPS / 10;
}

interface Figures {
  readonly read: number;
  readonly build: number;
  readonly open: number;
  readonly hot: number;
  readonly cold: number;
  readonly unknown: number;
  readonly check: number;
}

function measure(entries: readonly ConsumerEntry[]): Figures & { readonly set: ConsumerSet } {
  const read = readLines(entries);
  let set = ConsumerSet.of([]);
  const build = timedClean(() => {
    set = ConsumerSet.of(entries);
  });
  const live = new LiveConsumers();
  const open = timed(() => live.use(set.memory));
  const all = shuffled(
    entries.map((_, at) => digestOf(keyOf(at))),
    7,
  );
  const few = all.slice(0, 1000);
  const others = few.map((digest) => digestOf(digest));
  lookup(live, few, true);
  return {
    set,
    read,
    build: build / 1e6,
    open: open / 1e6,
    hot: lookup(live, few, true),
    cold: lookup(live, all, true),
    unknown: lookup(live, others, false),
    check: check(live),
  };
}

/** Bytes that the heap of a thread grows by when it opens the table and looks up all keys: what a worker has of its own. */
function ownMemory(set: ConsumerSet, digests: readonly string[]): number {
  const live = new LiveConsumers();
  const used = (): number => {
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  };
  const before = used();
  live.use(set.memory);
  for (const digest of digests) if (live.byKey(digest) === undefined) throw new Error('a key is not found');
  const after = used();
  // The table is alive until here.
  return live.byKey(digests[0]!) === undefined ? Number.NaN : Math.max(0, after - before);
}

/** Milliseconds of each change: control's part, and that of a worker. */
function changes(set: ConsumerSet, count: number, kind: 'add' | 'revoke'): number[] {
  const live = new LiveConsumers();
  live.use(set.memory);
  let current = set;
  return Array.from({ length: count }, (_, at) => {
    const change =
      kind === 'add'
        ? { set: [consumer(`added-${at}`, `key of added ${at}`, at)], removed: [] }
        : { set: [], removed: [`customer-${at}`] };
    return (
      timed(() => {
        current = current.with(change);
        live.use(current.memory);
      }) / 1e6
    );
  });
}

async function run({ rounds = ROUNDS, quick, progress }: BenchOptions): Promise<Report> {
  const count = quick ? CONSUMERS / 100 : CONSUMERS;
  const entries = entriesOf(count);
  const measured: ReturnType<typeof measure>[] = [];
  for (let round = 0; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    const figures = measure(entries);
    if (round > 0 || rounds === 0) measured.push(figures);
  }
  const of = (key: keyof Figures): number => median(measured.map((figures) => figures[key]));
  const { set } = measured[0]!;
  const own = ownMemory(
    set,
    Array.from({ length: count }, (_, at) => digestOf(keyOf(at))),
  );
  const added = changes(set, quick ? ADDED / 10 : ADDED * 10, 'add');
  const revoked = changes(set, quick ? ADDED / 10 : ADDED, 'revoke');
  return report(count, of, { set, own }, { added, revoked });
}

function report(
  count: number,
  of: (key: keyof Figures) => number,
  { set: { memory }, own }: { readonly set: ConsumerSet; readonly own: number },
  { added, revoked }: { readonly added: readonly number[]; readonly revoked: readonly number[] },
): Report {
  const perConsumer = memory.base.byteLength / count;
  const worst = Math.max(...added, ...revoked);
  const read = of('read');
  return {
    title: 'consumers',
    tables: [
      {
        title: `${count.toLocaleString('en')} consumers with a key each, plan, group, tag and expiry`,
        columns: ['what', 'figure'],
        rows: [
          ['a spec with a file of JSON lines, read and checked', `${read.toFixed(0)} ms`],
          ['the table, written by control', `${of('build').toFixed(0)} ms`],
          ['the table, opened by a worker', `${of('open').toFixed(2)} ms`],
          ['shared memory of each consumer, for all workers', `${perConsumer.toFixed(0)} bytes`],
          ['memory of each worker beside it, after a lookup of every key', `${(own / 1024).toFixed(0)} KiB`],
          ['a lookup by the digest of a key: 1,000 keys in use', `${of('hot').toFixed(0)} ns`],
          ['a lookup by the digest of a key: all keys in use', `${of('cold').toFixed(0)} ns`],
          ['a lookup of an unknown key', `${of('unknown').toFixed(0)} ns`],
          ["the engine's check of a kept identity", `${of('check').toFixed(1)} ns`],
          ['one consumer added, control and worker', `${median(added).toFixed(2)} ms`],
          ['one consumer revoked, control and worker', `${median(revoked).toFixed(2)} ms`],
          [`the slowest of ${(added.length + revoked.length).toLocaleString('en')} changes`, `${worst.toFixed(0)} ms`],
        ],
      },
    ],
    notes: [
      verdict(
        read <= 2000,
        `a spec with 100,000 consumers as JSON lines is read in ${read.toFixed(0)} ms (at most 2000)`,
      ),
      verdict(perConsumer <= 300, `a consumer takes ${perConsumer.toFixed(0)} bytes for all workers (at most 300)`),
      verdict(own <= MOST_OWN, `a worker has ${(own / 1024).toFixed(0)} KiB of its own (at most ${MOST_OWN / 1024})`),
      verdict(worst <= 100, `a change takes at most ${worst.toFixed(0)} ms (at most 100)`),
    ],
    peers: { found: [], missing: [] },
  };
}

const benchmark: Benchmark = {
  name: 'consumers',
  summary: 'load, memory, lookups and live changes of 100,000 consumers',
  run,
};
export default benchmark;
