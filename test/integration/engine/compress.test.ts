/** compress over real sockets. */
import zlib from 'node:zlib';
import * as assert from 'uvu/assert';
import type { Json, PolicyInstance } from '../../../src/policies/contract.js';
import { runHalves } from '../../../src/policies/run-registry.js';
import { ok, say } from '../../support/fault-target.js';
import { withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('compress');

const TEXT = Array.from({ length: 8000 }, (_, index) => `line ${index} of the reply\n`).join('');
const get = (fields = 'Accept-Encoding: gzip, br\r\n', method = 'GET'): string =>
  `${method} / HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
const MORE = `[policy.small]
use = "compress"
codings = ["br", "gzip"]
`;

/** Loads a spec with the policy; returns the statistics of its instance. */
async function load({ plane, target }: EngineContext, keys = '', more = ''): Promise<() => Json | undefined> {
  const create = runHalves['compress']!;
  let made: PolicyInstance | undefined;
  Object.assign(runHalves, {
    compress: (settings: Json, host: Parameters<typeof create>[1]) => {
      made = create(settings, host);
      return made;
    },
  });
  try {
    await plane.load(specOf(target.url, { route: 'policies = ["small"]', more: MORE + keys + more }));
  } finally {
    Object.assign(runHalves, { compress: create });
  }
  return () => made?.stats?.();
}

const active = (stats: Json | undefined): Json | undefined => (stats as { readonly [key: string]: Json })['active'];

test('a reply with a length, and one in chunks, arrive compressed on one connection', async (context) => {
  await load(context);
  const client = context.plane.client();
  const type = 'Content-Type: text/plain\r\nETag: "v1"\r\nAccept-Ranges: bytes\r\n';
  context.target.respond = ok(TEXT, type);
  client.send(get());
  const first = await client.reply();
  assert.is(first.header('content-encoding'), 'br');
  assert.is(first.header('etag'), 'W/"v1"');
  assert.is(first.header('vary'), 'Accept-Encoding');
  assert.is(first.header('accept-ranges'), undefined);
  assert.is(first.header('content-length'), undefined);
  assert.is(zlib.brotliDecompressSync(first.body).toString(), TEXT);
  context.target.respond = say(
    `HTTP/1.1 200 OK\r\n${type}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
  );
  client.send(get('Accept-Encoding: gzip\r\n'));
  const second = await client.reply();
  assert.is(second.header('content-encoding'), 'gzip');
  assert.is(zlib.gunzipSync(second.body).toString(), 'hello world');
  client.send(get(''));
  assert.is((await client.reply()).body.toString(), 'hello world');
  client.destroy();
});

