/** Replies that a client gets for faults of a target, as listed in docs/faults.md. */
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { FaultTarget, FullBacklog } from '../../support/fault-target.js';
import { type RawClient, type RawReply, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi';
const SERVICE = 'retries = 0\neject_after = 0\nconnect_timeout = "150ms"\nresponse_timeout = "150ms"';

const test = engineSuite('target faults', { service: SERVICE });

/** Asserts a complete problem reply that does not reveal the target. */
function isProblem(reply: RawReply, status: number, code: string): void {
  assert.is(JSON.parse(reply.body.toString()).type, `urn:gw:problem:${code}`);
  assert.is(reply.status, status);
  assert.not.match(reply.body.toString(), /127\.0\.0\.1|E[A-Z]{4,}|errno|syscall/);
}

/** Asserts an aborted reply: the client can tell that it is incomplete. */
async function isCut(client: RawClient, begun: string): Promise<void> {
  await client.end();
  // A reply aborted before its head is sent leaves no bytes.
  if (client.pending === '') return;
  assert.match(client.pending, begun);
  const [head = '', body = ''] = client.pending.split('\r\n\r\n');
  const length = /content-length: (\d+)/.exec(head)?.[1];
  if (length === undefined) assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
  else assert.ok(body.length < Number(length), `${body.length} of ${length}`);
}

const CLOSED_EARLY: readonly (readonly [what: string, fault: faults.Fault, status: number, code: string])[] = [
  ['never replies', faults.never, 504, 'upstream/timeout'],
  ['sends half a head and hangs', faults.say('HTTP/1.1 200 OK\r\nContent-'), 504, 'upstream/timeout'],
  ['closes before a head', faults.sayAndClose(), 502, 'upstream/reset'],
  ['resets before a head', faults.sayAndReset(), 502, 'upstream/reset'],
  ['closes in a head', faults.sayAndClose('HTTP/1.1 200 OK\r\nConte'), 502, 'upstream/reset'],
  ['resets in a head', faults.sayAndReset('HTTP/1.1 200 OK\r\nConte'), 502, 'upstream/reset'],
  ['closes between 100 and its reply', faults.sayAndClose('HTTP/1.1 100 Continue\r\n\r\n'), 502, 'upstream/reset'],
  ['sends garbage', faults.say('\u0000\u0001\u00ff\r\n\r\n'), 502, 'upstream/invalid'],
  ['speaks another protocol', faults.say('220 mail.example ESMTP\r\n'), 502, 'upstream/invalid'],
  ['starts a TLS handshake', faults.say('\x15\x03\x01\x00\x02\x02\x16'), 502, 'upstream/invalid'],
  ['sends an endless head', faults.say(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(40_000)}`), 502, 'upstream/invalid'],
  ['floods with 103', faults.interims(10_000), 502, 'upstream/invalid'],
  ['switches protocols without a request', faults.say('HTTP/1.1 101 S\r\nupgrade: x\r\n\r\n'), 502, 'upstream/invalid'],
];

for (const [what, fault, status, code] of CLOSED_EARLY) {
  test(`a target that ${what}: ${status} ${code}`, async ({ target, plane }) => {
    target.respond = fault;
    const client = plane.client();
    client.send(GET);
    let reply = await client.reply();
    while (reply.status < 200) reply = await client.reply();
    isProblem(reply, status, code);
    await until(() => target.open === 0, 'the connection to be closed');
    assert.is((await plane.record(({ error }) => error !== null)).error, code);
    // The client connection is still usable.
    target.respond = faults.ok('well again');
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'well again');
    client.destroy();
  });
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const LENGTH = `${HEAD}Content-Length: 10\r\n\r\n12345`;
const CHUNKS = `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n`;
const CUT: readonly (readonly [what: string, fault: faults.Fault, error: string])[] = [
  ['hangs after its head', faults.say(`${HEAD}Content-Length: 10\r\n\r\n`), 'upstream/timeout'],
  ['hangs in a body of known length', faults.say(LENGTH), 'upstream/timeout'],
  ['hangs between chunks', faults.say(CHUNKS), 'upstream/timeout'],
  ['closes before its Content-Length', faults.sayAndClose(LENGTH), 'upstream/aborted'],
  ['closes before its last chunk', faults.sayAndClose(CHUNKS), 'upstream/aborted'],
  ['resets in a body of known length', faults.sayAndReset(LENGTH), 'upstream/aborted'],
  ['resets between chunks', faults.sayAndReset(CHUNKS), 'upstream/aborted'],
  ['resets in a body that ends with the connection', faults.sayAndReset(`${HEAD}\r\n12345`), 'upstream/aborted'],
  ['sends garbage between chunks', faults.sayInTurn(CHUNKS, 'what?\r\n'), 'upstream/invalid'],
  ['stops in the middle of a big body', faults.flood(8 << 20, undefined, 1 << 20), 'upstream/timeout'],
];

for (const [what, fault, error] of CUT) {
  test(`a target that ${what}: the reply is aborted, ${error}`, async ({ target, plane }) => {
    target.respond = fault;
    const client = plane.client();
    client.send(GET);
    await isCut(client, 'HTTP/1.1 200 OK');
    await until(() => target.open === 0, 'the connection to be closed');
    const record = await plane.record((one) => one.error !== null);
    assert.is(record.error, error);
    assert.is(record.status, 200);
    assert.is(target.arrived.length, 1, 'what has begun is not repeated');
  });
}

test('surplus bytes after a reply are discarded', async ({ target, plane }) => {
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
  for (const before of [
    `${HEAD}Content-Length: 2\r\n\r\nok`,
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  ]) {
    target.respond = faults.say(before + evil);
    for (let turn = 0; turn < 3; turn++) assert.is((await plane.ask(GET)).body.toString(), 'ok');
  }
  assert.is(target.connections, 6, 'none of them was used again');
});

test('a slow body does not time out while bytes arrive', async ({ target, plane }) => {
  target.respond = (request, socket) => {
    faults.say(`${HEAD}Content-Length: 20\r\n\r\n`)(request, socket);
    faults.drip('01234567890123456789', 20)(request, socket);
  };
  assert.is((await plane.ask(GET)).body.toString(), '01234567890123456789');
});

test('a slow head is limited as a whole, not per byte', async ({ target, plane }) => {
  target.respond = faults.drip(`HTTP/1.1 200 OK\r\na: ${'b'.repeat(1000)}\r\nContent-Length: 0\r\n\r\n`, 20);
  isProblem(await plane.ask(GET), 504, 'upstream/timeout');
});

test('a target that never accepts: 504 after connect_timeout, also for a POST', async ({ plane }) => {
  const full = await FullBacklog.start();
  try {
    await plane.load(specOf(full.url, { service: SERVICE }));
    const since = performance.now();
    isProblem(await plane.ask(GET), 504, 'upstream/connect-timeout');
    isProblem(await plane.ask(POST), 504, 'upstream/connect-timeout');
    assert.ok(performance.now() - since < 2000);
  } finally {
    await full.close();
  }
});

test('a target that never accepts: the retry goes to another target', async ({ target, plane }) => {
  const full = await FullBacklog.start();
  try {
    await plane.load(specOf([full.url, target.url], { service: `${SERVICE.replace('retries = 0', 'retries = 1')}` }));
    assert.is((await plane.ask(POST)).body.toString(), 'hello');
    assert.is((await plane.ask(POST)).body.toString(), 'hello');
  } finally {
    await full.close();
  }
});

test('a target that resets each new connection: 502', async ({ plane }) => {
  const rude = await FaultTarget.start(faults.never, { onConnection: (socket) => socket.resetAndDestroy() });
  await plane.load(specOf(rude.url, { service: SERVICE }));
  const reply = await plane.ask(GET);
  assert.is(reply.status, 502);
  await rude.close();
});

test('a connection on which the target sends first is not used', async ({ plane }) => {
  const eager = await FaultTarget.start(faults.ok('asked'), {
    onConnection: (socket, connection) => {
      if (connection === 0) socket.write(`${HEAD}Content-Length: 5\r\n\r\neager`);
    },
  });
  await plane.load(specOf(eager.url, { service: SERVICE.replace('retries = 0', 'retries = 1') }));
  const replies = [await plane.ask(GET), await plane.ask(GET), await plane.ask(GET)];
  // The first request can meet bytes that arrived while it was written; they count as its reply only.
  assert.ok(replies.slice(1).every(({ body }) => body.toString() === 'asked'));
  await eager.close();
});

for (const close of [faults.sayAndClose(), faults.sayAndReset()]) {
  test('an idle connection that closes while a request is written: a GET is retried, a POST is not', async ({
    target,
    plane,
  }) => {
    const client = plane.client();
    target.respond = faults.afterRequests(1, faults.ok('first'), close);
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'first');
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'first', 'from a second connection');
    assert.is(target.connections, 2);
    client.send(POST);
    isProblem(await client.reply(), 502, 'upstream/reset');
    assert.is(target.count('POST'), 1);
    assert.is(target.connections, 2);
    client.destroy();
  });
}

test('a request succeeds after all idle connections have closed', async ({ target, plane }) => {
  const clients = [plane.client(), plane.client(), plane.client()];
  const held: faults.Arrived[] = [];
  target.respond = (request) => held.push(request);
  for (const client of clients) client.send(GET);
  await until(() => held.length === clients.length, 'all requests');
  for (const request of held) faults.ok('one')(request, request.socket);
  for (const client of clients) await client.reply();
  for (const socket of target.sockets) socket.end();
  await until(() => target.open === 0, 'the target’s side to be closed');
  target.respond = faults.ok('two');
  for (const client of clients) {
    client.send(POST);
    assert.is((await client.reply()).body.toString(), 'two');
    client.destroy();
  }
  assert.is(target.count('POST'), 3);
});

const LONG = 2_000_000;
const UPLOAD = `POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${LONG}\r\n\r\n`;
const TOO_LARGE = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large';

test('a target that replies before the end of the body: the reply is forwarded', async ({ plane }) => {
  for (const fault of [faults.say(TOO_LARGE), faults.sayAndClose(TOO_LARGE)]) {
    const target = await FaultTarget.start(fault);
    await plane.load(specOf(target.url, { service: SERVICE }));
    const client = plane.client();
    client.send(UPLOAD);
    client.send(Buffer.alloc(1000, 'x'));
    const reply = await client.reply();
    assert.is(reply.status, 413);
    assert.is(reply.body.toString(), 'too large');
    client.destroy();
    await target.close();
  }
});

test('a target that replies and resets during the body: the reply is forwarded', async ({ plane }) => {
  const target = await FaultTarget.start(faults.sayAndReset(TOO_LARGE));
  await plane.load(specOf(target.url, { service: SERVICE }));
  const client = plane.client();
  client.send(UPLOAD);
  client.send(Buffer.alloc(LONG, 'x'));
  const reply = await client.reply();
  // A reset discards unread bytes; bytes read before it are forwarded.
  assert.ok(reply.status === 413 || reply.status === 502, String(reply.status));
  client.destroy();
  await target.close();
});

test('a target that resets during an upload: 502 without a retry', async ({ plane }) => {
  const target = await FaultTarget.start(faults.never);
  await plane.load(specOf(target.url, { service: SERVICE.replace('retries = 0', 'retries = 3') }));
  const client = plane.client();
  client.send(UPLOAD);
  client.send(Buffer.alloc(100_000, 'x'));
  await until(() => target.arrived[0]?.rest.length === 100_000, 'the first part of the body');
  target.sockets[0]!.resetAndDestroy();
  isProblem(await client.reply(), 502, 'upstream/reset');
  assert.is(target.arrived.length, 1);
  client.destroy();
  await target.close();
});

test('a target that neither reads the body nor replies: 504', async ({ plane }) => {
  const deaf = await FaultTarget.start(faults.never, { deaf: true });
  await plane.load(specOf(deaf.url, { service: SERVICE }));
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${64 << 20}\r\n\r\n`);
  client.send(Buffer.alloc(32 << 20, 'x'));
  isProblem(await client.reply(), 504, 'upstream/timeout');
  client.destroy();
  await deaf.close();
});

test('a target that refuses connections: 502, or success if another target works', async ({ target, plane }) => {
  const refusing = `http://127.0.0.1:${await faults.refusingPort()}`;
  await plane.load(specOf(refusing, { service: SERVICE }));
  isProblem(await plane.ask(POST), 502, 'upstream/unreachable');
  await plane.load(specOf([refusing, target.url], { service: SERVICE.replace('retries = 0', 'retries = 1') }));
  for (let turn = 0; turn < 4; turn++) assert.is((await plane.ask(POST)).status, 200);
});

test.run();
