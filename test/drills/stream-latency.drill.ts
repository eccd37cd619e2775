/**
 * Server-sent events and lines pass through every policy that streams within 5 ms (99th percentile of the time from the target's
 * write to the client's read, in one process), compressed and not, over HTTP/1.1 and HTTP/2. So do the messages of WebSockets,
 * there and back again. Every other stream is a GET, for the policy `cache`, and the rest are POST, for `idempotency`.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type ServerResponse } from 'node:http';
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket, WebSocketServer } from 'ws';
import { Plane, specOf, until } from '../integration/engine-kit.js';

const STREAMS = 16;
const EVENTS = 150;
const MOST_MS = 5;
/** Rounds that count, and how many are tried for them. */
const ROUNDS = 3;
const MOST_ROUNDS = 9;
/** Percent of its time that a round may wait for a processor: being woken is part of it. */
const MOST_WAIT = 2;

const folder = mkdtempSync(join(tmpdir(), 'gw-streams-'));
test.after(() => rmSync(folder, { recursive: true }));
const schema = join(folder, 'event.json');
writeFileSync(schema, '{"type": "object"}');

const POLICIES = `policies = ["cors", "shrink", "change", "hide", "page", "fields", "keep", "safe", "check", "once", { use = "rate-limit", limit = "10000/s", by = "ip" }]
stream = STREAM`;
const MORE = `
[policy.cors]
use = "cors"
origins = ["https://app.example"]
[policy.safe]
use = "security-headers"
[policy.shrink]
use = "compress"
types = ["text/event-stream", "application/x-ndjson"]
[policy.change]
use = "transform"
reply.body = { omit = ["internal"] }
[policy.hide]
use = "mask"
reply = [{ paths = ["**.password"], remove = true }, { find = ["email"], text = "[private]" }]
[policy.page]
use = "error-page"
[policy.fields]
use = "headers"
reply.set = { x-seen = "yes" }
[policy.keep]
use = "cache"
ttl = "10s"
[policy.check]
use = "validate"
reply = "${schema}"
media_types = ["application/json", "text/event-stream", "application/x-ndjson"]
replies = "observe"
[policy.once]
use = "idempotency"
`;

const KINDS = {
  'text/event-stream': (data: string) => `data: ${data}\n\n`,
  'application/x-ndjson': (data: string) => `${data}\n`,
} as const;

type Client = 'HTTP/1.1' | 'HTTP/2';

/** Opens streams with these fields of the request; `take` gets the reply's `content-encoding` and its body. */
async function openStreams(
  client: Client,
  port: number,
  fields: Readonly<Record<string, string>>,
  take: (coding: string, body: Readable) => void,
): Promise<() => void> {
  const methodOf = (at: number): 'GET' | 'POST' => (at % 2 === 0 ? 'GET' : 'POST');
  const key = (at: number): Record<string, string> =>
    methodOf(at) === 'GET' ? { ...fields } : { ...fields, 'idempotency-key': `"stream-${at}-of-them"` };
  const all = Array.from({ length: STREAMS }, (_, at) => at);
  if (client === 'HTTP/1.1') {
    for (const at of all) {
      const options = { port, host: '127.0.0.1', path: `/${at}`, method: methodOf(at), agent: false };
      const sent = request({ ...options, headers: { host: 'a.example', ...key(at) } }, (response) => {
        assert.is(response.statusCode, 200);
        if (methodOf(at) === 'GET') assert.match(String(response.headers['cache-status']), /fwd=/);
        take(response.headers['content-encoding'] ?? '', response);
      });
      sent.end(methodOf(at) === 'GET' ? undefined : '{}');
    }
    return () => undefined;
  }
  const session = connect(`http://127.0.0.1:${port}`);
  for (const at of all) {
    const stream = session.request(
      { ':method': methodOf(at), ':path': `/${at}`, ':authority': 'a.example', ...key(at) },
      { endStream: methodOf(at) === 'GET' },
    );
    stream.on('response', (head) => {
      assert.is(head[':status'], 200);
      if (methodOf(at) === 'GET') assert.match(String(head['cache-status']), /fwd=/);
      take(String(head['content-encoding'] ?? ''), stream);
    });
    if (methodOf(at) === 'POST') stream.end('{}');
  }
  return () => session.destroy();
}

const decoded = (body: Readable, coding: string): Readable =>
  coding === 'gzip' ? body.pipe(createGunzip()) : coding === 'br' ? body.pipe(createBrotliDecompress()) : body;

