/** HTTP/2 targets that send what they must not: the client gets an error, other requests are not affected, and nothing grows. */
import type { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { block, data, Flag, Frame, FrameTarget, frame, goAway, headers, reset } from '../../support/h2-target.js';
import { Plane, specOf, TestTime, until } from '../engine-kit.js';

interface Context {
  target: FrameTarget;
  plane: Plane;
  time: TestTime;
}
const test = suite<Context>('hostile HTTP/2 targets');

const SERVICE = 'protocol = "h2"\nretries = 0\nconnect_timeout = "1s"\nresponse_timeout = "2s"\neject_after = 0\n';
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc';
const OK = [[':status', '200']] as const;

test.before(async (context) => {
  context.target = await FrameTarget.start();
  context.time = new TestTime();
  context.plane = await Plane.start(specOf(context.target.url, { service: SERVICE }), { monotonic: context.time.now });
});
test.after(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});
test.before.each(({ target, plane }) => {
  target.mute = false;
  target.greeting = frame(Frame.Settings, 0, 0);
  plane.records.length = 0;
});

let asked = 0;

/** The error and cause of one request that fails. `ms`: time that passes once the target has got it. */
async function failure(
  { plane, target, time }: Context,
  text = GET,
  ms = 0,
): Promise<readonly [string | null, string]> {
  const client = plane.client();
  const url = `/${asked++}`;
  const before = target.count(Frame.Headers);
  client.send(text.replace(' / ', ` ${url} `));
  if (ms > 0) {
    await until(() => target.count(Frame.Headers) > before, 'the request');
    time.pass(ms);
  }
  await client.reply().catch(() => undefined);
  client.destroy();
  const { error, cause } = await plane.record((record) => record.url === url);
  return [error, cause ?? ''];
}

/** The target still serves other requests. */
async function works({ plane, target }: Context): Promise<void> {
  target.respond = (stream, socket) => socket.write(Buffer.concat([headers(stream, OK), data(stream, 'ok', true)]));
  assert.is((await plane.ask(GET)).body.toString(), 'ok');
}

const INVALID: { [what: string]: (stream: number) => Buffer } = {
  'no status': (stream) => headers(stream, [['x-a', '1']], true),
  'a status of two digits': (stream) => headers(stream, [[':status', '20']], true),
  'status 101': (stream) => headers(stream, [[':status', '101']], true),
  'a second status': (stream) => headers(stream, [...OK, ...OK], true),
  'a pseudo-field after a field': (stream) => headers(stream, [['x-a', '1'], ...OK], true),
  'a pseudo-field of requests': (stream) => headers(stream, [...OK, [':path', '/']], true),
  'an unknown pseudo-field': (stream) => headers(stream, [...OK, [':x', '1']], true),
  'a name in capitals': (stream) => headers(stream, [...OK, ['X-A', '1']], true),
  Connection: (stream) => headers(stream, [...OK, ['connection', 'x-a']], true),
  'Transfer-Encoding': (stream) => headers(stream, [...OK, ['transfer-encoding', 'chunked']], true),
  Upgrade: (stream) => headers(stream, [...OK, ['upgrade', 'x']], true),
  'two lengths': (stream) => headers(stream, [...OK, ['content-length', '1'], ['content-length', '2']], true),
  'a length that is no number': (stream) => headers(stream, [...OK, ['content-length', '1x']], true),
  'no content for a length': (stream) => headers(stream, [...OK, ['content-length', '5']], true),
  '205 with content': (stream) => Buffer.concat([headers(stream, [[':status', '205']]), data(stream, 'x', true)]),
  'more than 32 informational replies': (stream) =>
    Buffer.concat(
      Array.from({ length: 40 }, () =>
        headers(stream, [
          [':status', '103'],
          ['link', '<a>'],
        ]),
      ),
    ),
};

for (const [what, bytes] of Object.entries(INVALID)) {
  test(`invalid: ${what}`, async (context) => {
    context.target.respond = (stream, socket) => socket.write(bytes(stream));
    const [error] = await failure(context);
    assert.is(error, 'upstream/invalid');
    await works(context);
  });
}

const CUT: { [what: string]: (stream: number) => Buffer } = {
  'content beyond its length': (stream) =>
    Buffer.concat([headers(stream, [...OK, ['content-length', '2']]), data(stream, 'abc', true)]),
  'content short of its length': (stream) =>
    Buffer.concat([headers(stream, [...OK, ['content-length', '5']]), data(stream, 'abc', true)]),
  'a reset within the content': (stream) => Buffer.concat([headers(stream, OK), data(stream, 'abc'), reset(stream, 8)]),
  'invalid trailers': (stream) =>
    Buffer.concat([headers(stream, OK), data(stream, 'abc'), headers(stream, [[':status', '200']], true)]),
};

