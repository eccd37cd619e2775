import * as assert from 'uvu/assert';
import { freePort } from '../../support/ports.js';
import { FaultTarget, ok, type RawReply, say, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi';

const test = engineSuite('targets', { service: 'retries = 0\neject_after = 0' });

function isProblem(reply: RawReply, status: number, code: string): void {
  assert.is(reply.status, status);
  assert.is(reply.header('content-type'), 'application/problem+json');
  const problem = JSON.parse(reply.body.toString());
  assert.is(problem.type, `urn:gw:problem:${code}`);
  assert.is(problem.status, status);
  assert.is(problem.request_id, reply.header('x-request-id'));
  assert.not.match(reply.body.toString(), /127\.0\.0\.1|ECONN/);
}

const INVALID: readonly (readonly [what: string, reply: string])[] = [
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['a status beyond 599', 'HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n'],
  [
    'Content-Length and Transfer-Encoding',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'],
  ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['Transfer-Encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['a bare CR in a value', 'HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n'],
  ['a folded line', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nA : b\r\n\r\n'],
  ['an empty name', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n'],
  ['a control byte', 'HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n'],
  ['101 without an upgrade request', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['an unfinished head', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(300)}`],
  ['a head over the limit', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(70_000)}`],
];

for (const [what, reply] of INVALID) {
  test(`a reply with ${what}: 502`, async ({ target, plane }) => {
    target.respond = say(reply);
    isProblem(await plane.ask(GET), 502, 'upstream/invalid');
    await until(() => target.open === 0, 'the connection to be closed');
    assert.is((await plane.record(({ status }) => status === 502)).error, 'upstream/invalid');
  });
}

test('a reply split in two at any byte is parsed', async ({ target, plane }) => {
  const text = 'HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';
  for (let at = 1; at < text.length; at++) {
    target.respond = (_request, socket) => {
      socket.write(text.slice(0, at));
      setImmediate(() => socket.write(text.slice(at)));
    };
    const reply = await plane.ask(GET);
    assert.is(reply.body.toString(), 'hello');
    assert.is(reply.header('x-a'), 'b');
  }
});

test('connection refused by the target: 502', async ({ plane }) => {
  await plane.load(specOf(`http://127.0.0.1:${await freePort()}`));
  isProblem(await plane.ask(GET), 502, 'upstream/unreachable');
});

test('an unknown host name of a target: 502', async ({ plane }) => {
  await plane.load(specOf('http://nothing.invalid:80'));
  isProblem(await plane.ask(GET), 502, 'upstream/unreachable');
});

test('a target that closes before it replies: 502', async ({ target, plane }) => {
  target.respond = (_request, socket) => socket.destroy();
  isProblem(await plane.ask(GET), 502, 'upstream/reset');
});

test('a target that does not reply in time: 504', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'response_timeout = "100ms"\nretries = 0' }));
  target.respond = () => {};
  isProblem(await plane.ask(GET), 504, 'upstream/timeout');
  await until(() => target.open === 0, 'the target connection to be closed');
});

test('a target slower than the timeout of the route: 504', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { route: 'timeout = "100ms"' }));
  target.respond = () => {};
  isProblem(await plane.ask(GET), 504, 'exchange/timeout');
  await until(() => target.open === 0, 'the target connection to be closed');
});

test('a reply that stalls in the middle is aborted, not completed', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'response_timeout = "100ms"' }));
  for (const head of ['Content-Length: 10\r\n\r\n12345', 'Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n']) {
    target.respond = say(`HTTP/1.1 200 OK\r\n${head}`);
    const client = plane.client();
    client.send(GET);
    await until(() => client.ended, 'the cut');
    assert.ok(client.pending.includes('12345'));
    assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
  }
  assert.is((await plane.record(({ error }) => error !== null)).error, 'upstream/timeout');
});

test('a reply aborted by the target is aborted for the client', async ({ target, plane }) => {
  for (const head of ['Content-Length: 10\r\n\r\n12345', 'Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n']) {
    target.respond = (_request, socket) => socket.end(`HTTP/1.1 200 OK\r\n${head}`);
    const client = plane.client();
    client.send(GET);
    await until(() => client.ended, 'the cut');
    assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
  }
  assert.is((await plane.record(({ error }) => error !== null)).error, 'upstream/aborted');
});

test('a chunked reply with an invalid chunk is aborted', async ({ target, plane }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n');
    setTimeout(() => socket.write('ZZ\r\n'), 20);
  };
  const client = plane.client();
  client.send(GET);
  await until(() => client.ended, 'the cut');
  assert.ok(client.pending.includes('12345'));
  assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
});

