/** Request bodies are collected before a target connection is used: a slow client costs only memory. */
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { Plane, type RawClient, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const KIB = 1024;
const test = engineSuite('uploads', { service: 'retries = 0\nmax_connections = 4' });
const head = (fields: string, method = 'POST'): string =>
  `${method} / HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n\r\n`;
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** A separate route, because the exchange that holds the connection must not end first. */
const UPLOADS = '[[route]]\nname = "up"\nmatch = "POST /up"\nto = "it"\ntimeout = "300ms"';

/** Clients that send only `text`. */
function slow(plane: Plane, count: number, text: string): RawClient[] {
  return Array.from({ length: count }, () => {
    const client = plane.client();
    client.send(text);
    return client;
  });
}

for (const [what, first, rest] of [
  ['a length', `${head('Content-Length: 10')}abcde`, 'fghij'],
  ['chunks', `${head('Transfer-Encoding: chunked')}5\r\nabcde\r\n`, '5\r\nfghij\r\n0\r\n\r\n'],
  ['chunks and trailers', `${head('Transfer-Encoding: chunked')}5\r\nabcde\r\n`, '5\r\nfghij\r\n0\r\nX-A: b\r\n\r\n'],
] as const) {
  test(`a hundred slow bodies with ${what} do not block a target with four connections`, async ({ plane, target }) => {
    const bodies: string[] = [];
    target.respond = faults.whole((body) => bodies.push(body.toString('latin1')));
    const clients = slow(plane, 100, first);
    await until(() => plane.connections === 100, 'all of them');
    // Longer than the wait before slow clients are shed.
    const since = performance.now();
    for (let asked = 0; asked < 20 || performance.now() - since < 500; asked++) {
      assert.is((await plane.ask(GET)).status, 200);
      assert.is((await plane.ask(`${head('Content-Length: 2')}hi`)).status, 200);
    }
    assert.ok(target.open <= 4);
    bodies.length = 0;
    for (const client of clients) client.send(rest);
    for (const client of clients) {
      assert.is((await client.reply()).status, 200);
      client.destroy();
    }
    assert.equal(new Set(bodies), new Set(['abcdefghij']));
  });
}

test('a client that waits for a reply to the first part of its body is answered', async ({ plane, target }) => {
  for (const [first, rest] of [
    [`${head('Transfer-Encoding: chunked')}5\r\nabcde\r\n`, '0\r\n\r\n'],
    [`${head('Content-Length: 10')}abcde`, 'fghij'],
  ] as const) {
    target.respond = faults.say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
    const client = plane.client();
    client.send(first);
    assert.is((await client.reply()).body.toString(), 'hi');
    client.send(rest);
    client.destroy();
  }
});

test('clients that disconnect while their bodies are collected do not occupy the target', async ({ plane, target }) => {
  const clients = slow(plane, 50, `${head('Content-Length: 100000')}${'x'.repeat(1000)}`);
  await until(() => plane.connections === 50, 'all of them');
  for (const client of clients) client.socket.resetAndDestroy();
  await until(() => plane.connections === 0, 'all of them to be closed');
  assert.ok(target.connections <= 2);
  assert.is((await plane.ask(GET)).status, 200);
});

test('a body that exceeds the timeout of its route: 408', async ({ target }) => {
  const plane = await Plane.start(specOf(target.url, { more: UPLOADS, service: 'max_connections = 1' }));
  target.respond = faults.never;
  const holder = plane.client();
  holder.send(GET);
  await until(() => target.arrived.length === 1, 'the only connection to be in use');
  const client = plane.client();
  client.send(`${head('Content-Length: 10').replace(' / ', ' /up ')}abcde`);
  const reply = await client.reply();
  assert.is(reply.status, 408);
  await plane.record(({ error }) => error === 'request/timeout');
  holder.destroy();
  client.destroy();
  await plane.close();
});

test('bodies of many sizes in parts of many sizes arrive complete and in order', async ({ plane, target }) => {
  const bodies: Buffer[] = [];
  target.respond = faults.whole((body) => bodies.push(body));
  for (const size of [1, 100, 8 * KIB, 64 * KIB - 1, 64 * KIB, 200 * KIB, 3000 * KIB]) {
    const body = Buffer.alloc(size);
    for (let at = 0; at < size; at++) body[at] = (at * 31 + (at >> 8)) & 255;
    for (const step of [size, Math.ceil(size / 3), Math.ceil(size / 20)]) {
      const client = plane.client();
      client.send(head(`Content-Length: ${size}`));
      for (let at = 0; at < size; at += step) {
        client.send(body.subarray(at, at + step));
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.is((await client.reply()).status, 200);
      assert.ok(bodies.pop()?.equals(body), `${size} in steps of ${step}`);
      client.destroy();
    }
  }
});

for (const [what, text, close] of [
  ['of an unknown length', `${head('Transfer-Encoding: chunked')}11170\r\n${'x'.repeat(70_000)}\r\n`, true],
  ['with a long rest', `${head('Content-Length: 1000000')}${'x'.repeat(70_000)}`, true],
  ['with a short rest', `${head('Content-Length: 70010')}${'x'.repeat(70_000)}`, false],
] as const)
  test(`a gateway reply during a body ${what} says whether the connection closes`, async ({ plane }) => {
    const url = `http://127.0.0.1:${await faults.refusingPort()}`;
    await plane.load(specOf(url, { service: 'retries = 0\neject_after = 0' }));
    const client = plane.client();
    client.send(text);
    const reply = await client.reply();
    assert.is(reply.status, 502);
    assert.is(reply.header('connection'), close ? 'close' : undefined);
    if (close) await client.end();
    else {
      client.send(`${'x'.repeat(10)}${GET}`);
      assert.is((await client.reply()).status, 502);
    }
    client.destroy();
  });

test('bodies are streamed if no memory for bodies is left', async ({ target }) => {
  const plane = await Plane.start(specOf(target.url, {}), { bodyMemory: 0 });
  const bodies: number[] = [];
  target.respond = faults.whole((body) => bodies.push(body.length));
  const client = plane.client();
  client.send(`${head('Content-Length: 200000')}abc`);
  await until(() => target.connections === 1, 'the request to reach the target');
  client.send('x'.repeat(199_997));
  assert.is((await client.reply()).status, 200);
  assert.equal(bodies, [200_000]);
  client.destroy();
  await plane.close();
});

test.run();
