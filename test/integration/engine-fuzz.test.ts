/**
 * Whatever gw accepts and forwards, Node's own parser at the target reads as the same message; what goes in is what comes
 * out; and every reply answers the request before it. FUZZ_CASES and FUZZ_SEED make it longer or another.
 */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { seeded } from '../support/random.js';
import { Plane, type RawClient, specOf } from './engine-kit.js';

const CASES = Number(process.env['FUZZ_CASES'] ?? 1500);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_250_117);

const random = seeded(SEED);
const below = (count: number): number => Math.floor(random() * count);
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
const chance = (share: number): boolean => random() < share;

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'QUERY'];
const PATHS = ['/', '/a', '/a/b?c=d', '/a%20b', '/?x=%2F&y=%', '/very/long/path/with/many/segments', '/a;b=c', '/~u'];
const FIELDS = [
  'X-A: 1',
  'X-A:2',
  'x-b:  spaced  ',
  'X-Empty:',
  'Accept: */*',
  'Cookie: a=1; b=2',
  'X-Latin: \xe4\xf6',
  'X-Tab: a\tb',
  'Connection: keep-alive',
  'Connection: x-a',
  'TE: trailers',
  'X-Forwarded-For: 1.2.3.4',
];
/** What makes a head ambiguous or wrong; some of it only sometimes. */
const NASTY = [
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: +3',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: \tchunked',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding: chunked\r\n\tx',
  ' Folded: 1',
  'X-Bad\x00: 1',
  'X-CR: a\rb',
  'X-LF: a\nContent-Length: 5',
  'Host: other.example',
  'NoColon',
  ': empty',
  'Expect: 100-continue',
  'Connection: close, content-length',
  'Upgrade: h2c',
];

interface Sent {
  readonly text: string;
  readonly valid: boolean;
}

function bodyOf(id: number): string {
  return chance(0.5) ? '' : `${id}:${'abc\r\n0\r\n\r\n'.repeat(below(30))}`;
}

function chunked(body: string): string {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const size = 1 + below(20);
    const piece = body.slice(at, at + size);
    out += `${piece.length.toString(16).padStart(1 + below(3), '0')}${chance(0.2) ? ';e=1' : ''}\r\n${piece}\r\n`;
    at += size;
  }
  return `${out}${chance(0.2) ? '000' : '0'}\r\n${chance(0.2) ? 'X-Trailer: 1\r\n' : ''}\r\n`;
}

function makeRequest(id: number): Sent {
  const fields = ['Host: a.example', `X-Id: ${id}`];
  for (let i = below(4); i > 0; i--) fields.push(pick(FIELDS));
  const body = bodyOf(id);
  let payload = body;
  if (body !== '' || chance(0.2)) {
    if (chance(0.5)) fields.push(`Content-Length: ${Buffer.byteLength(body, 'latin1')}`);
    else {
      fields.push('Transfer-Encoding: chunked');
      payload = chunked(body);
    }
  }
  const nasty = chance(0.15);
  if (nasty) fields.splice(below(fields.length + 1), 0, pick(NASTY));
  let text = `${pick(METHODS)} ${pick(PATHS)} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n${payload}`;
  const broken = chance(0.1);
  if (broken) text = mutate(text);
  return { text, valid: !nasty && !broken };
}

/** One byte changed, left out, doubled or put in, anywhere. */
function mutate(text: string): string {
  const at = below(text.length);
  const byte = pick(['\r', '\n', '\0', ' ', ':', '\t', 'x', '0', ';', ',', '\x80', '#']);
  return pick([
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at) + byte + text.slice(at),
    text.slice(0, at) + byte + text.slice(at + 1),
    text.slice(0, at) + text[at] + text.slice(at),
  ]);
}

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly id: string;
  readonly digest: string;
}

const digestOf = (bytes: Buffer | string): string =>
  createHash('sha1')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex');

interface Context {
  plane: Plane;
  seen: Seen[];
  bad: number;
  close: () => Promise<void>;
}
const test = suite<Context>('differential fuzzing');

