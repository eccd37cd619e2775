import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WorkerSupervisor } from '../../../src/control/workers/supervisor.js';
import type { GenerationInput } from '../../../src/proxy/types.js';
import type { RequestRecord } from '../../../src/telemetry/snapshot.js';
import { listenerPlan, programWith } from '../../support/programs.js';
import { KeptLog, removeFolders, temporaryFolder, until } from '../kit.js';

test.after(removeFolders);

/** A data plane controlled by the `sha256` of a generation; it uses gw's port protocol. */
const CALLS = new URL('../../../src/control/workers/calls.js', import.meta.url).href;
const entry = pathToFileURL(join(temporaryFolder(), 'worker.mjs'));
writeFileSync(
  entry,
  `
  import { parentPort, workerData } from 'node:worker_threads';
  import { serveCalls } from '${CALLS}';
  const flag = new Int32Array(workerData.options.limits);
  let dying = false;
  let hanging = false;
  let leaving = false;
  serveCalls(parentPort, (events) => ({
    publish(identity, value) { events.log('info', 'published ' + identity + ' ' + JSON.stringify(value)); },
    async prepare(input) {
      if (input.published) events.log('info', 'prepared with ' + JSON.stringify([...input.published]));
      if (input.sha256 === 'ask') {
        for (const question of [{ q: 1 }, 'fail']) {
          const answer = await events.ask('id-a', question).catch((error) => 'failed: ' + error.message);
          events.log('info', 'answer ' + JSON.stringify(answer));
        }
      }
      if (input.sha256 === 'refuse') throw Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' });
      dying = input.sha256 === 'die';
      if (input.sha256 === 'die while loading') { process.exit(9); }
      if (input.sha256 === 'die on load again' && Atomics.add(flag, 0, 1) < 2 && Atomics.load(flag, 0) === 2) process.exit(5);
      hanging = input.sha256 === 'hang';
      leaving = input.sha256 === 'leave';
      if (input.sha256 === 'die, then bind for ever') {
        if (Atomics.add(flag, 0, 1) === 0) dying = true;
        else await new Promise(() => setInterval(() => Atomics.add(flag, 1, 1), 1));
      }
      if (input.sha256 === 'reject') Promise.reject(new Error('nobody waits'));
      events.log('info', 'loaded ' + input.program.listeners.map((one) => one.address).join());
      return input.program.listeners.map(({ name }) => ({ name, address: '127.0.0.1:4711' }));
    },
    watch(level) { events.requests([{ id: level }], 3); },
    commit() {
      events.log('info', 'committed');
      // After the reply to this call, so that the caller does not wait for it.
      if (hanging) setTimeout(() => { Atomics.store(flag, 1, 1); for (;;) Atomics.wait(flag, 0, 0); });
      if (dying) setTimeout(() => { throw new Error('worker bug'); });
    },
    abort() { events.log('info', 'aborted'); },
    async drain(timeoutMs) { return { cut: timeoutMs, tunnels: 0, raced: 0, tookMs: 1 }; },
    async close() {
      events.log('info', 'closed');
      if (leaving) setImmediate(() => process.exit(0));
    },
  }));
`,
);

const input = (sha256: string): GenerationInput => ({
  id: 1,
  sha256,
  program: programWith({ listeners: [listenerPlan('main')] }),
  trie: new SharedArrayBuffer(8),
  stats: { chunks: [], routes: [], unmatched: 0, targets: [], listeners: [] },
});

function host() {
  const log = new KeptLog();
  const seen: { records: readonly RequestRecord[]; dropped: number }[] = [];
  let lost = 7;
  const limits = new SharedArrayBuffer(8);
  const worker = new WorkerSupervisor({
    entry,
    options: { limits },
    died: () => lost++,
    events: {
      requests: (records, dropped) => seen.push({ records, dropped }),
      ask: async (identity, question) => {
        if (question === 'fail') throw new Error('outage');
        return { identity, question };
      },
      log: (level, message, fields) => log.write(level, message, fields),
    },
  });
  return { worker, log, seen, limits };
}

/** Loads like a set of one worker. */
async function load(worker: WorkerSupervisor, given: GenerationInput) {
  const listeners = await worker.prepare(given);
  worker.commit();
  await worker.settled;
  return listeners;
}

test('the supervisor carries calls, answers and events', async () => {
  const { worker, log, seen } = host();
  assert.equal(await load(worker, input('fine')), [{ name: 'main', address: '127.0.0.1:4711' }]);
  worker.watch('records');
  await until(() => seen.length > 0, 'a batch');
  assert.is(seen[0]?.records[0]?.id, 'records');
  assert.is(seen[0]?.dropped, 3);
  assert.equal(await worker.drain(1234), { cut: 1234, tunnels: 0, raced: 0, tookMs: 1 });
  await worker.close();
  assert.ok(log.find(/^closed$/));
});

test('a thread that ends by itself when it is closed is not reported as blocked', async () => {
  const { worker, log } = host();
  await load(worker, input('leave'));
  const terminate = Worker.prototype.terminate;
  // The machine is busy: control goes on when the thread has already ended.
  Worker.prototype.terminate = async function (this: Worker) {
    await once(this, 'exit');
    return terminate.call(this);
  };
  try {
    await worker.close();
  } finally {
    Worker.prototype.terminate = terminate;
  }
  assert.ok(log.find(/^closed$/));
  assert.is(log.find(/has not ended/), undefined);
});