for (const [what, bytes] of Object.entries(CUT)) {
  test(`never a complete reply: ${what}`, async (context) => {
    context.target.respond = (stream, socket) => socket.write(bytes(stream));
    const client = context.plane.client();
    client.send(GET);
    const reply = await client.reply().catch(() => undefined);
    assert.ok(reply === undefined || reply.status === 502, String(reply?.status));
    client.destroy();
    await works(context);
  });
}

test('a connection that ends within a reply cuts it', async (context) => {
  for (const end of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    context.target.respond = (stream, socket) => {
      socket.write(Buffer.concat([headers(stream, OK), data(stream, 'abc')]), () => setImmediate(() => end(socket)));
    };
    const client = context.plane.client();
    client.send(GET);
    assert.is(await client.reply().catch(() => undefined), undefined);
    client.destroy();
  }
  await works(context);
});

test('codes of resets as errors', async (context) => {
  for (const [code, error] of [
    [1, 'upstream/invalid'],
    [2, 'upstream/reset'],
    [8, 'upstream/reset'],
    [11, 'upstream/reset'],
    [13, 'upstream/invalid'],
  ] as const) {
    context.target.respond = (stream, socket) => socket.write(reset(stream, code));
    const [got, cause] = await failure(context, POST);
    assert.is(got, error, String(code));
    assert.match(cause, /^stream ended with [A-Z_0-9]+ before its reply$/);
  }
  await works(context);
});

test('a GOAWAY with an error: streams above its last one are sent again, others fail', async (context) => {
  const { target, plane } = context;
  await works(context);
  const streams: number[] = [];
  target.respond = (stream, socket) => {
    streams.push(stream);
    if (streams.length === 2) socket.write(goAway(stream - 2, 2));
    if (streams.length > 2) socket.write(Buffer.concat([headers(stream, OK), data(stream, 'again', true)]));
  };
  const replies = await Promise.all([plane.ask(POST), plane.ask(POST)]);
  assert.equal(replies.map(({ status }) => status).sort(), [200, 502]);
  assert.is(streams.length, 3);
});

const ENDING: { [what: string]: (stream: number) => Buffer } = {
  'a push': (stream) => {
    const promised = Buffer.concat([
      Buffer.from([0, 0, 0, 2]),
      block([
        [':method', 'GET'],
        [':path', '/'],
        [':scheme', 'http'],
        [':authority', 'a'],
      ]),
    ]);
    return frame(Frame.PushPromise, Flag.EndHeaders, stream, promised);
  },
  'a head in too many frames': (stream) =>
    Buffer.concat([
      frame(Frame.Headers, 0, stream, block(OK)),
      ...Array.from({ length: 4000 }, () => frame(Frame.Continuation, 0, stream, block([['x-a', 'y'.repeat(200)]]))),
    ]),
  'a window that overflows': (stream) =>
    Buffer.concat([
      frame(Frame.WindowUpdate, 0, stream, Buffer.from([0x7f, 255, 255, 255])),
      frame(Frame.WindowUpdate, 0, 0, Buffer.from([0x7f, 255, 255, 255])),
    ]),
  'a WINDOW_UPDATE of 0 on the connection': () => frame(Frame.WindowUpdate, 0, 0, Buffer.alloc(4)),
};

for (const [what, bytes] of Object.entries(ENDING)) {
  test(`ends the connection: ${what}`, async (context) => {
    context.target.respond = (stream, socket) => socket.write(bytes(stream));
    const [error] = await failure(context);
    assert.ok(error === 'upstream/invalid' || error === 'upstream/reset', String(error));
    await works(context);
  });
}

