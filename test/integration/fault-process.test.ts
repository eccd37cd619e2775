/** Bugs in a data-plane thread: what nobody catches ends no process, and at most the thread that it is in. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { GatewayStats } from '../../src/control/stats.js';
import { WorkerHost } from '../../src/control/worker-host.js';
import { checkSpec } from '../../src/lint/index.js';
import { LimitTable } from '../../src/state/limit-table.js';
import { call, closeAll, KeptLog, removeFolders, startOrigin, temporaryFolder, until } from './control-kit.js';
import { specOf } from './engine-kit.js';

interface Context {
  host: WorkerHost;
  log: KeptLog;
  url: string;
  /** Makes the thread do what the entry below has under this number. */
  command(number: number): void;
}
const test = suite<Context>('bugs in a thread');

const module = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href;
/** gw's own worker, with bugs to order. */
const entry = pathToFileURL(join(temporaryFolder(), 'buggy.mjs'));
writeFileSync(
  entry,
  `
  import { createServer } from 'node:net';
  import { parentPort, workerData } from 'node:worker_threads';
  import { serveCalls } from '${module('control/worker-calls.js')}';
  import { DataPlane } from '${module('proxy/data-plane.js')}';
  let log;
  serveCalls(parentPort, (events) => {
    log = events.log;
    return new DataPlane(workerData.options, events);
  });
  const flag = new Int32Array(workerData.options.flag);
  const bugs = [
    () => {},
    () => void Promise.reject(new Error('forgotten')),
    () => void Promise.reject(Object.create(null)),
    () => void Promise.reject(undefined),
    () => log('warn', 'odd fields', { odd: () => 'a function', name: 'value' }),
    () => setImmediate(() => { throw new Error('in a callback'); }),
    () => createServer().emit('error', new Error('nobody listens')),
  ];
  setInterval(() => bugs[Atomics.exchange(flag, 0, 0)](), 5);
`,
);

test.before.each(async (context) => {
  const origin = await startOrigin();
  const { value: model } = checkSpec({ path: '/spec/gateway.toml', text: specOf(origin.url) });
  if (!model) throw new Error('the spec is right');
  const { bundle } = compile(model, { shared: true });
  const trie = bundle.trie instanceof SharedArrayBuffer ? bundle.trie : new SharedArrayBuffer(0);
  const stats = new GatewayStats({ now: Date.now });
  const flag = new SharedArrayBuffer(4);
  context.log = new KeptLog();
  const options = { limits: LimitTable.allocate(), accessLog: null, flag };
  context.host = new WorkerHost({
    entry,
    options,
    died: () => stats.forgetWorker(0),
    events: { requests: () => {}, log: (level, message, fields) => context.log.write(level, message, fields) },
  });
  const { program, sha256 } = bundle;
  const [bound] = await context.host.prepare({ id: 1, sha256, program, trie, stats: stats.slotsFor(program) });
  context.host.commit();
  context.url = `http://${bound?.address}`;
  context.command = (number) => Atomics.store(new Int32Array(flag), 0, number);
});
test.after.each(async ({ host }) => {
  await host.close();
  await closeAll();
});
test.after(removeFolders);

test('a rejection that nobody handles is told, whatever it holds, and ends nothing', async ({ url, log, command }) => {
  for (const [number, said] of [
    [1, 'forgotten'],
    [2, 'null prototype'],
    [3, 'undefined'],
  ] as const) {
    const before = log.lines.length;
    const slow = call(`${url}/slow`);
    command(number);
    await until('the line', () => log.lines.length > before);
    const line = log.lines.at(-1)!;
    assert.match(line.message, 'a rejection was not handled');
    assert.match(String(line.fields['error']), said);
    assert.is((await slow).status, 200, 'what was in flight goes on');
  }
  assert.not.ok(log.find(/died/));
});

test('fields of a line that cannot cross to the log’s thread end nothing', async ({ url, log, command }) => {
  command(4);
  const line = await until('the line', () => log.find(/odd fields/));
  assert.match(String(line.fields['text']), "name: 'value'");
  assert.is((await call(url)).status, 200);
  assert.not.ok(log.find(/died/));
});

for (const [number, said] of [
  [5, 'in a callback'],
  [6, 'nobody listens'],
] as const) {
  test(`an exception ${said}: the thread is replaced, on the same port`, async ({ url, log, command }) => {
    command(number);
    const line = await until('the death', () => log.find(/worker 0 died/));
    assert.match(String(line.fields['cause']), said);
    await until('the next one', () => log.find(/worker 0 is back/));
    assert.is((await call(url)).status, 200);
  });
}

test.run();
