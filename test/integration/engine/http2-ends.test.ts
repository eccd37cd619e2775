/** How HTTP/2 connections end: in two steps (RFC 9113 section 6.8), or because the client floods them (section 10.5). */
import * as assert from 'uvu/assert';
import { GET, headers, hpack, integer, POST } from '../../support/http2/hpack.js';
import { ACK, END_HEADERS, END_STREAM, frame, RawHttp2, setting, Type, u32 } from '../../support/http2/raw-client.js';
import { type Fault, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('ends of HTTP/2 connections');

const ANY = 0x7fff_ffff;
const CALM = 11;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Replies when told. */
function held(): { fault: Fault; release(): void } {
  const waiting: (() => void)[] = [];
  return {
    fault: (_request, socket) => waiting.push(() => socket.write(OK)),
    release: () => {
      for (const reply of waiting.splice(0)) reply();
    },
  };
}

const lastStreams = (client: RawHttp2): number[] =>
  client.frames.filter(({ type }) => type === Type.Goaway).map(({ payload }) => payload.readUInt32BE(0));

/** Answers the PING of gw. */
async function answerPing(client: RawHttp2): Promise<void> {
  const ping = await client.frame(({ type, flags }) => type === Type.Ping && (flags & ACK) === 0);
  client.send(frame(Type.Ping, ACK, 0, ping.payload));
}

test('a drain announces itself, serves what is on its way, and names the last stream', async ({ plane, target }) => {
  const { fault, release } = held();
  target.respond = fault;
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, GET));
  await until(() => target.arrived.length === 1, 'the first request');
  const drained = plane.plane.drain(10_000);
  assert.equal(await client.goaway(), { last: ANY, code: 0 });
  client.send(headers(3, GET));
  await until(() => target.arrived.length === 2, 'a request that the client sent before it knew');
  await answerPing(client);
  assert.equal(await client.goaway(true), { last: 3, code: 0 });
  assert.is(client.closed, false);
  release();
  assert.equal([await client.status(1), await client.status(3)], [200, 200]);
  await client.until(() => client.closed, 'the end');
  const { cut } = await drained;
  assert.is(cut, 0);
});

test('idle connections end in both steps when their listener goes; a client that does not answer is not waited for', async ({
  plane,
  target,
}) => {
  const idle = await RawHttp2.ready(plane.port);
  idle.send(headers(1, GET));
  assert.is(await idle.status(1), 200);
  const silent = await RawHttp2.ready(plane.port);
  const drained = plane.plane.drain(10_000);
  await answerPing(idle);
  await idle.until(() => idle.closed, 'the end');
  assert.equal(lastStreams(idle), [ANY, 1]);
  await silent.until(() => silent.closed, 'the end');
  assert.equal(lastStreams(silent), [ANY, 0]);
  assert.is((await drained).cut, 0);
  assert.is(target.arrived.length, 1);
});

test('max_requests_per_connection and idle_timeout end a connection in order', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: 'max_requests_per_connection = 2\nidle_timeout = "300ms"' }));
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, GET), headers(3, GET));
  assert.equal([await client.status(1), await client.status(3)], [200, 200]);
  await answerPing(client);
  assert.equal(await client.goaway(true), { last: 3, code: 0 });
  await client.until(() => client.closed, 'the end');
  const idle = await RawHttp2.ready(plane.port);
  await answerPing(idle);
  assert.equal(await idle.goaway(true), { last: 0, code: 0 });
  await idle.until(() => idle.closed, 'the end');
  await until(() => plane.connections === 0, 'no connection');
});

