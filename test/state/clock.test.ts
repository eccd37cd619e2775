import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClock } from '../../src/state/clock.js';

const CLOCK = new URL('../../src/state/clock.js', import.meta.url).href;

test('all threads of a process share the monotonic clock', async () => {
  const code = `import(${JSON.stringify(CLOCK)}).then(({ systemClock }) =>
    require('node:worker_threads').parentPort.postMessage(systemClock.monotonic()))`;
  const before = systemClock.monotonic();
  const worker = new Worker(code, { eval: true });
  const there = await new Promise<number>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const after = systemClock.monotonic();
  await worker.terminate();
  assert.ok(before - 1 <= there && there <= after + 1, `${before} ${there} ${after}`);
});

test.run();
