import * as assert from 'uvu/assert';
import { FaultTarget, generationOf, ok, Plane, type RawClient, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

const test = engineSuite('data plane lifecycle');

/** `listener` settings with short timeouts. */
const SHORT = 'header_timeout = "100ms"\nbody_timeout = "100ms"\nidle_timeout = "100ms"';

test('a connection without any request is closed after its timeout', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: SHORT }));
  const client = plane.client();
  await client.end();
  assert.is(client.pending, '');
});

test('a head that exceeds header_timeout: 408', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: SHORT }));
  const client = plane.client();
  client.send('GET / HT');
  assert.is((await client.reply()).status, 408);
  await client.end();
});

test('a stalled request body: 408', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: SHORT }));
  target.respond = () => {};
  const client = plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
  assert.is((await client.reply()).status, 408);
  await client.end();
  await until(() => target.open === 0, 'the target connection to be closed');
});

test('an idle keep-alive connection is closed after its timeout', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: SHORT }));
  const client = plane.client();
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  await client.end();
});

test('a connection beyond max_connections: 503', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'max_connections = 1' }));
  const first = plane.client();
  first.send(GET);
  await first.reply();
  const second = plane.client();
  assert.is((await second.reply()).status, 503);
  await second.end();
  first.destroy();
  await until(() => first.closed, 'the first connection to be closed');
  const deadline = Date.now() + 3000;
  let status = 503;
  while (status !== 200 && Date.now() < deadline) status = (await plane.ask(GET)).status;
  assert.is(status, 200);
});

test('a new generation takes over under load without losing requests', async ({ target, plane }) => {
  const other = await FaultTarget.start(ok('other'));
  const clients = Array.from({ length: 8 }, () => plane.client());
  const counts = { hello: 0, other: 0 };
  let stop = false;
  const drive = async (client: RawClient): Promise<void> => {
    while (!stop) {
      client.send(GET.repeat(5));
      for (let i = 0; i < 5; i++) {
        const reply = await client.reply();
        assert.is(reply.status, 200);
        const body = reply.body.toString();
        if (body === 'hello' || body === 'other') counts[body]++;
        else throw new Error(body);
      }
    }
  };
  const driving = clients.map(drive);
  const port = plane.port;
  for (let i = 0; i < 50; i++) {
    const before = counts.hello + counts.other;
    await plane.load(specOf(i % 2 ? target.url : other.url));
    assert.is(plane.port, port);
    await until(() => counts.hello + counts.other >= before + 20, 'more replies');
  }
  stop = true;
  await Promise.all(driving);
  assert.ok(counts.hello > 0 && counts.other > 0);
  for (const client of clients) client.destroy();
  await plane.load(specOf(target.url));
  await until(() => other.open === 0, 'connections to the removed target to be closed');
  await other.close();
});

test('an exchange in flight finishes on its own generation', async ({ target, plane }) => {
  let answer = (): void => {};
  target.respond = (request, socket) => {
    answer = () => ok('old')(request, socket);
  };
  const client = plane.client();
  client.send(GET);
  await until(() => target.arrived.length === 1, 'the request');
  await plane.load(specOf('http://127.0.0.1:1', { route: 'timeout = "1s"' }));
  answer();
  assert.is((await client.reply()).body.toString(), 'old');
  client.send(GET);
  assert.is((await client.reply()).status, 502);
  client.destroy();
});

test('a target that stays in the spec keeps its connection pool', async ({ target, plane }) => {
  await plane.ask(GET);
  await plane.load(specOf(target.url, { route: 'timeout = "5s"' }));
  await plane.ask(GET);
  assert.is(target.connections, 1);
});

test('a generation that fails to load leaves the current one in place', async ({ target, plane }) => {
  const input = generationOf(specOf(target.url), plane.registry, 7);
  const bad = (change: object): object => ({ ...input, program: { ...input.program, ...change } });
  const policy = { use: 'nothing', name: 'n', phase: 'guard', identity: 'x', settings: null, config: {}, origins: {} };
  for (const broken of [
    bad({ policies: [policy] }),
    bad({
      listeners: [...input.program.listeners, { ...input.program.listeners[0], name: 'b', address: '203.0.113.1:1' }],
    }),
    bad({ listeners: [{ ...input.program.listeners[0], trustedProxies: ['nonsense'] }] }),
    bad({ listeners: [{ ...input.program.listeners[0], tls: { cert: '/nowhere', key: '/nowhere' } }] }),
    bad({ accessLog: { path: '/nowhere/at/all.log', format: 'json' } }),
    { ...input, trie: new ArrayBuffer(8) },
  ]) {
    let failed = false;
    await plane.plane.load(broken as typeof input).catch(() => {
      failed = true;
    });
    assert.ok(failed);
    assert.is((await plane.ask(GET)).status, 200);
  }
});

test('a removed listener is closed and a new one is bound', async ({ target, plane }) => {
  const old = plane.client();
  old.send(GET);
  await old.reply();
  await plane.load(specOf(target.url).replace('listener.main', 'listener.second'));
  await old.end();
  assert.is((await plane.ask(GET)).status, 200);
});

