import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WorkerSet } from '../../../src/control/workers/set.js';
import type { GenerationInput } from '../../../src/proxy/types.js';
import type { ConsumerMemory } from '../../../src/state/consumers/layers.js';
import { ConsumerSet } from '../../../src/state/consumers/set.js';
import { listenerPlan, programWith } from '../../support/programs.js';
import { KeptLog, removeFolders, temporaryFolder, until } from '../kit.js';

const sets: WorkerSet[] = [];
test.after.each(async () => {
  for (const set of sets.splice(0)) await set.close();
});
test.after(removeFolders);

/** Data planes controlled by the `sha256` of a generation: `ACTION@WORKER`, or one action for all. */
const CALLS = new URL('../../../src/control/workers/calls.js', import.meta.url).href;
const entry = pathToFileURL(join(temporaryFolder(), 'worker.mjs'));
writeFileSync(
  entry,
  `
  import { parentPort, workerData } from 'node:worker_threads';
  import { serveCalls } from '${CALLS}';
  const { worker, limits } = workerData.options;
  const flags = new Int32Array(limits);
  serveCalls(parentPort, (events) => {
    const say = (what, input) => events.log('info', what + ' ' + worker + ' ' + input.sha256 + ' of generation ' + input.id);
    let prepared;
    let live;
    const leak = [];
    const strike = () => {
      const what = Atomics.exchange(flags, worker, 0);
      if (what === 1) throw new Error('struck down');
      if (what === 2) for (;;);
      if (what === 3) setInterval(() => leak.push(Array.from({ length: 20_000 }, (_, at) => ({ at }))), 1);
    };
    setInterval(strike, 5);
    const uses = (memory) => memory && events.log('info', 'worker ' + worker + ' has consumers ' + memory.version);
    const has = (services, chunks) => {
      for (const { service, version } of services)
        events.log('info', 'worker ' + worker + ' has version ' + version + ' of ' + service + ' with ' + chunks.length);
    };
    return {
      async replaceConsumers(memory) { uses(memory); },
      async updateTargets(update) { has(update.services, update.chunks); },
      async prepare(input) {
        const [what, who] = input.sha256.split('@');
        if (what === 'slow') await new Promise((done) => setTimeout(done, 150));
        if (who === undefined || Number(who) === worker) {
          if (what === 'refuse') throw new Error('refused');
          if (what === 'crash') process.exit(3);
        }
        prepared = input;
        uses(input.consumers);
        has(input.endpoints?.values() ?? [], input.stats.chunks);
        say('prepared', input);
        return input.program.listeners.map(({ name, address }) => ({ name, address: address.replace(/:0$/, ':' + (4711 + worker)) }));
      },
      commit() { live = prepared; prepared = undefined; say('serves', live); },
      abort() { if (prepared) say('aborted', prepared); prepared = undefined; },
      watch(level) { events.log('info', 'watches ' + worker + ' ' + level); },
      async drain(timeoutMs) {
        if (Atomics.load(flags, 60) === 1) await new Promise((done) => setTimeout(done, 300));
        return { cut: worker, tunnels: 1, raced: 2, tookMs: worker };
      },
      async close() {},
    };
  });
`,
);

const input = (id: number, sha256: string, workers: number, address = '127.0.0.1:0'): GenerationInput => ({
  id,
  sha256,
  program: programWith({ workers, listeners: [listenerPlan('main', { address })] }),
  trie: new SharedArrayBuffer(8),
  stats: { chunks: [], routes: [], unmatched: 0, targets: [], listeners: [] },
});

const memory = (version: number): ConsumerMemory => ({ ...ConsumerSet.of([]).memory, version });

function setOf(options: { lookEvery?: number } = {}) {
  const log = new KeptLog();
  const limits = new SharedArrayBuffer(64 * 4);
  const died: number[] = [];
  const set = new WorkerSet({
    entry,
    options: { limits },
    events: { requests: () => {}, log: (level, message, fields) => log.write(level, message, fields) },
    chunks: () => [new SharedArrayBuffer(8)],
    died: (worker) => died.push(worker),
    ...options,
  });
  sets.push(set);
  const flags = new Int32Array(limits);
  return { set, log, died, flags, strike: (worker: number, how: 1 | 2 | 3) => Atomics.store(flags, worker, how) };
}

const numbers = (set: WorkerSet): number[] => set.workers.map(({ worker }) => worker);

async function rejects(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error, 'it is rejected');
  assert.match(error.message, pattern);
}

test('a load reaches every worker, on the ports of the first one', async () => {
  const { set, log } = setOf();
  assert.equal(await set.load(input(1, 'fine', 3)), [{ name: 'main', address: '127.0.0.1:4711' }]);
  assert.equal(numbers(set), [0, 1, 2]);
  assert.is(log.count(/^serves \d fine of generation 1$/), 3);
  assert.equal(await set.load(input(2, 'fine', 3)), [{ name: 'main', address: '127.0.0.1:4711' }], 'the port stays');
});

