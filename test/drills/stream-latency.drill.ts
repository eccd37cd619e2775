/**
 * Server-sent events and lines pass through every policy that streams within 5 ms (99th percentile of the time from the target's
 * write to the client's read, in one process), compressed and not.
 */
import { createServer, get, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane, specOf } from '../integration/engine-kit.js';

const STREAMS = 16;
const EVENTS = 150;
const MOST_MS = 5;
const ROUNDS = 8;

const POLICIES = `policies = ["cors", "shrink", "change", "hide", "page", "fields", "keep", "safe", { use = "rate-limit", limit = "10000/s", by = "ip" }]
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
`;

const KINDS = {
  'text/event-stream': (data: string) => `data: ${data}\n\n`,
  'application/x-ndjson': (data: string) => `${data}\n`,
} as const;

async function measure(type: keyof typeof KINDS, coding: '' | 'gzip' | 'br'): Promise<number[]> {
  const open: ServerResponse[] = [];
  const origin = createServer((_request, response) => {
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
  for (let i = 0; i < STREAMS; i++) {
    const headers = { 'accept-encoding': coding || 'identity', host: 'a.example' };
    get({ port: plane.port, host: '127.0.0.1', path: `/${i}`, headers, agent: false }, (response) => {
      assert.is(response.statusCode, 200);
      assert.is(response.headers['content-encoding'] ?? '', coding);
      const body =
        coding === 'gzip'
          ? response.pipe(createGunzip())
          : coding === 'br'
            ? response.pipe(createBrotliDecompress())
            : response;
      body.on('data', (chunk: Buffer) => {
        const now = performance.now();
        for (const [, at] of String(chunk).matchAll(/"at":([\d.]+)/g)) took.push(now - Number(at));
        assert.not.match(String(chunk), /internal|secret|@/);
      });
    });
  }
  const until = performance.now() + 10_000;
  while (open.length < STREAMS && performance.now() < until) await delay(5);
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
  await plane.close();
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
  return took.sort((a, b) => a - b);
}

for (const type of ['text/event-stream', 'application/x-ndjson'] as const)
  for (const coding of ['', 'gzip', 'br'] as const)
    test(`${type} ${coding || 'not compressed'}`, async () => {
      let p99 = Number.POSITIVE_INFINITY;
      // What gw adds is in every round; what other programs on the machine add is not.
      for (let round = 0; round < ROUNDS && p99 >= MOST_MS; round++) {
        const took = await measure(type, coding);
        assert.ok(took.length >= EVENTS * 2, `${took.length} events`);
        p99 = Math.min(p99, took[Math.floor(took.length * 0.99)]!);
      }
      assert.ok(p99 < MOST_MS, `p99 ${p99.toFixed(2)} ms`);
    });

test.run();
