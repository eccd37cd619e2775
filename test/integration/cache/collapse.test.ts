/** Requests for the same reply at the same time: one request to the origin. */
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { until } from '../../support/until.js';
import type { RawClient } from '../engine-kit.js';
import { type CacheBed, cacheSuite, requestText, wire } from './kit.js';

const test = cacheSuite('collapsed requests');

const FRESH = 'Cache-Control: max-age=60\r\n';

/** The origin keeps its connections open and writes when the test says so. */
function hold(bed: CacheBed): Socket[] {
  const held: Socket[] = [];
  bed.target.respond = (_request, socket) => void held.push(socket);
  return held;
}

/** Opens `count` clients that ask for the same path; the first one has reached the origin, and the others wait. */
async function crowd(bed: CacheBed, held: Socket[], count: number, path = '/a'): Promise<RawClient[]> {
  const clients = [bed.plane.client()];
  clients[0]!.send(requestText(path));
  await until(() => held.length === 1, 'the request at the origin');
  for (let at = 1; at < count; at++) {
    const client = bed.plane.client();
    client.send(requestText(path));
    clients.push(client);
  }
  await until(() => bed.plane.connections >= count, 'all clients');
  // Each further request would be at the origin by now: a last one to another path is.
  const last = bed.plane.client();
  last.send(requestText(`/last${path}`));
  await until(() => held.length >= 2, 'the last request at the origin');
  assert.is(held.length, 2);
  last.socket.resetAndDestroy();
  await until(() => bed.plane.connections === count, 'the last client has left');
  return clients;
}

test('waiters get the body as it comes', async ({ bed }) => {
  const held = hold(bed);
  const clients = await crowd(bed, held, 4);
  held[0]!.write(`HTTP/1.1 200 OK\r\n${FRESH}Content-Length: 8\r\n\r\nhalf`);
  for (const client of clients) await until(() => client.pending.endsWith('half'), 'half of the body');
  held[0]!.write('rest');
  const replies = await Promise.all(clients.map((client) => client.reply()));
  assert.equal(
    replies.map(({ body }) => body.toString()),
    ['halfrest', 'halfrest', 'halfrest', 'halfrest'],
  );
  assert.equal(
    replies.map((reply) => reply.header('cache-status')),
    ['gw; fwd=uri-miss; stored', ...Array(3).fill('gw; fwd=uri-miss; collapsed')],
  );
  for (const client of clients) client.destroy();
});