test('a load refused by one worker leaves all on the previous generation', async () => {
  const { set, log } = setOf();
  await set.load(input(1, 'fine', 3));
  await rejects(set.load(input(2, 'refuse@1', 3)), /refused/);
  await until(() => log.count(/^aborted [02] refuse@1/) === 2, 'both others to let go');
  assert.is(log.count(/^serves . refuse/), 0);
  await set.load(input(3, 'fine', 3));
  assert.is(log.count(/^serves \d fine of generation 3$/), 3);
});

test('a load that kills a worker is rejected, and the worker restarts with the previous generation', async () => {
  const { set, log } = setOf();
  await set.load(input(1, 'fine', 2));
  await rejects(set.load(input(2, 'crash@1', 2)), /worker died/);
  await until(() => log.find(/worker 1 serves again/), 'its return');
  assert.is(log.count(/^serves 1 fine of generation 1$/), 2);
  assert.is(log.count(/^serves 0 /), 1, 'the other one never noticed');
  assert.is(log.count(/worker 0 died/), 0);
});

test('workers added by a rejected load are removed', async () => {
  const { set } = setOf();
  await set.load(input(1, 'fine', 2));
  await rejects(set.load(input(2, 'refuse@3', 4)), /refused/);
  assert.equal(numbers(set), [0, 1]);
});

test('each load adjusts the number of workers', async () => {
  const { set, log, died, flags } = setOf();
  set.watch('records');
  await set.load(input(1, 'fine', 2));
  await set.load(input(2, 'fine', 4));
  assert.equal(numbers(set), [0, 1, 2, 3]);
  await until(() => log.count(/^watches \d records$/) === 4, 'all to watch');
  Atomics.store(flags, 60, 1);
  await set.load(input(3, 'fine', 1));
  assert.equal(numbers(set), [0]);
  // Leaving workers still count in their own memory, so a new one gets another number.
  await set.load(input(4, 'fine', 2));
  assert.equal(numbers(set), [0, 4]);
  await until(() => log.count(/removed after its drain/) === 3, 'the end of three');
  assert.equal([...died].sort(), [1, 2, 3]);
  await set.load(input(5, 'fine', 3));
  assert.equal(numbers(set), [0, 4, 1]);
  assert.is(log.count(/died/), 0);
});

test('a dead worker is replaced at once, and the others keep running', async () => {
  const { set, log, died, strike } = setOf();
  await set.load(input(1, 'fine', 3));
  strike(1, 1);
  await until(() => log.find(/worker 1 serves again/), 'its return');
  const line = log.find(/worker 1 died, replacement starts at once/);
  assert.is(line?.level, 'error');
  assert.is(line?.fields['worker'], 1);
  assert.match(String(line?.fields['cause']), 'struck down');
  assert.equal(died, [1]);
  assert.equal(
    set.workers.map(({ restarts }) => restarts),
    [0, 1, 0],
  );
  assert.is(log.count(/^serves [02]/), 2);
});

test('changed consumers reach every worker, also a replacement and a new one', async () => {
  const { set, log, strike } = setOf();
  await set.load({ ...input(1, 'fine', 2), consumers: memory(1) });
  await set.replaceConsumers(memory(2));
  assert.is(log.count(/^worker \d has consumers 2$/), 2);
  strike(1, 1);
  await until(() => log.find(/worker 1 serves again/), 'its return');
  assert.is(log.count(/^worker 1 has consumers 2$/), 2, 'the replacement prepares with the newest');
  assert.is(log.count(/^worker 1 has consumers 1$/), 1);
  await set.load({ ...input(2, 'fine', 3), consumers: memory(1) });
  assert.ok(log.count(/^worker 2 has consumers 2$/) > 0);
  await set.load({ ...input(3, 'fine', 3), consumers: memory(3) });
  assert.is(log.count(/^worker \d has consumers 3$/), 3);
});

test('changed endpoints reach every worker with its counters, also a replacement', async () => {
  const { set, log, strike } = setOf();
  const orders = (version: number) => ({ service: 'orders', version, endpoints: [] });
  await set.load({ ...input(1, 'fine', 2), endpoints: new Map([['orders', orders(1)]]) });
  await set.updateTargets({ services: [orders(2), { ...orders(3), service: 'gone' }], chunks: [] });
  assert.is(log.count(/^worker \d has version 2 of orders with 1$/), 2);
  strike(1, 1);
  await until(() => log.find(/worker 1 serves again/), 'its return');
  assert.is(log.count(/^worker 1 has version 2 of orders with 1$/), 2, 'the replacement prepares with the newest');
  assert.is(log.count(/^worker 1 has version 3 of gone/), 1, 'no generation has it');
});

