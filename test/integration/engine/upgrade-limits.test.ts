/** Timeouts of upgrades, and upgrades to unreachable targets. */
import * as assert from 'uvu/assert';
import { FullBacklog, refusingPort } from '../../support/fault-target.js';
import { type Arrived, FaultTarget, type RawReply, say, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('limits of upgrades');
const UPGRADE = 'GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n';
const switching = (_request: Arrived, socket: import('node:net').Socket): void => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n');
  socket.on('data', (chunk: Buffer) => socket.write(chunk));
};

test.before.each(({ target }) => {
  target.respond = switching;
});

const code = (body: Buffer): string => JSON.parse(body.toString()).type;

test('an upgrade whose target refuses the connection is retried on another target, up to retries', async ({
  target,
  plane,
}) => {
  const dead = `http://127.0.0.1:${await refusingPort()}`;
  await plane.load(specOf([dead, target.url], { service: 'retries = 1\neject_after = 0' }));
  for (let i = 0; i < 4; i++) assert.is((await plane.ask(UPGRADE)).status, 101);
  assert.is(target.arrived.length, 4);
  await plane.load(specOf([dead, target.url], { service: 'retries = 0\neject_after = 0' }));
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await plane.ask(UPGRADE)).status);
  assert.equal(statuses.sort(), [101, 101, 502, 502]);
});

test('an upgrade whose target does not accept: 504 after connect_timeout, or a retry on another target', async ({
  target,
  plane,
}) => {
  const full = await FullBacklog.start();
  await plane.load(specOf(full.url, { service: 'retries = 0\nconnect_timeout = "150ms"' }));
  const reply = await plane.ask(UPGRADE);
  assert.is(reply.status, 504);
  assert.match(code(reply.body), 'upstream/connect-timeout');
  await plane.load(specOf([full.url, target.url], { service: 'retries = 1\nconnect_timeout = "150ms"' }));
  for (let i = 0; i < 2; i++) assert.is((await plane.ask(UPGRADE)).status, 101);
  await full.close();
});

test('an upgrade request is not retried after it was sent', async ({ target, plane }) => {
  const other = await FaultTarget.start((_request, socket) => socket.destroy());
  target.respond = (_request, socket) => socket.destroy();
  await plane.load(specOf([other.url, target.url], { service: 'retries = 3\neject_after = 0' }));
  assert.is((await plane.ask(UPGRADE)).status, 502);
  assert.is(target.arrived.length + other.arrived.length, 1);
  await other.close();
});

test('a target is ejected after failed upgrades as after failed requests', async ({ plane }) => {
  const dead = `http://127.0.0.1:${await refusingPort()}`;
  await plane.load(specOf(dead, { service: 'retries = 0\neject_after = 2' }));
  for (let i = 0; i < 2; i++) assert.is((await plane.ask(UPGRADE)).status, 502);
  assert.ok(plane.logs.some(({ message }) => /target ejected/.test(message)));
});

test('a reply other than 101 that stalls in its body is aborted', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'response_timeout = "150ms"' }));
  for (const begun of [
    'Content-Length: 10\r\n\r\n12345',
    'Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n',
    '\r\n12345',
  ]) {
    target.respond = say(`HTTP/1.1 200 OK\r\n${begun}`);
    const client = plane.client();
    client.send(UPGRADE);
    await until(() => client.closed, 'the connection to be closed');
    assert.ok(client.pending.includes('12345'));
    assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
  }
  assert.equal(new Set(plane.records.map(({ error }) => error)), new Set(['upstream/timeout']));
  await until(() => target.open === 0, 'the target connection to be closed');
});

test('response_timeout is paused while the client does not read', async ({ target, plane, time }) => {
  await plane.load(specOf(target.url, { service: 'response_timeout = "300ms"' }));
  const big = Buffer.alloc(16 * 1024 * 1024, 0x62);
  let waiting = (): number => 0;
  target.respond = (_request, socket) => {
    waiting = () => socket.writableLength;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
    socket.write(big);
  };
  time.stop();
  const client = plane.client();
  client.send(UPGRADE);
  await until(() => client.pending.length > 0, 'the beginning');
  client.socket.pause();
  await until(async () => {
    const before = waiting();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return before > 0 && before === waiting();
  }, 'the target to be held up');
  time.pass(1000);
  // A timer of 300 ms would look at the clock now.
  await new Promise((resolve) => setTimeout(resolve, 500));
  client.socket.resume();
  assert.is((await client.reply()).body.length, big.length);
  client.destroy();
});

test('tunnel_idle_timeout restarts with traffic in either direction and closes an idle tunnel', async ({
  target,
  plane,
  time,
}) => {
  await plane.load(specOf(target.url, { service: 'tunnel_idle_timeout = "400ms"' }));
  const client = plane.client();
  client.send(UPGRADE);
  assert.is((await client.reply()).status, 101);
  time.stop();
  for (let i = 1; i <= 4; i++) {
    time.pass(300);
    // Longer than the interval between two deadline checks.
    await new Promise((resolve) => setTimeout(resolve, 250));
    client.send('x');
    await until(() => client.pending.length === i, 'the echo');
  }
  assert.not.ok(client.ended);
  time.go();
  await client.end().catch(() => undefined);
  await until(() => target.open === 0, 'the target connection to be closed');
  const record = await plane.record(({ status }) => status === 101);
  assert.is(record.error, 'tunnel/idle');
  assert.is(record.bytesIn, 4);
  client.destroy();
});

test('tunnel_idle_timeout = 0s disables the timeout', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'tunnel_idle_timeout = "0s"' }));
  const client = plane.client();
  client.send(UPGRADE);
  await client.reply();
  await new Promise((resolve) => setTimeout(resolve, 300));
  client.send('still');
  await until(() => client.pending === 'still', 'the echo');
  client.destroy();
});

test('more than 32 informational replies to an upgrade: 502', async ({ target, plane }) => {
  const hints = (count: number): string => 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(count);
  target.respond = say(
    `${hints(33)}HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n`,
  );
  const ask = async (): Promise<RawReply> => {
    const client = plane.client();
    client.send(UPGRADE);
    for (let i = 0; i < 32; i++) assert.is((await client.reply()).status, 103);
    const reply = await client.reply();
    client.destroy();
    return reply;
  };
  const reply = await ask();
  assert.is(reply.status, 502);
  assert.match(code(reply.body), 'upstream/invalid');
  target.respond = say(`${hints(32)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
  assert.is((await ask()).status, 200);
});

test.run();