test('questions to duties and their values pass between control and a worker', async () => {
  const { worker, log } = host();
  await load(worker, input('ask'));
  worker.publish('id-a', { keys: [1] });
  await until(() => log.find(/^published/), 'the value');
  assert.equal(
    log.lines.map(({ message }) => message).filter((message) => /^(answer|published)/.test(message)),
    ['answer {"identity":"id-a","question":{"q":1}}', 'answer "failed: outage"', 'published id-a {"keys":[1]}'],
  );
  await worker.close();
});

test('a replacement of a worker loads the last values of duties', async () => {
  const { worker, log } = host();
  const published = new Map([['id-a', 'first']]);
  await load(worker, { ...input('die'), published });
  published.set('id-a', 'second');
  await until(() => log.find(/^prepared with .*second/), 'the replacement');
  assert.is(log.lines.filter(({ message }) => message === 'prepared with [["id-a","first"]]').length, 1);
  await worker.close();
});

test('errors of a worker keep their code', async () => {
  const { worker } = host();
  try {
    await load(worker, input('refuse'));
    assert.unreachable();
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'EADDRINUSE');
    assert.is((error as Error).message, 'listen EADDRINUSE');
  }
  assert.is((await load(worker, input('fine'))).length, 1);
  await worker.close();
});

test('an unhandled rejection does not end the worker', async () => {
  const { worker, log } = host();
  await load(worker, input('reject'));
  const line = await until(() => log.find(/unhandled promise rejection/), 'the report');
  assert.match(String(line.fields['error']), 'nobody waits');
  assert.is(worker.restarts, 0);
  await worker.close();
});

test('a dead worker is replaced on the same address, and the log has the number of lost requests', async () => {
  const { worker, log, seen } = host();
  await load(worker, input('fine'));
  worker.watch('decisions');
  await until(() => seen.length > 0, 'a batch');
  await load(worker, input('die'));
  await until(() => log.find(/worker 0 died/), 'its death');
  const line = log.find(/worker 0 died/);
  assert.is(line?.level, 'error');
  assert.is(line?.fields['lost'], 7);
  assert.match(String(line?.fields['cause']), 'worker bug');
  await until(() => log.find(/worker 0 serves again/) || worker.restarts > 0, 'its return');
  // The generation that kills the worker is loaded repeatedly, with growing delays.
  await until(() => log.count(/worker 0 died, replacement starts in 100 ms/) > 0, 'a second death');
  assert.ok(log.count(/^loaded 127\.0\.0\.1:4711$/) > 0);
  assert.ok(seen.length > 1, 'the new worker was told to watch');
  await worker.close();
});

test('a call to a dying worker is rejected, and the old generation is loaded again', async () => {
  const { worker, log } = host();
  await load(worker, input('fine'));
  try {
    await load(worker, input('die while loading'));
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, 'died');
  }
  await until(() => log.find(/worker 0 serves again/), 'its return');
  assert.is(log.count(/^loaded/), 2);
  assert.is((await load(worker, input('fine'))).length, 1);
  await worker.close();
});

test('a call while a new worker starts waits for it', async () => {
  const { worker, log } = host();
  await load(worker, input('die'));
  await until(() => log.find(/worker 0 died/), 'its death');
  assert.is((await load(worker, input('fine'))).length, 1);
  await worker.close();
});

test('a dead replacement is replaced, and the log has the delay', async () => {
  const { worker, log } = host();
  await load(worker, input('die on load again'));
  await load(worker, input('die while loading')).catch(() => {});
  await until(() => log.find(/worker 0 serves again/), 'its return');
  assert.ok(log.find(/worker 0 cannot load the generation, replacement starts in \d+ ms$/));
  assert.is(worker.restarts, 2);
  await worker.close();
});

test('a drain terminates a replacement that is about to listen', async () => {
  const { worker, limits } = host();
  const binding = (): number => Atomics.load(new Int32Array(limits), 1);
  await load(worker, input('die, then bind for ever'));
  await until(() => binding() > 0, 'the replacement to bind');
  assert.is((await worker.drain(60_000)).cut, 0);
  const then = binding();
  await delay(50);
  assert.is(binding(), then, 'its thread is gone before the others have drained');
  await worker.close();
});

test('requests in flight in a terminated thread are counted as lost', async () => {
  const { worker, log } = host();
  await load(worker, input('fine'));
  worker.adopt(input('fine'));
  await until(() => log.find(/worker 0 serves again/), 'its return');
  assert.is(log.find(/worker 0 terminated and replaced/)?.fields['lost'], 7);
  await worker.close();
});

test('a hanging thread does not block shutdown', async () => {
  const { worker, log, limits } = host();
  await load(worker, input('hang'));
  await until(() => Atomics.load(new Int32Array(limits), 1) === 1, 'the hang');
  const report = await worker.drain(10);
  assert.is(report.cut, 7);
  assert.ok(log.find(/does not answer/));
  await worker.close();
});

test('closing cancels a pending replacement', async () => {
  const { worker, log } = host();
  await load(worker, input('die'));
  await until(() => log.find(/replacement starts in 200 ms/), 'a wait that is long enough');
  const { restarts } = worker;
  assert.equal(await worker.drain(10), { cut: 0, tunnels: 0, raced: 0, tookMs: 0 });
  await worker.close();
  await delay(300);
  assert.is(worker.restarts, restarts);
});

test.run();