test('bytes that arrived while the thread was blocked do not count as late', async ({ target }) => {
  const plane = await Plane.start(specOf(target.url, { service: 'response_timeout = "200ms"' }), {
    monotonic: () => performance.now(),
  });
  target.respond = (request, socket) => {
    ok('in time')(request, socket);
    const until = performance.now() + 600;
    while (performance.now() < until);
  };
  const reply = await plane.ask(GET);
  await plane.close();
  assert.equal([reply.status, reply.body.toString()], [200, 'in time']);
});

test('drain: idle connections close, exchanges in flight finish with Connection: close', async ({ target, plane }) => {
  const idle = plane.client();
  idle.send(GET);
  await idle.reply();
  let answer = (): void => {};
  target.respond = (request, socket) => {
    answer = () => ok('last')(request, socket);
  };
  const busy = plane.client();
  busy.send(GET);
  await until(() => target.arrived.length === 2, 'the request');
  const draining = plane.plane.drain(5000);
  await idle.end();
  answer();
  const reply = await busy.reply();
  assert.is(reply.body.toString(), 'last');
  assert.is(reply.header('connection'), 'close');
  assert.is((await draining).cut, 0);
  await busy.end();
  const late = plane.client();
  await until(() => late.closed, 'the refusal');
});

test('drain: connections accepted by the kernel while the thread is blocked are served, not reset', async ({
  plane,
}) => {
  const draining = plane.plane.drain(5000);
  // By then the drain accepts the last connections and keeps the listener open.
  await new Promise((resolve) => setImmediate(resolve));
  // On loopback connect() completes at once: the kernel has accepted the connections, the process has not yet.
  const clients = Array.from({ length: 40 }, () => plane.client());
  const until = performance.now() + 400;
  while (performance.now() < until);
  for (const client of clients) client.send(GET);
  for (const client of clients) assert.is((await client.reply()).status, 200);
  assert.is((await draining).cut, 0);
});

test('drain: exchanges that exceed the deadline are aborted and counted', async ({ target, plane }) => {
  target.respond = () => {};
  const busy = plane.client();
  busy.send(GET);
  await until(() => target.arrived.length === 1, 'the request');
  const report = await plane.plane.drain(50);
  assert.is(report.cut, 1);
  await until(() => busy.closed, 'the connection to be closed');
  await plane.close();
  assert.ok(plane.records.some(({ error }) => error === 'gateway/drained'));
});

test('records are sent at level records, with decisions at level decisions', async ({ plane }) => {
  plane.plane.watch('off');
  await plane.ask(GET);
  plane.plane.watch('decisions');
  await plane.ask(GET);
  const record = await plane.record(() => true);
  assert.is(plane.records.length, 1);
  assert.equal(
    record.decisions?.map(({ step }) => step),
    ['match', 'balance'],
  );
  assert.is(record.route, 'all');
  assert.is(record.service, 'it');
  assert.is(record.status, 200);
  assert.ok(record.durationMs >= 0 && record.upstreamMs !== null);
});

test('the last 200 requests are kept for the next watcher, as records without their secrets', async ({ plane }) => {
  plane.plane.watch('off');
  assert.is(plane.records.length, 0);
  const client = plane.client();
  client.send(
    'GET /old HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(10) + 'GET /new?n=1 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(199),
  );
  for (let i = 0; i < 209; i++) await client.reply();
  client.send('GET / HTTP/9\r\n\r\n');
  await until(() => client.closed, 'the refusal');
  const before = Date.now();
  plane.plane.watch('decisions');
  assert.is(plane.recent.length, 200);
  const [first] = plane.recent;
  const last = plane.recent.at(-1);
  assert.equal([first?.method, first?.url, first?.status, first?.host], ['GET', '/new?n=1', 200, 'a']);
  assert.ok(first !== undefined && Math.abs(first.at - before) < 60_000 && first.durationMs >= 0);
  assert.equal([first?.route, first?.service, first?.upstreamMs !== null], ['all', 'it', true]);
  assert.equal([last?.url, last?.route, last?.target, last?.upstreamMs], ['-', null, null, null]);
  assert.ok((last?.status ?? 0) >= 400 && last?.error !== null);
  plane.plane.watch('records');
  assert.is(plane.records.length, 0, 'none of them comes twice');
});

test('a request that is kept holds no more than 2,048 characters of its URL', async ({ plane }) => {
  plane.plane.watch('off');
  await plane.ask(`GET /${'a'.repeat(5000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  plane.plane.watch('records');
  assert.is(plane.recent.length, 1);
  assert.is(plane.recent[0]?.url, `/${'a'.repeat(2047)}...`);
});

test('pending records are limited, dropped ones are counted', async ({ plane }) => {
  const client = plane.client();
  client.send('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(700));
  for (let i = 0; i < 700; i++) await client.reply();
  await until(() => plane.records.length + plane.dropped === 700, 'all records to be sent or counted');
  client.destroy();
});

test.run();
