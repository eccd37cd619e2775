/** Uncaught errors in a data-plane thread end at most that thread, not the process. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, startOrigin, until } from '../control-kit.js';
import { specOf } from '../engine-kit.js';
import { type BuggyHost, buggyWorker, hostBuggyWorker } from '../worker-kit.js';

const test = suite<BuggyHost>('uncaught errors in a worker');

const entry = buggyWorker(`[
  () => void Promise.reject(new Error('forgotten')),
  () => void Promise.reject(Object.create(null)),
  () => void Promise.reject(undefined),
  () => log('warn', 'odd fields', { odd: () => 'a function', name: 'value' }),
  () => setImmediate(() => { throw new Error('in a callback'); }),
  () => net.createServer().emit('error', new Error('without a listener')),
]`);

test.before.each(async (context) => {
  const origin = await startOrigin();
  Object.assign(context, await hostBuggyWorker(entry, specOf(origin.url)));
});
test.after.each(async ({ host }) => {
  await host.close();
  await closeAll();
});
test.after(removeFolders);

test('an unhandled rejection of any value is logged and ends nothing', async ({ url, log, command }) => {
  for (const [number, text] of [
    [1, 'forgotten'],
    [2, 'null prototype'],
    [3, 'undefined'],
  ] as const) {
    const before = log.lines.length;
    const slow = call(`${url}/slow`);
    command(number);
    await until(() => log.lines.length > before, 'the line');
    const line = log.lines.at(-1)!;
    assert.match(line.message, 'unhandled promise rejection');
    assert.match(String(line.fields['error']), text);
    assert.is((await slow).status, 200, 'requests in flight continue');
  }
  assert.not.ok(log.find(/died/));
});

test('log fields that cannot be transferred to the main thread end nothing', async ({ url, log, command }) => {
  command(4);
  const line = await until(() => log.find(/odd fields/), 'the line');
  assert.match(String(line.fields['text']), "name: 'value'");
  assert.is((await call(url)).status, 200);
  assert.not.ok(log.find(/died/));
});

for (const [number, text] of [
  [5, 'in a callback'],
  [6, 'without a listener'],
] as const) {
  test(`an exception ${text}: the worker is replaced on the same port`, async ({ url, log, command }) => {
    command(number);
    const line = await until(() => log.find(/worker 0 died/), 'the log line about the end');
    assert.match(String(line.fields['cause']), text);
    await until(() => log.find(/worker 0 serves again/), 'the replacement');
    assert.is((await call(url)).status, 200);
  });
}

test.run();
