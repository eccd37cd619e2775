/**
 * Clients and targets that send nearly valid HTTP/2: the gateway neither ends nor hangs, its memory is bounded, and other requests
 * are answered. A failure names the seed; `SEED=n` begins there.
 */
import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Flag, Frame, FrameTarget, frame } from '../support/h2-target.js';
import { GET, headers } from '../support/http2/hpack.js';
import { clientBytes, parts, targetBytes } from '../support/http2/mutations.js';
import { RawHttp2 } from '../support/http2/raw-client.js';
import { DrillGateway } from './http2-kit.js';

/** Milliseconds for each side. */
const LASTS = 6000;
const AT_ONCE = 8;
/** MiB; it levels off after some thousand cases. */
const MOST_GROWTH = 256;
const FIRST = Number(process.env.SEED ?? Date.now() % 1_000_000);

const spec = (url: string): string => `
spec = 1
[listener.main]
address = "127.0.0.1:0"
header_timeout = "1s"
idle_timeout = "1s"
max_connections_per_address = 10000
[service.it]
targets = ["${url}"]
protocol = "h2"
connect_timeout = "1s"
response_timeout = "1s"
retries = 0
eject_after = 0
[[route]]
match = "/{rest...}"
to = "it"
timeout = "3s"
`;

/** A request on a connection of its own is answered, whatever with. */
async function alive(port: number, seed: number): Promise<number> {
  const client = await RawHttp2.ready(port).catch((error) => {
    throw new Error(`seed ${seed}: ${String(error)}`);
  });
  client.send(headers(1, GET));
  const status = await client.status(1).catch((error) => {
    throw new Error(`seed ${seed}: ${String(error)}`);
  });
  client.destroy();
  return status;
}

/** Sends in parts; resolves when the server has closed the connection, or after a while. */
async function send(port: number, seed: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('error', () => undefined).resume();
  for (const part of parts(seed, clientBytes(seed))) {
    socket.write(part);
    if (seed % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  if (seed % 4 === 0) socket.end();
  if (seed % 4 === 1) await delay(5);
  if (seed % 4 !== 1) await Promise.race([closed, delay(seed % 16 === 0 ? 2500 : 30)]);
  socket.destroy();
}

async function run(
  work: (seed: number) => Promise<void>,
  gateway: DrillGateway,
  check: (seed: number) => Promise<void>,
) {
  const until = performance.now() + LASTS;
  const before = gateway.memory;
  let seed = FIRST;
  let peak = before;
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const mine = seed++;
      await work(mine);
      if (mine % 50 !== 0) continue;
      await check(mine);
      peak = Math.max(peak, gateway.memory);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  console.log(`seeds ${FIRST} to ${seed - 1}, ${Math.round(peak - before)} MiB more`);
  assert.ok(peak - before < MOST_GROWTH, `${peak - before} MiB more`);
  assert.not.match(gateway.log, /TypeError|RangeError|ReferenceError|bad_alloc|internal error/);
  assert.is(await gateway.stop(), 0);
}

test('clients', async () => {
  const target = await FrameTarget.start();
  target.respond = (stream, socket) =>
    socket.write(frame(Frame.Headers, Flag.EndHeaders | Flag.EndStream, stream, Buffer.of(0x88)));
  const gateway = await DrillGateway.start(spec(target.url));
  const { port } = gateway;
  await run(
    (seed) => send(port, seed),
    gateway,
    async (seed) => assert.is(await alive(port, seed), 200, `seed ${seed}`),
  );
  await target.close();
});

test('targets', async () => {
  const target = await FrameTarget.start();
  const gateway = await DrillGateway.start(spec(target.url));
  const { port } = gateway;
  let count = FIRST;
  target.respond = (stream, socket) => {
    const seed = count++;
    for (const part of parts(seed, targetBytes(seed, stream))) if (!socket.destroyed) socket.write(part);
    if (seed % 5 === 0) socket.end();
    if (seed % 5 === 1) socket.resetAndDestroy();
    target.frames.length = 0;
    target.sockets.splice(0, target.sockets.length - 100);
  };
  const ask = async (seed: number): Promise<void> => {
    const client = await RawHttp2.ready(port);
    client.send(headers(1, GET), headers(3, GET));
    await client.until(
      () => [1, 3].every((id) => client.frames.some(({ stream, type }) => stream === id && (type === 1 || type === 3))),
      `decision, seed ${seed}`,
    );
    client.destroy();
  };
  await run(ask, gateway, async () => undefined);
  await target.close();
});

test.run();
