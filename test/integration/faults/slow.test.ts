/** Backpressure: a slow reader pauses only its own sender, and gw buffers a bounded amount. */
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { FaultTarget } from '../../support/fault-target.js';
import { type Plane, type RawClient, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('slow readers', { service: 'retries = 0\nresponse_timeout = "1s"' });
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
/** Upper bound of bytes in kernel buffers of the two connections. */
const IN_KERNEL = 64 * MIB;

/** Waits until no more bytes move. Returns the moved bytes; buffers of gw are part of this thread's memory. */
async function standstill(moved: () => number): Promise<number> {
  let last = -1;
  let still = 0;
  await until(() => {
    still = moved() === last ? still + 1 : 0;
    last = moved();
    return last > 0 && still > 40;
  }, 'everything to stand still');
  return last;
}

async function othersAreServed(plane: Plane, target: FaultTarget): Promise<void> {
  const { respond } = target;
  target.respond = faults.ok('quick');
  for (let turn = 0; turn < 20; turn++) assert.is((await plane.ask(GET)).body.toString(), 'quick');
  target.respond = respond;
}

/** A client that requests 1 GiB and reads nothing, after all movement has stopped; `flooded` counts the sent bytes. */
async function floodedIdler(
  target: FaultTarget,
  plane: Plane,
  request: string,
): Promise<{ client: RawClient; flooded: () => number; stood: number }> {
  let written = 0;
  target.respond = faults.flood(GIB, (bytes) => {
    written = bytes;
  });
  const before = process.memoryUsage().arrayBuffers;
  const client = plane.client();
  client.socket.pause();
  client.send(request);
  const stood = await standstill(() => written);
  assert.ok(stood < IN_KERNEL, `${stood} bytes left the target`);
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 16 * MIB, `${held} bytes are held`);
  return { client, flooded: () => written, stood };
}

test('a client that does not read a reply of 1 GiB pauses its target, not the gateway', async ({ target, plane }) => {
  const { client, flooded, stood } = await floodedIdler(target, plane, GET);
  await othersAreServed(plane, target);
  // Longer than response_timeout: a paused target does not time out.
  const since = performance.now();
  await until(() => performance.now() - since > 1300, 'more than response_timeout');
  assert.not.ok(plane.records.some(({ error }) => error !== null));
  client.socket.resume();
  await until(() => flooded() > stood, 'the target to continue');
  client.destroy();
  await until(() => target.open <= 1, 'the target connection to be closed');
});

test('a client that does not read a plain reply to its upgrade pauses its target', async ({ target, plane }) => {
  const { client, flooded, stood } = await floodedIdler(
    target,
    plane,
    'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n',
  );
  client.socket.resume();
  await until(() => flooded() > stood, 'the target to continue');
  client.destroy();
  await until(() => target.open === 0, 'the target connection to be closed');
});

test('the memory of ten clients that do not read is bounded', async ({ target, plane }) => {
  target.respond = faults.flood(GIB);
  const before = process.memoryUsage().arrayBuffers;
  const clients = Array.from({ length: 10 }, () => plane.client());
  for (const client of clients) {
    client.socket.pause();
    client.send(GET);
  }
  await standstill(() => target.sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0));
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 32 * MIB, `${held} bytes are held for 10`);
  for (const client of clients) client.destroy();
  await until(() => target.open === 0, 'the target connections to be closed');
});

/** Writes zeros until the socket accepts no more. */
function pour(socket: Socket): void {
  const piece = Buffer.alloc(64 * 1024);
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
}

test('a target that does not read an upload of 1 GiB pauses its client, not the gateway', async ({ target, plane }) => {
  const deaf = await FaultTarget.start(faults.never, { deaf: true });
  await plane.load(
    specOf(deaf.url, {
      service: 'retries = 0\nresponse_timeout = "2s"',
      more: `[service.other]\ntargets = ["${target.url}"]\n[[route]]\nname = "other"\nmatch = "/other"\nto = "other"\n`,
    }),
  );
  const before = process.memoryUsage().arrayBuffers;
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${GIB}\r\n\r\n`);
  pour(client.socket);
  const stood = await standstill(() => client.socket.bytesWritten);
  assert.ok(stood < IN_KERNEL, `${stood} bytes left the client`);
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < 16 * MIB, `${held} bytes are held`);
  for (let turn = 0; turn < 20; turn++)
    assert.is((await plane.ask(GET.replace('/ ', '/other '))).body.toString(), 'hello');
  client.destroy();
  // gw does not read from a paused client, so it notices the disconnect at the timeout of the target.
  assert.is((await plane.record(({ error }) => error !== null)).error, 'upstream/timeout');
  await deaf.close();
});

test('pipelined requests of a client that reads nothing are processed up to a limit', async ({ target, plane }) => {
  target.respond = faults.ok('x'.repeat(32 * 1024));
  const client = plane.client();
  client.socket.pause();
  client.send(GET.repeat(20_000));
  const stood = await standstill(() => target.arrived.length);
  assert.ok(stood < 2000, `${stood} requests were processed without a reader`);
  client.destroy();
  await until(() => target.open <= 1, 'the target connection to be closed');
});

test('a client that reads nothing for body_timeout is disconnected, and its target connection closed', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { listener: 'body_timeout = "200ms"' }));
  target.respond = faults.flood(GIB);
  const client: RawClient = plane.client();
  client.socket.pause();
  client.send(GET);
  assert.is((await plane.record(({ error }) => error !== null)).error, 'downstream/slow');
  await until(() => target.open === 0, 'the target connection to be closed');
  client.destroy();
});

test.run();