test('bug: a drain after the FIN of a client that reads nothing asked its dead session for a PING', async ({
  plane,
  target,
}) => {
  const body = Buffer.alloc(256 * 1024);
  let sent = 0;
  target.respond = (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${1024 ** 3}\r\n\r\n`);
    const more = (): void => {
      sent++;
      socket.write(body, (error) => !error && more());
    };
    more();
  };
  const client = await RawHttp2.ready(plane.port);
  client.socket.pause();
  const widest = [setting(4, ANY)];
  client.send(
    frame(Type.Settings, 0, 0, ...widest),
    frame(Type.WindowUpdate, 0, 0, u32(ANY - 65_535)),
    headers(1, GET),
  );
  let [seen, polls] = [0, 0];
  await until(() => {
    polls = sent > 0 && sent === seen ? polls + 1 : 0;
    seen = sent;
    return polls === 20;
  }, 'all buffers are full');
  client.socket.end();
  await plane.record(({ error }) => error === 'downstream/aborted');
  assert.is((await plane.plane.drain(300)).cut, 0);
  client.destroy();
});

const settings = frame(Type.Settings, 0, 0, setting(3, 10));
const reset = (id: number): Buffer => frame(Type.RstStream, 0, id, u32(8));

/** `count` times what `make` says, in one buffer. */
const many = (count: number, make: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));

for (const [what, flood, log] of [
  ['SETTINGS', many(3000, () => settings), 'control frames'],
  ['PING', many(3000, () => frame(Type.Ping, 0, 0, Buffer.alloc(8))), 'control frames'],
  ['PRIORITY', many(3000, () => frame(Type.Priority, 0, 1, Buffer.alloc(5, 1))), 'control frames'],
  ['unknown frames', many(3000, () => frame(0xee, 0, 0)), 'control frames'],
  ['WINDOW_UPDATE', many(5000, () => frame(Type.WindowUpdate, 0, 0, u32(1))), 'WINDOW_UPDATE frames'],
  [
    'empty DATA',
    Buffer.concat([headers(1, POST, END_HEADERS), many(1000, () => frame(Type.Data, 0, 1))]),
    'empty DATA frames',
  ],
  ['resets', many(2000, (at) => Buffer.concat([headers(1 + at * 2, GET), reset(1 + at * 2)])), 'reset streams'],
  [
    'CONTINUATION',
    Buffer.concat([
      frame(Type.Headers, END_STREAM, 1, hpack(GET)),
      many(2000, () => frame(Type.Continuation, 0, 1, hpack([['x-a', 'b']]))),
    ]),
    'CONTINUATION frames',
  ],
] as const)
  test(`a flood of ${what} ends its connection, and no other`, async ({ plane, target }) => {
    const other = await RawHttp2.ready(plane.port);
    const client = await RawHttp2.ready(plane.port);
    client.send(flood);
    await client.until(() => client.closed, 'the end');
    const code = client.frames.find(({ type }) => type === Type.Goaway)?.payload.readUInt32BE(4);
    assert.ok(code === undefined || code === CALM, `code ${code}`);
    assert.match((await plane.record(({ error }) => error === 'downstream/flood')).cause!, log);
    other.send(headers(1, GET));
    assert.is(await other.status(1), 200);
    await until(() => plane.connections === 1 || plane.connections === 2, 'its end');
    assert.ok(target.arrived.length < 1000, `${target.arrived.length} requests`);
    other.destroy();
  });

test('a client whose requests are all malformed is disconnected', async ({ plane, target }) => {
  const client = await RawHttp2.ready(plane.port);
  client.send(many(3000, (at) => headers(1 + at * 2, [...GET, ['content-length', '5']])));
  await client.until(() => client.closed, 'the end');
  await until(() => plane.connections === 0, 'its end');
  assert.is(target.arrived.length, 0);
});

test('a head that decodes to megabytes is refused; a head without an end times out', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: 'header_timeout = "300ms"' }));
  const client = await RawHttp2.ready(plane.port);
  const big = Buffer.concat([Buffer.from([0x40, 1, 0x61]), integer(3900, 7, 0), Buffer.alloc(3900, 98)]);
  const block = Buffer.concat([hpack(GET), big, Buffer.alloc(10_000, 0xbe)]);
  client.send(frame(Type.Headers, END_STREAM | END_HEADERS, 1, block));
  assert.is(await client.reset(1), CALM);
  client.send(headers(3, GET));
  assert.is(await client.status(3), 200);
  client.send(frame(Type.Headers, END_STREAM, 5, hpack(GET)));
  await client.until(() => client.closed, 'the end');
  assert.is((await plane.record(({ error }) => error === 'request/timeout')).status, 408);
  const silent = await RawHttp2.open(plane.port, false);
  silent.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
  await silent.until(() => silent.closed, 'the end of a client without settings');
});

test('pings and window updates of a client that reads its replies are not a flood', async ({ plane, target }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n');
    socket.write(Buffer.alloc(4_000_000));
  };
  const client = await RawHttp2.ready(plane.port, false, setting(4, 65_535));
  let updated = 0;
  let got = 0;
  client.send(headers(1, GET));
  const update = (): boolean => {
    const data = client.frames.filter(({ type }) => type === Type.Data);
    for (const { payload } of data.slice(updated)) {
      got += payload.length;
      if (payload.length > 0)
        client.send(
          frame(Type.WindowUpdate, 0, 0, u32(payload.length)),
          frame(Type.WindowUpdate, 0, 1, u32(payload.length)),
          frame(Type.Ping, 0, 0, Buffer.alloc(8)),
        );
    }
    updated = data.length;
    return got === 4_000_000;
  };
  await client.until(update, 'the whole reply');
  client.destroy();
});

// node:http2 ended the process: an assertion against writes while its stream is shut down for writing.
test('clients that close their half just before their replies come', async ({ plane, target }) => {
  const { fault, release } = held();
  target.respond = fault;
  for (let round = 0; round < 20; round++) {
    const client = await RawHttp2.ready(plane.port);
    client.send(...[1, 3, 5, 7].map((id) => headers(id, GET)));
    await until(() => target.arrived.length === (round + 1) * 4, 'the requests');
    client.socket.end();
    for (let turns = round % 4; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    release();
    await client.until(() => client.closed, 'the end');
  }
  await until(() => plane.connections === 0, 'their ends');
  await until(() => plane.records.length === 80, 'all records');
});

test.run();