test('an invalid chunk in the same read as the reply head: 502', async ({ target, plane }) => {
  const client = plane.client();
  for (const chunks of ['ZZ\r\n', '\r\n', '5\r\n12345\r\nZZ\r\n', '5\r\n123456']) {
    target.respond = say(`HTTP/1.1 200 OK\r\nX-Of: target\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
    const before = plane.records.length;
    client.send(GET);
    const reply = await client.reply();
    isProblem(reply, 502, 'upstream/invalid');
    assert.is(reply.header('x-of'), undefined);
    await until(() => plane.records.length > before && target.open === 0, 'the connection to be closed');
    const { status, error, bytesOut } = plane.records.at(-1)!;
    assert.equal({ status, error }, { status: 502, error: 'upstream/invalid' });
    assert.ok(bytesOut > reply.body.length && bytesOut < 600, String(bytesOut));
  }
  target.respond = ok('valid again');
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'valid again');
  // Also to an HTTP/1.0 client, whose reply ends with the connection.
  target.respond = say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n');
  isProblem(await plane.ask('GET / HTTP/1.0\r\nHost: a\r\n\r\n'), 502, 'upstream/invalid');
  client.destroy();
});

test('bytes after the end of a reply do not become a later reply', async ({ target, plane }) => {
  target.respond = say(
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
  );
  const client = plane.client();
  for (let i = 0; i < 3; i++) {
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'ok');
  }
  client.destroy();
});

test('an idle connection that receives bytes is closed', async ({ target, plane }) => {
  const client = plane.client();
  client.send(GET);
  await client.reply();
  target.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await until(() => target.open === 0, 'the connection to be closed');
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'hello');
  client.destroy();
});

test('a connection that closes while the request is written: safe requests are retried once', async ({
  target,
  plane,
}) => {
  const client = plane.client();
  client.send(GET);
  await client.reply();
  target.respond = (request, socket) => {
    if (request.connection === 0) socket.destroy();
    else ok('second')(request, socket);
  };
  client.send(GET);
  assert.is((await client.reply()).body.toString(), 'second');
  target.respond = (request, socket) => {
    if (request.connection <= 1) socket.destroy();
    else ok('third')(request, socket);
  };
  client.send(POST);
  isProblem(await client.reply(), 502, 'upstream/reset');
  assert.is(target.arrived.filter(({ method }) => method === 'POST').length, 1);
  client.destroy();
});

test('a request is not retried after the target has begun its reply', async ({ target, plane }) => {
  const client = plane.client();
  client.send(GET);
  await client.reply();
  target.respond = (_request, socket) => socket.end('HTTP/1.1 2');
  client.send(GET);
  isProblem(await client.reply(), 502, 'upstream/reset');
  assert.is(target.arrived.length, 2);
  client.destroy();
});

test('a PUT whose body is no longer available is not retried', async ({ target, plane }) => {
  const client = plane.client();
  client.send(GET);
  await client.reply();
  target.respond = (request, socket) => {
    if (request.connection === 0) socket.destroy();
    else ok('twice')(request, socket);
  };
  client.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
  isProblem(await client.reply(), 502, 'upstream/reset');
  assert.is(target.arrived.length, 2);
  client.destroy();
});

test('a request that meets a closed idle connection is retried once, on a new connection', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { service: 'retries = 0' }));
  const waiting: (() => void)[] = [];
  target.respond = (request, socket) => {
    waiting.push(() => ok('x')(request, socket));
  };
  const clients = [plane.client(), plane.client(), plane.client()];
  for (const client of clients) client.send(GET);
  await until(() => waiting.length === 3, 'all requests');
  for (const answer of waiting) answer();
  for (const client of clients) await client.reply();
  target.respond = (request, socket) => {
    if (request.connection < 3) socket.destroy();
    else ok('on a new connection')(request, socket);
  };
  clients[0]!.send(GET);
  assert.is((await clients[0]!.reply()).body.toString(), 'on a new connection');
  assert.equal(
    target.arrived.slice(4).map(({ connection }) => connection),
    [3],
  );
  // The number of retries is bounded if the target closes every connection.
  target.respond = (_request, socket) => socket.destroy();
  clients[0]!.send(GET);
  isProblem(await clients[0]!.reply(), 502, 'upstream/reset');
  assert.is(target.arrived.length, 7);
  for (const client of clients) client.destroy();
});

test('a POST without a body is not retried', async ({ target, plane }) => {
  const client = plane.client();
  client.send(GET);
  await client.reply();
  target.respond = (_request, socket) => socket.destroy();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  isProblem(await client.reply(), 502, 'upstream/reset');
  assert.is(target.arrived.filter(({ method }) => method === 'POST').length, 1);
  client.destroy();
});

test('retries go to another target; a POST is retried if nothing was sent', async ({ target, plane }) => {
  const dead = `http://127.0.0.1:${await freePort()}`;
  await plane.load(specOf([dead, target.url], { service: 'retries = 1\neject_after = 0' }));
  for (let i = 0; i < 4; i++) {
    assert.is((await plane.ask(GET)).status, 200);
    assert.is((await plane.ask(POST)).status, 200);
  }
});

test('a target is ejected after repeated failures and readmitted', async ({ target, plane }) => {
  const dead = await FaultTarget.start((_request, socket) => socket.destroy());
  await plane.load(specOf([dead.url, target.url], { service: 'retries = 0\neject_after = 3\neject_for = "150ms"' }));
  let failures = 0;
  for (let i = 0; i < 12; i++) if ((await plane.ask(GET)).status === 502) failures++;
  assert.is(failures, 3);
  assert.ok(plane.logs.some(({ message }) => /target ejected/.test(message)));
  dead.respond = ok('back');

  const bodies = new Set<string>();
  const deadline = Date.now() + 5000;
  while (!bodies.has('back') && Date.now() < deadline) bodies.add((await plane.ask(GET)).body.toString());
  assert.ok(bodies.has('back'));
  assert.ok(plane.logs.some(({ message }) => /back/.test(message)));
  await dead.close();
});

test('if all targets are ejected, requests are still sent to one of them', async ({ target, plane }) => {
  const other = await FaultTarget.start((_request, socket) => socket.destroy());
  target.respond = (_request, socket) => socket.destroy();
  await plane.load(specOf([target.url, other.url], { service: 'retries = 0\neject_after = 1\neject_for = "1m"' }));
  for (let i = 0; i < 4; i++) assert.is((await plane.ask(GET)).status, 502);
  target.respond = ok('up');
  other.respond = ok('up');
  assert.is((await plane.ask(GET)).status, 200);
  await other.close();
});

test('requests are distributed by weight and interleaved', async ({ target, plane }) => {
  const other = await FaultTarget.start(ok('other'));
  const spec = specOf(target.url).replace(
    /targets = .*/,
    `targets = [{ url = "${target.url}", weight = 3 }, "${other.url}"]`,
  );
  await plane.load(spec);
  const order: string[] = [];
  for (let i = 0; i < 8; i++) order.push((await plane.ask(GET)).body.toString());
  assert.is(order.filter((body) => body === 'other').length, 2);
  assert.is(order.join(' '), 'hello hello other hello hello hello other hello');
  await other.close();
});

test('connections are limited, exchanges queue in order, and a full queue gives 503', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'max_connections = 1\nmax_queue = 1\nconnect_timeout = "10s"' }));
  const held: (() => void)[] = [];
  target.respond = (request, socket) => void held.push(() => ok(request.url)(request, socket));
  const first = plane.client();
  first.send(GET.replace('/ ', '/1 '));
  await until(() => held.length === 1, 'the first');
  const second = plane.client();
  second.send(GET.replace('/ ', '/2 '));

  let third = await plane.ask(GET);
  while (third.status !== 503) third = await plane.ask(GET);
  isProblem(third, 503, 'upstream/queue-full');
  held[0]!();
  assert.is((await first.reply()).body.toString(), '/1');
  await until(() => held.length === 2, 'the second');
  held[1]!();
  assert.is((await second.reply()).body.toString(), '/2');
  assert.is(target.connections, 1);
  first.destroy();
  second.destroy();
});