test('a reply of unknown length is shared too', async ({ bed }) => {
  const held = hold(bed);
  const clients = await crowd(bed, held, 3);
  held[0]!.write(`HTTP/1.1 200 OK\r\n${FRESH}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
  held[0]!.write('2\r\nde\r\n0\r\n\r\n');
  for (const client of clients) assert.is((await client.reply()).body.toString(), 'abcde');
  assert.is((await bed.ask('/a')).header('cache-status'), 'gw; hit; ttl=60');
  for (const client of clients) client.destroy();
});

test('the others get their reply if the first client leaves before its head, and within its body', async ({ bed }) => {
  const held = hold(bed);
  for (const [path, begun] of [
    ['/before', false],
    ['/within', true],
  ] as const) {
    held.length = 0;
    const [first, ...others] = await crowd(bed, held, 3, path);
    const head = `HTTP/1.1 200 OK\r\n${FRESH}Content-Length: 8\r\n\r\n`;
    if (begun) {
      held[0]!.write(`${head}half`);
      for (const client of [first!, ...others]) await until(() => client.pending.endsWith('half'), 'half of the body');
    }
    const { connections } = bed.plane;
    first!.socket.resetAndDestroy();
    await until(() => bed.plane.connections < connections, 'the client has left');
    held[0]!.write(begun ? 'rest' : `${head}halfrest`);
    for (const client of others) {
      assert.is((await client.reply()).body.toString(), 'halfrest');
      client.destroy();
    }
    await until(() => bed.plane.connections === 0, 'no client is left');
    assert.is((await bed.ask(path)).header('cache-status'), 'gw; hit; ttl=60');
  }
});

test('a private reply is for the first client only, and the others are not held up', async ({ bed }) => {
  const held = hold(bed);
  const clients = await crowd(bed, held, 4);
  held[0]!.write('HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 5\r\n\r\nfirst');
  // The last request of crowd() is at the origin as well.
  await until(() => held.length === 5, 'the other requests at the origin');
  for (const [at, socket] of held.entries())
    if (at >= 2) socket.write(`HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: 5\r\n\r\nnum ${at}`);
  const bodies = (await Promise.all(clients.map((client) => client.reply()))).map(({ body }) => body.toString());
  assert.equal(bodies.sort(), ['first', 'num 2', 'num 3', 'num 4']);
  // From now on, requests for it do not wait for each other.
  const more = [bed.plane.client(), bed.plane.client()];
  for (const client of more) client.send(requestText('/a'));
  await until(() => held.length === 7, 'both requests at the origin');
  for (const client of [...clients, ...more]) client.destroy();
});

test('a slow origin: after collapse_wait the others ask it themselves', async ({ bed }) => {
  const held = hold(bed);
  const clients = await crowd(bed, held, 3);
  bed.time.pass(6000);
  await until(() => held.length === 4, 'the other requests at the origin');
  for (const socket of held) socket.write(`HTTP/1.1 200 OK\r\n${FRESH}Content-Length: 2\r\n\r\nok`);
  for (const client of clients) {
    assert.is((await client.reply()).body.toString(), 'ok');
    client.destroy();
  }
});

test('a failure of the origin fails the first request; another one then asks for the rest', async ({ bed }) => {
  const held = hold(bed);
  const clients = await crowd(bed, held, 3);
  held[0]!.destroy();
  await until(() => held.length >= 3, 'another request at the origin');
  for (const socket of held) socket.write(`HTTP/1.1 200 OK\r\n${FRESH}Content-Length: 2\r\n\r\nok`);
  await until(() => clients.every(({ pending }) => pending !== ''), 'all replies');
  for (const client of clients) client.destroy();
});

test('a client that does not read stops neither the others nor the origin', async ({ bed }) => {
  const held = hold(bed);
  const [slow, ...others] = await crowd(bed, held, 3);
  slow!.socket.pause();
  const body = Buffer.alloc(6 * 1024 * 1024, 'x');
  held[0]!.write(`HTTP/1.1 200 OK\r\n${FRESH}Content-Length: ${body.length}\r\n\r\n`);
  held[0]!.write(body);
  for (const client of others) assert.ok((await client.reply()).body.equals(body));
  slow!.socket.resume();
  assert.ok((await slow!.reply()).body.equals(body));
  for (const client of [slow!, ...others]) client.destroy();
});

test('a body that is too large to be stored goes on at the pace of its readers', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nmax_entry = "1MiB"\n');
  const held = hold(bed);
  const clients = await crowd(bed, held, 3);
  held[0]!.write(`HTTP/1.1 200 OK\r\n${FRESH}Transfer-Encoding: chunked\r\n\r\n1\r\ny\r\n`);
  const piece = Buffer.alloc(64 * 1024, 'y');
  for (const client of clients) await until(() => client.pending.includes('\r\n\r\n'), 'the head');
  const whole = Promise.all(clients.map((client) => client.reply()));
  for (let at = 0; at < 64; at++) {
    held[0]!.write(Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  held[0]!.write('0\r\n\r\n');
  for (const { body } of await whole) assert.is(body.length, 64 * piece.length + 1);
  for (const client of clients) client.destroy();
});

test('a body that takes longer than its reply is fresh: later requests share the next one', async ({ bed }) => {
  const held = hold(bed);
  const first = bed.plane.client();
  first.send(requestText('/a'));
  await until(() => held.length === 1, 'the request at the origin');
  const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nContent-Length: 8\r\n\r\n';
  held[0]!.write(`${head}slow`);
  await until(() => first.pending.endsWith('slow'), 'half of the body');
  bed.pass(5);
  const later = await followers(bed, held, 4, {});
  assert.is(held.length, 3);
  held[1]!.write(`${head}next one`);
  for (const client of later.slice(0, 4)) assert.is((await client.reply()).body.toString(), 'next one');
  held[0]!.write('slow');
  assert.is((await first.reply()).body.toString(), 'slowslow');
  for (const client of [first, ...later]) client.destroy();
});

/** `count` further clients with these fields, which have sent their requests by the time a last one of another path is at the origin. */
async function followers(
  bed: CacheBed,
  held: Socket[],
  count: number,
  fields: { readonly [name: string]: string },
): Promise<RawClient[]> {
  const before = held.length;
  const clients = Array.from({ length: count }, () => bed.plane.client());
  for (const client of clients) client.send(requestText('/a', fields));
  const last = bed.plane.client();
  last.send(requestText(`/last/${before}`));
  await until(
    () => bed.target.arrived.at(-1)?.url === `/last/${before}` && held.length > before,
    'the last request at the origin',
  );
  return [...clients, last];
}

test('requests with credentials, whose replies are not shared, do not wait for each other in turn', async ({ bed }) => {
  const held = hold(bed);
  const clients = await followers(bed, held, 5, { authorization: 'Bearer x' });
  assert.is(held.length, 2);
  held[0]!.write(wire({ fields: { 'cache-control': 'max-age=60' }, body: 'x' }));
  await until(() => held.length === 6, 'the others at the origin');
  // Others may share replies nevertheless.
  const before = held.length;
  const more = await followers(bed, held, 3, {});
  assert.is(held.length, before + 2);
  for (const client of [...clients, ...more]) client.destroy();
});

test('requests for a reply that is validated each time do not wait for each other in turn', async ({ bed }) => {
  const fields = { 'cache-control': 'no-cache', etag: '"v1"' };
  bed.origin = () => ({ fields, body: 'kept' });
  await bed.ask('/a');
  const held = hold(bed);
  // What was stored with the first reply has kept them apart for a while.
  bed.time.pass(60_000);
  const clients = await followers(bed, held, 5, {});
  assert.is(held.length, 2);
  held[0]!.write(wire({ status: 304, fields }));
  await until(() => held.length === 6, 'the others at the origin');
  for (const [at, socket] of held.entries()) if (at > 1) socket.write(wire({ status: 304, fields }));
  for (const client of clients.slice(0, 5)) assert.is((await client.reply()).body.toString(), 'kept');
  for (const client of clients) client.destroy();
});

test('requests do not wait for the end of a long body that is not shared', async ({ bed }) => {
  const held = hold(bed);
  const clients = await followers(bed, held, 3, {});
  held[0]!.write(
    'HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nETag: "1"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n',
  );
  await until(() => held.length === 4, 'the others at the origin');
  for (const client of clients) client.destroy();
});

test('requests for another variant than that on its way cause one request', async ({ bed }) => {
  const held = hold(bed);
  const first = bed.plane.client();
  first.send(requestText('/a', { 'x-v': '0' }));
  await until(() => held.length === 1, 'the first request');
  const clients = await followers(bed, held, 5, { 'x-v': '1' });
  held[0]!.write(wire({ fields: { 'cache-control': 'max-age=60', vary: 'x-v' }, body: 'zero' }));
  await until(() => held.length === 3, 'one request for the other variant');
  held[2]!.write(wire({ fields: { 'cache-control': 'max-age=60', vary: 'x-v' }, body: 'one' }));
  for (const client of clients.slice(0, 5)) assert.is((await client.reply()).body.toString(), 'one');
  assert.is(held.length, 3);
  for (const client of [first, ...clients]) client.destroy();
});

test('variants that are known do not wait for each other', async ({ bed }) => {
  bed.origin = ({ header }) => ({ fields: { 'cache-control': 'max-age=1', vary: 'x-v', etag: `"${header('x-v')}"` } });
  for (const value of ['0', '1']) await bed.ask('/a', { 'x-v': value });
  bed.pass(5);
  const held = hold(bed);
  const clients = [bed.plane.client(), bed.plane.client()];
  for (const [at, client] of clients.entries()) client.send(requestText('/a', { 'x-v': String(at) }));
  await until(() => held.length === 2, 'both at the origin');
  for (const client of clients) client.destroy();
});

test('the condition of a client does not keep others from sharing', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({ status: 304, fields: { etag: '"x"' } });
  assert.is((await bed.ask('/a', { 'if-none-match': '"x"' })).status, 304);
  const held = hold(bed);
  const clients = await followers(bed, held, 3, {});
  assert.is(held.length, 2);
  for (const client of clients) client.destroy();
});

test('an endless body that is not stored ends with its client', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nttl = "60s"\nmax_entry = "64KiB"\n');
  const held = hold(bed);
  const client = bed.plane.client();
  client.send(requestText('/a'));
  await until(() => held.length === 1, 'the request at the origin');
  let closed = false;
  held[0]!
    .on('error', () => {})
    .on('close', () => {
      closed = true;
    });
  held[0]!.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = Buffer.concat([Buffer.from('18000\r\n'), Buffer.alloc(0x18000, 'x'), Buffer.from('\r\n')]);
  held[0]!.write(chunk);
  await until(() => client.pending.length > 0x18000, 'more than is stored');
  client.socket.resetAndDestroy();
  await until(() => bed.plane.connections === 0, 'the client has left');
  await until(() => {
    if (!closed) held[0]!.write(chunk);
    return closed;
  }, 'the end of the connection to the origin');
});

const late: readonly (readonly [what: string, maxAge: number, fields: { readonly [name: string]: string }])[] = [
  ['a reply that has become stale', 1, {}],
  ['a reply that is older than the request allows', 60, { 'cache-control': 'max-age=2' }],
  ['a reply that was on its way before the request asked for a validation', 60, { 'cache-control': 'no-cache' }],
];

for (const [what, maxAge, fields] of late)
  test(`${what} answers no late request while its body comes`, async ({ bed }) => {
    const held = hold(bed);
    const [first, second] = [bed.plane.client(), bed.plane.client()];
    first.send(requestText('/a'));
    await until(() => held.length === 1, 'the request at the origin');
    held[0]!.write(`HTTP/1.1 200 OK\r\nCache-Control: max-age=${maxAge}\r\nContent-Length: 8\r\n\r\nhalf`);
    await until(() => first.pending.endsWith('half'), 'half of the body');
    bed.pass(5);
    second.send(requestText('/a', fields));
    await until(() => held.length === 2, 'the second request at the origin');
    for (const client of [first, second]) client.destroy();
  });

test('reloads that wait for a validation do without one of their own', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60', etag: '"v1"' }, body: 'kept' });
  await bed.ask('/a');
  const held = hold(bed);
  const clients = Array.from({ length: 5 }, () => bed.plane.client());
  for (const client of clients.slice(1)) client.send(requestText('/a', { 'cache-control': 'max-age=0' }));
  await until(() => held.length === 1, 'the request at the origin');
  clients[0]!.send(requestText('/last'));
  await until(() => held.length === 2, 'the last request at the origin');
  held[0]!.write(`HTTP/1.1 304 Not Modified\r\n${FRESH}ETag: "v1"\r\n\r\n`);
  for (const client of clients.slice(1)) assert.is((await client.reply()).body.toString(), 'kept');
  assert.is(held.length, 2);
  for (const client of clients) client.destroy();
});

test('a reload that waits for the head of a reply gets that reply', async ({ bed }) => {
  const held = hold(bed);
  const [first, second, last] = [bed.plane.client(), bed.plane.client(), bed.plane.client()];
  first.send(requestText('/a'));
  await until(() => held.length === 1, 'the request at the origin');
  second.send(requestText('/a', { 'cache-control': 'no-cache' }));
  last.send(requestText('/last'));
  await until(() => held.length === 2, 'the last request at the origin');
  held[0]!.write(`HTTP/1.1 200 OK\r\n${FRESH}Content-Length: 2\r\n\r\nok`);
  for (const client of [first, second]) assert.is((await client.reply()).body.toString(), 'ok');
  assert.is(held.length, 2);
  for (const client of [first, second, last]) client.destroy();
});

test('a stale reply is validated once for all', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1', etag: '"v1"' }, body: 'kept' });
  await bed.ask('/a');
  bed.pass(5);
  bed.target.forget();
  const held = hold(bed);
  const clients = await crowd(bed, held, 4);
  assert.is(bed.target.arrived[0]!.header('if-none-match'), '"v1"');
  held[0]!.write(`HTTP/1.1 304 Not Modified\r\n${FRESH}ETag: "v1"\r\n\r\n`);
  for (const client of clients) {
    assert.is((await client.reply()).body.toString(), 'kept');
    client.destroy();
  }
  assert.is(held.length, 2);
});

test('requests for a range, and those that must not be stored, go to the origin on their own', async ({ bed }) => {
  const held = hold(bed);
  const clients = [{}, { range: 'bytes=0-1' }, { 'cache-control': 'no-store' }].map((fields) => {
    const client = bed.plane.client();
    client.send(requestText('/a', fields));
    return client;
  });
  await until(() => held.length === 3, 'all requests at the origin');
  for (const client of clients) client.destroy();
});

test.run();