test('a repeatedly dying worker restarts with growing delays, and loads do not wait for it', async () => {
  const { set, log, strike } = setOf();
  await set.load(input(1, 'fine', 2));
  strike(1, 1);
  await until(() => log.find(/worker 1 serves again/), 'its return');
  for (const wait of [100, 200, 400]) {
    strike(1, 1);
    await until(() => log.find(new RegExp(`worker 1 died, replacement starts in ${wait} ms`)), `a wait of ${wait} ms`);
    if (wait < 400) await until(() => log.count(/worker 1 serves again/) === wait / 100 + 1, 'its return');
  }
  const before = performance.now();
  await set.load(input(2, 'fine', 2));
  assert.ok(performance.now() - before < 300, 'the load did not wait');
  assert.is(log.count(/^serves 1 fine of generation 2/), 0);
  await until(() => log.find(/^serves 1 fine of generation 2$/), 'its return');
  assert.is(log.count(/worker 0 died/), 0);
});

test('a worker that restarts during a load starts with the new generation', async () => {
  const { set, log, strike } = setOf();
  await set.load(input(1, 'fine', 2));
  strike(1, 1);
  await until(() => log.find(/worker 1 died/), 'its death');
  await set.load(input(2, 'slow', 2));
  await until(() => log.find(/^serves 1 slow of generation 2$/), 'its return');
  assert.is(log.count(/^serves 1 /), 2, 'never again the first one');
});

test('a load without running workers starts one', async () => {
  const { set, log } = setOf();
  await set.load(input(1, 'fine', 1));
  await rejects(set.load(input(2, 'crash', 1)), /worker died/);
  await set.load(input(3, 'better', 1));
  assert.ok(log.find(/^serves 0 better of generation 3$/));
  await rejects(set.load(input(4, 'crash', 1)), /worker died/);
  await rejects(set.load(input(5, 'refuse', 1)), /refused/);
  await until(() => log.count(/^serves 0 better of generation 3$/) === 2, 'its return');
});

test('a stuck worker is terminated and replaced', async () => {
  const { set, log, strike } = setOf({ lookEvery: 200 });
  await set.load(input(1, 'fine', 2));
  strike(0, 2);
  const line = await until(() => log.find(/worker 0 died/), 'its end');
  assert.match(String(line.fields['cause']), 'stuck: no answer');
  await until(() => log.count(/^serves 0 fine/) === 2, 'its return');
  assert.is(log.count(/worker 1 died/), 0);
});

test('a worker out of memory does not affect the others', async () => {
  // Applies to heaps created from now on: each thread has its own.
  setFlagsFromString('--max-old-space-size=32');
  const { set, log, strike } = setOf();
  await set.load(input(1, 'fine', 2));
  strike(1, 3);
  const line = await until(() => log.find(/worker 1 died/), 'its end', 30_000);
  assert.match(String(line.fields['cause']), /memory limit/);
  await until(() => log.find(/worker 1 serves again/), 'its return');
  assert.is(log.count(/worker 0 died/), 0);
});

test('after a process suspension no worker counts as stuck: checks are counted, not seconds', async () => {
  const { set, log } = setOf({ lookEvery: 20 });
  await set.load(input(1, 'fine', 1));
  const until = performance.now() + 600;
  while (performance.now() < until);
  await delay(100);
  assert.is(log.count(/died/), 0);
});

test('closing during a load leaves no worker behind', async () => {
  const { set, log } = setOf();
  await set.load(input(1, 'fine', 1));
  const loading = set.load(input(2, 'slow', 3));
  const refused = rejects(loading, /closing|ended|died|not running/);
  await delay(60);
  await set.close();
  await refused;
  const before = log.lines.length;
  await delay(300);
  assert.is(log.lines.length, before, 'nobody is there to say anything');
  assert.is(log.count(/^serves \d slow/), 0);
});

test('a drain covers all workers and sums their reports', async () => {
  const { set } = setOf();
  await set.load(input(1, 'fine', 3));
  assert.equal(await set.drain(1000), { cut: 3, tunnels: 3, raced: 6, tookMs: 2 });
  await rejects(set.load(input(2, 'fine', 3)), /closing/);
});

test('a used port is detected although workers share ports', async () => {
  const { set } = setOf();
  const other: Server = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await rejects(set.load(input(1, 'fine', 2, `127.0.0.1:${port}`)), /EADDRINUSE.*127\.0\.0\.1:\d+/);
  await new Promise((resolve) => other.close(resolve));
  await set.load(input(1, 'fine', 2, `127.0.0.1:${port}`));
});

test.run();