test('HEAD has the fields of GET', async (context) => {
  await load(context);
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "v1"\r\nContent-Length: ${TEXT.length}\r\n\r\n`;
  context.target.respond = (request, socket) => socket.write(request.method === 'HEAD' ? head : head + TEXT);
  const names = ['content-encoding', 'content-length', 'etag', 'vary', 'content-type'];
  const [byGet, byHead] = [
    await context.plane.ask(get()),
    await context.plane.ask(get(undefined, 'HEAD'), { head: true }),
  ];
  for (const name of names) assert.is(byHead.header(name), byGet.header(name), name);
});

test('events arrive one by one', async (context) => {
  await load(context);
  let send: (text: string) => void = () => {};
  context.target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
    send = (text) => void socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  };
  const client = context.plane.client();
  client.send(get('Accept-Encoding: gzip\r\n'));
  const gunzip = zlib.createGunzip();
  let text = '';
  gunzip.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  let seen = Buffer.alloc(0);
  let fed = 0;
  client.socket.on('data', (bytes: Buffer) => {
    seen = Buffer.concat([seen, bytes]);
    // The chunks of gw, without the head.
    const plain = unchunked(seen);
    gunzip.write(plain.subarray(fed));
    fed = plain.length;
  });
  await until(() => context.target.arrived.length === 1, 'the request');
  let sent = '';
  for (let event = 0; event < 3; event++) {
    send(`data: ${event}\n\n`);
    sent += `data: ${event}\n\n`;
    await until(() => text === sent, `event ${event}`);
  }
  client.destroy();
  gunzip.destroy();
});

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = bytes.indexOf('\r\n\r\n') + 4;
  if (at < 4) return Buffer.alloc(0);
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) break;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (line + 2 + size > bytes.length) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

test('a slow reader pauses the target, and leaving frees the stream', async (context) => {
  const stats = await load(context, 'types = ["*/*"]\n');
  let written = 0;
  context.target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: x/y\r\nContent-Length: 200000000\r\n\r\n');
    // Compresses badly, so that the client is the slow part.
    const piece = Buffer.from(Array.from({ length: 65536 }, (_, index) => (index * index * 31 + (index >> 5)) & 255));
    const more = (): void => {
      while (written < 200_000_000 && !socket.destroyed) {
        for (let at = 0; at < piece.length; at += 7) piece[at] = (piece[at]! * 5 + written) & 255;
        written += piece.length;
        if (!socket.write(Buffer.from(piece))) return;
      }
    };
    socket.on('drain', more);
    more();
  };
  const client = context.plane.client();
  client.socket.pause();
  client.send(get('Accept-Encoding: gzip\r\n'));
  await until(() => active(stats()) === 1, 'the stream');
  let before = -1;
  await until(async () => {
    if (before === written) return true;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return false;
  }, 'the target to be paused');
  assert.ok(written < 100_000_000, `${written} bytes taken`);
  client.destroy();
  await until(() => active(stats()) === 0, 'the stream to be freed');
});

test('a target that fails in the middle leaves a visibly cut reply', async (context) => {
  const stats = await load(context);
  context.target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\nhello');
    setTimeout(() => socket.resetAndDestroy(), 50);
  };
  const client = context.plane.client();
  client.send(get());
  const outcome = client.reply().then(
    () => 'whole',
    () => 'cut',
  );
  assert.is(await outcome, 'cut');
  await until(() => active(stats()) === 0, 'the stream to be freed');
  client.destroy();
});

test('replies of gw itself are compressed too', async (context) => {
  await load(
    context,
    'min_size = "10B"\n',
    '[[route]]\nmatch = "GET /fixed"\npolicies = ["small"]\n[route.reply]\nbody = "hello hello hello"\n',
  );
  const reply = await context.plane.ask('GET /fixed HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n');
  assert.is(reply.header('content-encoding'), 'gzip');
  assert.is(zlib.gunzipSync(reply.body).toString(), 'hello hello hello');
});

test('a range is passed on as it is', async (context) => {
  await load(context);
  context.target.respond = say(
    'HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-4/5000\r\nContent-Length: 5\r\n\r\nhello',
  );
  const reply = await context.plane.ask(get('Accept-Encoding: gzip\r\nRange: bytes=0-4\r\n'));
  assert.is(reply.header('content-encoding'), undefined);
  assert.is(reply.body.toString(), 'hello');
});

test('the weak tag of a compressed reply gives 304, and the connection goes on', async (context) => {
  await load(context);
  context.target.respond = ok(TEXT, 'Content-Type: text/plain\r\nETag: "v1"\r\n');
  const client = context.plane.client();
  client.send(get('Accept-Encoding: gzip\r\nIf-None-Match: W/"v1"\r\n'));
  const reply = await client.reply();
  assert.is(reply.status, 304);
  assert.is(reply.header('etag'), 'W/"v1"');
  client.send(get('Accept-Encoding: gzip\r\n'));
  assert.is((await client.reply()).status, 200);
  client.destroy();
});

test('a policy that asks the target for no coding does not switch compress off', async (context) => {
  context.target.respond = ok('x'.repeat(3000), 'Content-Type: text/plain\r\nETag: "a"\r\n');
  await context.plane.load(
    specOf(context.target.url, { route: 'policies = ["small"]', more: MORE }),
    withPolicies([{ body: { reply: { max: 9000, mandatory: true } }, run: { onReplyBody: () => undefined } }]),
  );
  const reply = await context.plane.ask(get('Accept-Encoding: gzip\r\n'));
  assert.is(reply.header('content-encoding'), 'gzip');
  assert.is(context.target.arrived[0]?.header('accept-encoding'), 'identity');
});

test('a conditional request that a policy makes of a plain one gets no 304 of compress', async (context) => {
  context.target.respond = ok('x'.repeat(3000), 'Content-Type: text/plain\r\nETag: "a"\r\n');
  await context.plane.load(
    specOf(context.target.url, { route: 'policies = ["small"]', more: MORE }),
    withPolicies([{ run: { before: ({ headers }) => void headers.set('if-none-match', 'W/"a"') } }]),
  );
  const reply = await context.plane.ask(get('Accept-Encoding: gzip\r\n'));
  assert.is(reply.status, 200);
});

test.run();
