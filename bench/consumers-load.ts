/** The store of consumers in files: time to read them, and from a saved change to all workers, while other callers send requests. */
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { createKey, revokeKey } from '../src/control/consumers/keys.js';
import { Gateway } from '../src/control/gateway.js';
import { loadSpec } from '../src/spec/index.js';
import type { LoadTally, LoadTask } from './consumers/load-client.js';
import { type Benchmark, type BenchOptions, median, type Report, verdict } from './kit.js';

const LINES = 100_000;
const TABLES = 10_000;
const ROUNDS = 5;

const hash = (text: string): string => `sha256:${crypto.hash('sha256', text, 'hex')}`;

const spec = (pattern: string): string => `spec = 1
consumers = "consumers/${pattern}"
[listener.main]
address = "127.0.0.1:0"
[plan.pro]
[policy.keys]
use = "api-key"
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello" }
policies = ["keys"]
`;

const lines = (count: number): string =>
  Array.from({ length: count }, (_, at) => {
    const credentials = [{ name: 'ci', key: hash(`line ${at}`) }];
    return `${JSON.stringify({ name: `customer-${at}`, plan: 'pro', groups: ['partners'], credentials })}\n`;
  }).join('');

const tables = (count: number): string =>
  Array.from(
    { length: count },
    (_, at) =>
      `[consumer.partner-${at}]\nplan = "pro"\n[[consumer.partner-${at}.credentials]]\nkey = "${hash(`table ${at}`)}"\n\n`,
  ).join('');

async function run({ rounds = ROUNDS, quick, progress }: BenchOptions): Promise<Report> {
  const share = quick ? 100 : 1;
  const folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  try {
    mkdirSync(join(folder, 'consumers'));
    const file = join(folder, 'consumers', 'all.jsonl');
    writeFileSync(file, lines(LINES / share));
    writeFileSync(join(folder, 'consumers', 'all.toml'), tables(TABLES / share));
    const path = join(folder, 'gateway.toml');
    const read = (pattern: string): number => {
      writeFileSync(path, spec(pattern));
      const times = Array.from({ length: rounds }, () => {
        const begun = performance.now();
        const { value, diagnostics } = loadSpec({ path });
        if (value?.stored.size === 0 || diagnostics.length > 0) throw new Error(diagnostics[0]?.message);
        return performance.now() - begun;
      });
      return median(times);
    };
    progress(`${TABLES / share} consumers as TOML`);
    const toml = read('*.toml');
    progress(`${LINES / share} consumers as JSON lines`);
    const json = read('*.jsonl');
    const live = await changes(path, file, { rounds: rounds * 2, keys: LINES / share });
    return report(LINES / share, TABLES / share, { json, toml, ...live });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Milliseconds: of a start, of keys that are added and revoked, and of a reload of the spec alone. */
async function changes(path: string, file: string, { rounds, keys }: { rounds: number; keys: number }) {
  const begun = performance.now();
  const gateway = await Gateway.start({ spec: path, adminSocket: false, accessLog: null, watch: true });
  const started = performance.now() - begun;
  const url = `http://${gateway.addresses[0]!.address}/hello`;
  const until = async (key: string, status: number): Promise<number> => {
    const saved = performance.now();
    while ((await fetch(url, { headers: { 'x-api-key': key } })).status !== status);
    return performance.now() - saved;
  };
  try {
    const task: LoadTask = { url, keys };
    const others = new Worker(new URL('./consumers/load-client.js', import.meta.url), { workerData: task });
    const [added, revoked, applied]: number[][] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      const consumer = `customer-${round}`;
      const { key, name } = await createKey({ consumer, file }, { now: () => Date.now() });
      added!.push(await until(key, 200));
      applied!.push(gateway.snapshot().reloads[0]!.tookMs);
      await revokeKey(file, consumer, name, Date.now());
      revoked!.push(await until(key, 401));
    }
    const reloading = performance.now();
    await gateway.reload();
    const reload = performance.now() - reloading;
    others.postMessage('stop');
    const [load] = (await once(others, 'message')) as [LoadTally];
    return { started, added: median(added!), applied: median(applied!), revoked: median(revoked!), reload, load };
  } finally {
    await gateway.close();
  }
}

interface Times
  extends Readonly<Record<'json' | 'toml' | 'started' | 'added' | 'applied' | 'revoked' | 'reload', number>> {
  readonly load: LoadTally;
}

function report(inLines: number, inTables: number, times: Times): Report {
  const ms = (time: number): string => `${time.toFixed(0)} ms`;
  const { load } = times;
  const rows: [string, string][] = [
    [`read ${inLines} consumers as JSON lines`, ms(times.json)],
    [`read ${inTables} consumers as TOML`, ms(times.toml)],
    [`start a gateway with ${inLines}`, ms(times.started)],
    ['a key is added: from the saved file to the first request that it opens', ms(times.added)],
    ['of this, the work of the gateway', ms(times.applied)],
    ['a key is revoked: from the saved file to the first refused request', ms(times.revoked)],
    ['reload of the spec, consumers unchanged', ms(times.reload)],
    [
      `meanwhile ${load.requests.toLocaleString('en')} requests of other consumers: 99th percentile`,
      `${load.p99.toFixed(1)} ms`,
    ],
    ['of these, the slowest', `${load.slowest.toFixed(1)} ms`],
  ];
  return {
    title: 'Consumers in files',
    tables: [{ title: 'Median', columns: ['', 'time'], rows }],
    notes: [
      verdict(times.json <= 2000, `${inLines} consumers as JSON lines are read in ${ms(times.json)}, at most 2 s`),
      verdict(times.toml <= 2000, `${inTables} consumers as TOML are read in ${ms(times.toml)}, at most 2 s`),
      verdict(
        times.applied <= 100,
        `a key is added in ${ms(times.applied)}, at most 100 ms; gw waits 40 ms for further renames before`,
      ),
      verdict(
        load.wrong === 0 && load.requests > 0,
        `${load.wrong} of the requests of other consumers failed (none may)`,
      ),
    ],
    peers: { found: [], missing: [] },
    data: times,
  };
}

export default {
  name: 'consumers-load',
  summary: 'consumers in files: reading 100,000, and changes under the load of other callers',
  run,
} satisfies Benchmark;