test.before(async (context) => {
  context.seen = [];
  context.bad = 0;
  const origin = createServer({ keepAliveTimeout: 60_000 }, (request: IncomingMessage, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('error', () => {});
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const digest = digestOf(Buffer.concat(parts));
      context.seen.push({ method, url, id: String(headers['x-id']), digest });
      const body = JSON.stringify({ id: headers['x-id'], digest });
      if (chance(0.5)) response.setHeader('content-length', body.length);
      response.end(body);
    });
  });
  // gw forwards nothing that Node's parser finds wrong, but methods that Node has not heard of, and what gw cut itself.
  const known = new Set(['ECONNRESET', 'HPE_INVALID_METHOD', 'HPE_INVALID_EOF_STATE']);
  origin.on('clientError', (error, socket) => {
    if (!('code' in error) || !known.has(String(error.code))) context.bad++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const address = origin.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  context.plane = await Plane.start(specOf(`http://127.0.0.1:${address.port}`, { service: 'retries = 0' }));
  context.plane.plane.watch('off');
  context.close = async () => {
    await context.plane.close();
    origin.closeAllConnections();
    await new Promise((resolve) => origin.close(resolve));
  };
});
test.after((context) => context.close());

/** Sends it cut in pieces at random places. */
async function sendPieces(client: RawClient, text: string): Promise<void> {
  for (let at = 0; at < text.length; ) {
    const size = chance(0.7) ? text.length : 1 + below(40);
    client.send(text.slice(at, at + size));
    at += size;
    if (at < text.length) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What a request that gw let through must look like to the target, from its own text alone. */
function checkSame(context: Context, from: number, requests: readonly Sent[], replies: number): void {
  const arrived = context.seen.slice(from);
  assert.is(arrived.length, replies, 'as many requests at the target as replies from it');
  arrived.forEach((request, index) => {
    const { text, valid } = requests[index]!;
    if (!valid) return;
    assert.is(request.method, text.slice(0, text.indexOf(' ')));
    assert.is(request.id, /X-Id: (\d+)/.exec(text)?.[1]);
  });
}

test(`${CASES} pipelines, seed ${SEED}`, async (context) => {
  let id = 0;
  let forwarded = 0;
  let refused = 0;
  for (let round = 0; round < CASES; round++) {
    const requests = Array.from({ length: 1 + below(4) }, () => makeRequest(++id));
    const from = context.seen.length;
    const client: RawClient = context.plane.client();
    const text = requests.map((request) => request.text).join('');
    await sendPieces(client, text);
    client.socket.end();
    let fromTarget = 0;
    let broken = false;
    for (const { valid } of requests) {
      let reply: Awaited<ReturnType<RawClient['reply']>>;
      try {
        reply = await client.reply();
        while (reply.status === 100) reply = await client.reply();
      } catch {
        // Cut: allowed only where something before or in it was not valid.
        assert.ok(broken || !valid, `seed ${SEED}, round ${round}: no reply to ${JSON.stringify(text)}`);
        break;
      }
      if (reply.header('content-type') === 'application/problem+json') {
        refused++;
        assert.ok(broken || !valid, `seed ${SEED}, round ${round}: refused ${JSON.stringify(text)}`);
        broken = true;
      } else {
        assert.is(reply.status, 200);
        const told = JSON.parse(reply.body.toString());
        const arrived = context.seen[from + fromTarget]!;
        // The reply is the one to this very request.
        assert.is(told.digest, arrived.digest);
        if (!broken && valid) assert.is(told.id, arrived.id);
        if (!valid) broken = true;
        fromTarget++;
        forwarded++;
      }
    }
    await client.end().catch(() => {});
    client.destroy();
    if (!broken) checkSame(context, from, requests, fromTarget);
  }
  assert.is(context.bad, 0, 'nothing that the target could not read');
  assert.ok(forwarded > CASES && refused > CASES / 20, `${forwarded} forwarded, ${refused} refused`);
});

test.run();