test('a timeout in the connection queue: 503', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'max_connections = 1\nconnect_timeout = "100ms"\nretries = 0' }));
  target.respond = () => {};
  const first = plane.client();
  first.send(GET);
  await until(() => target.arrived.length === 1, 'the first');
  isProblem(await plane.ask(GET), 503, 'upstream/queue-timeout');
  first.destroy();
});

test('an idle connection to a target is closed after its idle timeout', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'idle_timeout = "100ms"' }));
  await plane.ask(GET);
  assert.is(target.open, 1);
  await until(() => target.open === 0, 'the connection to be closed');
});

test('a connection is not reused after a reply with Connection: close', async ({ target, plane }) => {
  target.respond = ok('bye', 'Connection: close\r\n');
  for (let i = 0; i < 3; i++) assert.is((await plane.ask(GET)).body.toString(), 'bye');
  assert.is(target.connections, 3);
});

test('a client disconnect closes the target connection', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  const client = plane.client();
  client.send(GET);
  await until(() => client.pending.includes('hello'), 'the beginning');
  client.socket.resetAndDestroy();
  await until(() => target.open === 0, 'the target connection to be closed');
  assert.is((await plane.record(({ error }) => error !== null)).error, 'downstream/aborted');
});

test('a client disconnect in the middle of the request body closes the target connection', async ({
  target,
  plane,
}) => {
  target.respond = () => {};
  const client = plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc');
  await until(() => target.arrived[0]?.rest.length === 3, 'the beginning');
  client.destroy();
  await until(() => target.open === 0, 'the target connection to be closed');
  assert.is((await plane.record(({ error }) => error !== null)).error, 'downstream/aborted');
});

test.run();
