/** The two steps of a load: a prepared generation does not serve yet, and a discarded one leaves no trace. */
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DataPlane } from '../../src/proxy/data-plane.js';
import type { BoundListener, GenerationInput } from '../../src/proxy/types.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { removeFolders, temporaryFolder, until } from './control-kit.js';
import { generationOf } from './engine-kit.js';

const planes: DataPlane[] = [];
const sockets: Socket[] = [];
test.after.each(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const plane of planes.splice(0)) await plane.close();
});
test.after(removeFolders);

function start() {
  const registry = new StatsRegistry();
  const logs: string[] = [];
  const events = { requests: () => {}, log: (_level: string, message: string) => void logs.push(message) };
  const plane = new DataPlane({ limits: LimitTable.allocate({ slots: 1024 }) }, events);
  planes.push(plane);
  let ids = 0;
  const input = (body: string, more = ''): GenerationInput =>
    generationOf(
      `spec = 1
[listener.main]
address = "127.0.0.1:0"
${more}
[[route]]
name = "all"
match = "/{rest...}"
reply = { body = "${body}" }
`,
      registry,
      ++ids,
    );
  return { plane, input, logs };
}

const portOf = (bound: readonly BoundListener[], name = 'main'): number =>
  Number(
    bound
      .find((one) => one.name === name)
      ?.address.split(':')
      .at(-1),
  );

/** Sends a request at once and records the received bytes. */
function ask(port: number) {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  const seen = { text: '', end: '' };
  socket.on('data', (chunk: Buffer) => {
    seen.text += chunk.toString('latin1');
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.end = error.code ?? error.message;
  });
  socket.on('close', () => {
    seen.end ||= 'closed';
  });
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  return seen;
}

const MORE = '[listener.more]\naddress = "127.0.0.1:0"';

test('a connection before the commit waits for it', async () => {
  const { plane, input } = start();
  const port = portOf(await plane.prepare(input('first')));
  const early = ask(port);
  await delay(100);
  assert.is(early.text + early.end, '');
  plane.commit();
  await until(() => early.text.endsWith('first'), 'a reply');
  const bound = await plane.prepare(input('second', MORE));
  const waiting = ask(portOf(bound, 'more'));
  const served = ask(port);
  await until(() => served.text.endsWith('first'), 'a reply of the live generation');
  await delay(50);
  assert.is(waiting.text, '');
  plane.commit();
  await until(() => waiting.text.endsWith('second'), 'a reply of the new generation');
});

test('an abort closes the new listeners and the connections that waited there', async () => {
  const { plane, input } = start();
  const port = portOf(await plane.load(input('first')));
  const folder = temporaryFolder();
  const log = join(folder, 'access.log');
  const bound = await plane.prepare(input('second', `[access_log]\npath = "${log}"\n${MORE}`));
  const waiting = ask(portOf(bound, 'more'));
  await delay(50);
  plane.abort();
  await until(() => waiting.end !== '', 'the end');
  const late = ask(portOf(bound, 'more'));
  await until(() => late.end === 'ECONNREFUSED', 'the end');
  const served = ask(port);
  await until(() => served.text.endsWith('first'), 'a reply');
  assert.ok(existsSync(log), 'it was opened, to know that it can be');
  assert.is(readFileSync(log, 'utf8'), '');
  // The next attempt opens it again.
  await plane.load(input('second', `[access_log]\npath = "${log}"`));
  const logged = ask(port);
  await until(() => logged.text.endsWith('second'), 'a reply');
  await until(() => readFileSync(log, 'utf8').includes('"status":200'), 'its line');
});

test('an invalid certificate is found before any change, also on an existing listener', async () => {
  const { plane, input } = start();
  const port = portOf(await plane.load(input('first')));
  const PEM = '-----BEGIN CERTIFICATE-----\\nnonsense\\n-----END CERTIFICATE-----';
  const error = await plane.prepare(input('second', `tls = { cert = "${PEM}", key = "${PEM}" }`)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error);
  plane.commit();
  const served = ask(port);
  await until(() => served.text.endsWith('first'), 'a reply');
});

test('a prepared generation is replaced by the next one, and discarded by a drain or a close', async () => {
  const { plane, input } = start();
  const port = portOf(await plane.load(input('first')));
  const second = portOf(await plane.prepare(input('second', MORE)), 'more');
  const third = portOf(await plane.prepare(input('third', MORE)), 'more');
  assert.is((await gone(second)) && !(await gone(third)), true);
  plane.commit();
  plane.commit();
  const served = ask(port);
  await until(() => served.text.endsWith('third'), 'a reply');
  const fourth = portOf(await plane.prepare(input('fourth', '[listener.other]\naddress = "127.0.0.1:0"')), 'other');
  assert.is((await plane.drain(2000)).cut, 0);
  assert.ok(await gone(fourth));
  plane.commit();
  const refused = await plane.prepare(input('fifth')).catch((error: unknown) => error);
  assert.match(String(refused), 'closing');
});

/** Whether the port has no listener. */
function gone(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('connect', () => resolve(false));
    socket.on('error', () => resolve(true));
  });
}

test.run();