/** Mistakes that end the connection; node:http2 says nothing of some of them. */
const BROKEN: { [what: string]: readonly [RegExp, (stream: number) => Buffer] } = {
  'a frame that is too large': [/FRAME_SIZE_ERROR/, (stream) => frame(Frame.Data, 0, stream, Buffer.alloc(20_000))],
  'a field block that is not HPACK': [
    /COMPRESSION_ERROR/,
    (stream) => frame(Frame.Headers, Flag.EndHeaders, stream, Buffer.alloc(20, 0xff)),
  ],
  'an index beyond the table': [
    /COMPRESSION_ERROR/,
    (stream) => frame(Frame.Headers, Flag.EndHeaders, stream, Buffer.of(0x88, 0xfe)),
  ],
  'trailers that are not HPACK': [
    /COMPRESSION_ERROR/,
    (stream) => Buffer.concat([headers(stream, OK), frame(Frame.Headers, 5, stream, Buffer.of(0x80))]),
  ],
  'HEADERS without their end, then DATA': [
    /PROTOCOL_ERROR/,
    (stream) => Buffer.concat([frame(Frame.Headers, 0, stream, block(OK)), data(stream, 'x')]),
  ],
  'CONTINUATION without HEADERS': [
    /PROTOCOL_ERROR/,
    (stream) => frame(Frame.Continuation, Flag.EndHeaders, stream, block(OK)),
  ],
  'padding as long as its frame': [
    /PROTOCOL_ERROR/,
    (stream) => Buffer.concat([headers(stream, OK), frame(Frame.Data, 8, stream, Buffer.of(9, 1, 1))]),
  ],
  'DATA on stream 0': [/PROTOCOL_ERROR/, () => data(0, 'x')],
  'HEADERS on stream 0': [/Protocol error|_ERROR/, () => headers(0, OK)],
  'a stream of its own': [/Protocol error|_ERROR/, () => headers(2, OK)],
  'a reply to no request': [/Protocol error|_ERROR/, (stream) => headers(stream + 2, OK)],
  'a reset of no request': [/Protocol error|_ERROR/, (stream) => reset(stream + 2, 8)],
  'a reset of five bytes': [/FRAME_SIZE_ERROR/, (stream) => frame(Frame.RstStream, 0, stream, Buffer.alloc(5))],
  'a PING of seven bytes': [/FRAME_SIZE_ERROR/, () => frame(Frame.Ping, 0, 0, Buffer.alloc(7))],
  'a PING on a stream': [/Protocol error|_ERROR/, (stream) => frame(Frame.Ping, 0, stream, Buffer.alloc(8))],
  'SETTINGS of five bytes': [/FRAME_SIZE_ERROR/, () => frame(Frame.Settings, 0, 0, Buffer.alloc(5))],
  'SETTINGS that forbid a window': [
    /Flow control error|_ERROR/,
    () => frame(Frame.Settings, 0, 0, Buffer.of(0, 4, 0xff, 255, 255, 255)),
  ],
  'SETTINGS with a frame size of 1': [
    /Protocol error|_ERROR/,
    () => frame(Frame.Settings, 0, 0, Buffer.of(0, 5, 0, 0, 0, 1)),
  ],
  'SETTINGS that allow pushes': [
    /Protocol error|_ERROR/,
    () => frame(Frame.Settings, 0, 0, Buffer.of(0, 2, 0, 0, 0, 1)),
  ],
  'an acknowledgement with content': [/FRAME_SIZE_ERROR/, () => frame(Frame.Settings, Flag.Ack, 0, Buffer.alloc(6))],
};

for (const [what, [cause, bytes]] of Object.entries(BROKEN)) {
  test(`fails at once, and the connection ends: ${what}`, async (context) => {
    context.target.respond = (stream, socket) => socket.write(bytes(stream));
    const [error, got] = await failure(context);
    assert.is(error, 'upstream/invalid');
    assert.match(got, /^invalid HTTP\/2 from the target/);
    assert.match(got, cause);
    await until(() => context.target.sockets.at(-1)!.destroyed, 'the end of the connection');
    await works(context);
  });
}

const NO_HTTP2: { [what: string]: Buffer } = {
  'HTTP/1.1': Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
  'a PING before SETTINGS': frame(Frame.Ping, 0, 0, Buffer.alloc(8)),
  'bytes that are no frames': Buffer.alloc(100, 0xff),
};

for (const [what, greeting] of Object.entries(NO_HTTP2)) {
  test(`a target that begins with ${what} does not speak HTTP/2: nothing was sent, and it is said at once`, async (context) => {
    const { target } = context;
    for (const socket of target.sockets) socket.destroy();
    target.greeting = greeting;
    const requests = target.count(Frame.Headers);
    const [error, cause] = await failure(context, POST);
    assert.is(error, 'upstream/unreachable');
    assert.match(cause, /^the target does not speak HTTP\/2: /);
    assert.is(target.count(Frame.Headers), requests);
    target.greeting = frame(Frame.Settings, 0, 0);
    await works(context);
  });
}