async function measure(client: Client, type: keyof typeof KINDS, coding: '' | 'gzip' | 'br'): Promise<number[]> {
  const open: ServerResponse[] = [];
  const origin = createServer((incoming, response) => {
    incoming.resume();
    response.writeHead(200, { 'content-type': type });
    response.flushHeaders();
    open.push(response);
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const { port } = origin.address() as AddressInfo;
  const spec = specOf(`http://127.0.0.1:${port}`, {
    route: POLICIES.replace('STREAM', String(type !== 'text/event-stream')),
    more: MORE,
  });
  const plane = await Plane.start(spec, { monotonic: () => performance.now() });
  const took: number[] = [];
  const closeClient = await openStreams(
    client,
    plane.port,
    { 'accept-encoding': coding || 'identity' },
    (got, body) => {
      assert.is(got, coding);
      // What is cut at the end is no matter.
      const text = decoded(body, coding).on('error', () => undefined);
      text.on('data', (chunk: Buffer) => {
        const now = performance.now();
        for (const [, at] of String(chunk).matchAll(/"at":([\d.]+)/g)) took.push(now - Number(at));
        assert.not.match(String(chunk), /internal|secret|@/);
      });
    },
  );
  await until(() => open.length === STREAMS, 'the streams');
  for (let i = 0; i < EVENTS; i++) {
    await delay(1 + (i % 7));
    for (const response of open.slice(i % STREAMS, (i % STREAMS) + 3)) {
      const at = performance.now();
      response.write(
        KINDS[type](
          JSON.stringify({ at, i, internal: 1, who: 'ann@example.com', password: 'secret', text: 'x'.repeat(80) }),
        ),
      );
    }
  }
  await delay(100);
  for (const response of open) response.end();
  closeClient();
  await plane.close();
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
  return took.sort((a, b) => a - b);
}

/** Messages of WebSockets with all bounds set, there and back again. */
async function measureWebSockets(perMessageDeflate: boolean): Promise<number[]> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });
  await once(server, 'listening');
  server.on('connection', (socket: WebSocket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const { port } = server.address() as AddressInfo;
  const route = `policies = ["safe", "cors"]
websocket = { max_message = "64KiB", max_reply_message = "64KiB", max_rate = "10000/s", idle_timeout = "1m" }`;
  const spec = specOf(`http://127.0.0.1:${port}`, { route, more: MORE });
  const plane = await Plane.start(spec, { monotonic: () => performance.now() });
  const took: number[] = [];
  const clients = Array.from({ length: STREAMS }, () => {
    const client = new WebSocket(`ws://127.0.0.1:${plane.port}/`, { perMessageDeflate });
    client.on('message', (data) => took.push(performance.now() - Number(/^[\d.]+/.exec(String(data))![0])));
    return client;
  });
  await Promise.all(clients.map((client) => once(client, 'open')));
  for (let i = 0; i < EVENTS; i++) {
    await delay(1 + (i % 7));
    for (const client of clients.slice(i % STREAMS, (i % STREAMS) + 3))
      client.send(`${performance.now()} ${'text '.repeat(i % 400)}`);
  }
  await delay(100);
  for (const client of clients) client.terminate();
  server.close();
  await plane.close();
  return took.sort((a, b) => a - b);
}

/** Milliseconds that the main thread could have run and waited for a processor. 0 where the system does not say. */
function waitedMs(): number {
  const file = '/proc/self/schedstat';
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6 : 0;
}

/**
 * The 99th percentile is within the bound, as the median of rounds. A round in which other programs took the processor away does
 * not count. If too few count, only the middle event of the best round is judged, and the drill says so.
 */
async function median(name: string, round: () => Promise<number[]>): Promise<void> {
  const counted: number[] = [];
  let middle = Number.POSITIVE_INFINITY;
  let least = Number.POSITIVE_INFINITY;
  for (let tried = 0; counted.length < ROUNDS && tried < MOST_ROUNDS; tried++) {
    const [waited, began] = [waitedMs(), performance.now()];
    const took = await round();
    const share = (100 * (waitedMs() - waited)) / (performance.now() - began);
    assert.ok(took.length >= EVENTS * 2, `${took.length} events`);
    middle = Math.min(middle, took[Math.floor(took.length / 2)]!);
    least = Math.min(least, share);
    if (share <= MOST_WAIT) counted.push(took[Math.floor(took.length * 0.99)]!);
  }
  if (counted.length < ROUNDS) {
    const why = `${counted.length} of ${MOST_ROUNDS} rounds count, the others waited for a processor (${least.toFixed(1)} % or more)`;
    console.log(`\nmeasured: ${name}: p99 not judged: ${why}; p50 ${middle.toFixed(2)} ms`);
    assert.ok(middle < MOST_MS, `p50 ${middle.toFixed(2)} ms`);
    return;
  }
  const p99 = counted.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  console.log(`\nmeasured: ${name}: p99 ${p99.toFixed(2)} ms, the median of ${ROUNDS} rounds`);
  assert.ok(
    p99 < MOST_MS,
    `p99 ${p99.toFixed(2)} ms, the median of ${counted.map((each) => each.toFixed(2)).join(', ')}`,
  );
}

const TYPES = {
  'HTTP/1.1': ['text/event-stream', 'application/x-ndjson'],
  'HTTP/2': ['text/event-stream'],
} as const;

for (const client of ['HTTP/1.1', 'HTTP/2'] as const)
  for (const type of TYPES[client])
    for (const coding of ['', 'gzip', 'br'] as const) {
      const name = `${client}, ${type}, ${coding || 'not compressed'}`;
      test(name, () => median(name, () => measure(client, type, coding)));
    }

for (const deflate of [false, true]) {
  const name = `WebSocket there and back, ${deflate ? 'with' : 'without'} permessage-deflate`;
  test(name, () => median(name, () => measureWebSockets(deflate)));
}

test.run();