test('what follows the end of a reply is ignored, or ends the connection, and is never a part of the reply', async (context) => {
  const whole = (stream: number): Buffer => Buffer.concat([headers(stream, OK), data(stream, 'ok', true)]);
  for (const more of [
    (stream: number) => data(stream, 'more', true),
    (stream: number) => headers(stream, OK, true),
    (stream: number) => reset(stream, 0),
    (stream: number) => reset(stream, 2),
  ])
    for (const text of [GET, POST]) {
      context.target.respond = (stream, socket) => socket.write(Buffer.concat([whole(stream), more(stream)]));
      const reply = await context.plane.ask(text);
      assert.equal([reply.status, reply.body.toString()], [200, 'ok']);
    }
  await works(context);
});

test('a target that gives no window for a body: the request times out, or its early reply passes', async (context) => {
  const { target, plane } = context;
  for (const socket of target.sockets) socket.destroy();
  target.greeting = frame(Frame.Settings, 0, 0, Buffer.of(0, 4, 0, 0, 0, 0));
  target.respond = () => {};
  const [error, cause] = await failure(context, POST, 2500);
  assert.is(error, 'upstream/timeout');
  assert.match(cause, /response head timeout|reads no further bytes/);
  const sockets = new Set<Socket>();
  target.respond = (stream, socket) => {
    sockets.add(socket);
    socket.write(Buffer.concat([headers(stream, OK), data(stream, 'early', true)]));
    // A window for a stream that is over.
    setImmediate(() => socket.write(frame(Frame.WindowUpdate, 0, stream, Buffer.of(0, 0, 4, 0))));
  };
  for (let count = 0; count < 5; count++) assert.is((await plane.ask(POST)).body.toString(), 'early');
  assert.is(sockets.size, 1);
  await works(context);
});

test('a target that takes one request at a time, or none, or leaves after each', async (context) => {
  const { target, plane, time } = context;
  const most = (count: number): Buffer => frame(Frame.Settings, 0, 0, Buffer.of(0, 3, 0, 0, 0, count));
  const begin = (greeting: Buffer): void => {
    for (const socket of target.sockets) socket.destroy();
    target.greeting = greeting;
  };
  let open = 0;
  let highest = 0;
  target.respond = (stream, socket) => {
    highest = Math.max(highest, ++open);
    setImmediate(() => {
      open--;
      socket.write(Buffer.concat([headers(stream, OK), data(stream, 'ok', true)]));
    });
  };
  const statuses = async (): Promise<number[]> =>
    (await Promise.all(Array.from({ length: 3 }, () => plane.ask(GET)))).map(({ status }) => status);
  begin(most(1));
  assert.equal(await statuses(), [200, 200, 200]);
  assert.ok(highest <= target.sockets.filter((one) => !one.destroyed).length, `${highest} at a time`);
  begin(frame(Frame.Settings, 0, 0));
  target.respond = (stream, socket) =>
    socket.end(Buffer.concat([goAway(stream, 0), headers(stream, OK), data(stream, 'ok', true)]));
  assert.equal(await statuses(), [200, 200, 200]);
  begin(most(0));
  const refused = plane.ask(GET);
  await until(() => {
    time.pass(300);
    return plane.records.some(({ error }) => error === 'upstream/queue-timeout');
  }, 'the end of the wait');
  assert.is((await refused).status, 503);
  begin(frame(Frame.Settings, 0, 0));
  await works(context);
});

test('a head that grows while it is decoded is refused', async (context) => {
  context.target.respond = (stream, socket) => {
    // A field of 3900 bytes that is named again by one byte each, RFC 7541 section 6.1.
    const field = Buffer.concat([Buffer.of(0x40), block([['a', 'b'.repeat(3900)]]).subarray(1)]);
    const payload = Buffer.concat([block(OK), field, Buffer.alloc(10_000, 0xbe)]);
    socket.write(frame(Frame.Headers, Flag.EndHeaders | Flag.EndStream, stream, payload));
  };
  const [error] = await failure(context);
  assert.ok(error === 'upstream/invalid' || error === 'upstream/reset', String(error));
  await works(context);
});

const CHARACTERS: { [what: string]: readonly [string, string] } = {
  'a space in a name': ['x a', '1'],
  'an empty name': ['', '1'],
  'a line break in a value': ['x-b', 'b\r\nx-c: d'],
  'a null character in a value': ['x-d', 'b\0'],
  'a colon in a name': ['x:a', '1'],
};

// nghttp2 leaves such fields out, and goes on.
for (const [what, field] of Object.entries(CHARACTERS)) {
  test(`invalid: ${what}`, async (context) => {
    for (const bytes of [
      (stream: number) => headers(stream, [...OK, field], true),
      (stream: number) => Buffer.concat([headers(stream, [[':status', '103'], field]), headers(stream, OK, true)]),
      (stream: number) => Buffer.concat([headers(stream, OK), headers(stream, [['x-sum', '1'], field], true)]),
    ]) {
      context.target.respond = (stream, socket) => socket.write(bytes(stream));
      const [error] = await failure(context);
      assert.is(error, 'upstream/invalid');
    }
    await works(context);
  });
}

test('a head that is too large is refused', async (context) => {
  context.target.respond = (stream, socket) => {
    const fields = Array.from({ length: 290 }, (_, at) => [`x-${at}`, 'y'.repeat(300)] as const);
    const bytes = block([...OK, ...fields]);
    socket.write(frame(Frame.Headers, 0, stream, bytes.subarray(0, 16_000)));
    for (let at = 16_000; at < bytes.length; at += 16_000)
      socket.write(
        frame(
          Frame.Continuation,
          at + 16_000 >= bytes.length ? Flag.EndHeaders : 0,
          stream,
          bytes.subarray(at, at + 16_000),
        ),
      );
  };
  const [error] = await failure(context);
  assert.ok(error === 'upstream/invalid' || error === 'upstream/reset', String(error));
  await works(context);
});

const FLOODS: { [what: string]: (stream: number) => Buffer } = {
  SETTINGS: () => frame(Frame.Settings, 0, 0),
  PING: () => frame(Frame.Ping, 0, 0, Buffer.alloc(8)),
  'empty DATA': (stream) => frame(Frame.Data, 0, stream),
  PRIORITY: (stream) => frame(Frame.Priority, 0, stream, Buffer.alloc(5)),
  WINDOW_UPDATE: () => frame(Frame.WindowUpdate, 0, 0, Buffer.from([0, 0, 0, 1])),
};

for (const [what, bytes] of Object.entries(FLOODS)) {
  test(`a flood of ${what} ends the connection`, async (context) => {
    const { target } = context;
    let ended = false;
    target.respond = (stream, socket) => {
      socket.write(headers(stream, OK));
      const part = Buffer.concat(Array.from({ length: 2000 }, () => bytes(stream)));
      const more = (): void => {
        if (socket.destroyed) return;
        if (socket.write(part)) setImmediate(more);
        else socket.once('drain', more);
      };
      socket.once('close', () => {
        ended = true;
      });
      more();
    };
    const [error] = await failure(context);
    assert.ok(
      error === 'upstream/invalid' || error === 'upstream/reset' || error === 'upstream/aborted',
      String(error),
    );
    await until(() => ended, 'the end of the connection');
    await works(context);
  });
}

test('a PING every ten seconds is allowed, and answered', async (context) => {
  const { target } = context;
  await works(context);
  const before = target.frames.filter(({ type, flags }) => type === Frame.Ping && flags === Flag.Ack).length;
  const socket = target.sockets.at(-1)!;
  for (let count = 0; count < 5; count++) socket.write(frame(Frame.Ping, 0, 0, Buffer.alloc(8)));
  await until(
    () => target.frames.filter(({ type, flags }) => type === Frame.Ping && flags === Flag.Ack).length === before + 5,
    'the answers',
  );
  await works(context);
});

test('a silent target: the reply times out, and a dead connection is replaced', async (context) => {
  const { target, plane, time } = context;
  await works(context);
  const connections = target.sockets.length;
  target.respond = () => {};
  target.mute = true;
  const requests = target.count(Frame.Headers);
  const late = plane.ask(GET);
  await until(() => target.count(Frame.Headers) > requests, 'the request');
  time.pass(2500);
  assert.is((await late).status, 504);
  await until(() => target.count(Frame.Ping) > 0, 'a PING');
  time.pass(2500);
  await until(() => target.sockets[connections - 1]!.destroyed, 'the end of the dead connection');
  await works(context);
  assert.is(target.sockets.length, connections + 1);
});

test('a target that never sends SETTINGS fails to connect', async (context) => {
  const { target, plane, time } = context;
  plane.records.length = 0;
  for (const socket of target.sockets) socket.destroy();
  target.greeting = Buffer.alloc(0);
  const count = target.sockets.length;
  const late = plane.ask(GET);
  await until(() => target.sockets.length > count, 'a connection');
  time.pass(1500);
  assert.is((await late).status, 504);
  const { error, cause } = await plane.record(({ status }) => status === 504);
  assert.equal(
    [error, cause],
    ['upstream/connect-timeout', 'HTTP/2 handshake timeout: no SETTINGS from the target (1 s)'],
  );
});

test.run();
