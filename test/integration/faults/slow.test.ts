/** Who does not read stops who sends to it, and nobody else: what gw holds in between is bounded. */
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
/** What the kernel takes on the two connections, at the most: the rest is in nobody's memory. */
const IN_KERNEL = 64 * MIB;

/** Memory of buffers, of this thread and so of gw too, once nothing moves any more. Returns what has moved by then. */
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

/** A client that asks for 1 GiB and reads nothing of it, once nothing moves; `flooded` tells what has left the target. */
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

test('a client that does not read a reply of 1 GiB stops its target, not the gateway', async ({ target, plane }) => {
  const { client, flooded, stood } = await floodedIdler(target, plane, GET);
  await othersAreServed(plane, target);
  // Longer than the target's time to respond: it is not to blame, and nothing is cut.
  const since = performance.now();
  await until(() => performance.now() - since > 1300, 'more than response_timeout');
  assert.not.ok(plane.records.some(({ error }) => error !== null));
  client.socket.resume();
  await until(() => flooded() > stood, 'the target to go on');
  client.destroy();
  await until(() => target.open <= 1, 'the target to be let go');
});

test('a client that asked for an upgrade and does not read what it gets instead stops its target as well', async ({
  target,
  plane,
}) => {
  const { client, flooded, stood } = await floodedIdler(
    target,
    plane,
    'GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n',
  );
  client.socket.resume();
  await until(() => flooded() > stood, 'the target to go on');
  client.destroy();
  await until(() => target.open === 0, 'the target to be let go');
});

test('ten clients that do not read hold ten times as little', async ({ target, plane }) => {
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
  await until(() => target.open === 0, 'the targets to be let go');
});

/** Writes zeros until nothing is taken any more. */
function pour(socket: Socket): void {
  const piece = Buffer.alloc(64 * 1024);
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
}

test('a target that does not read an upload of 1 GiB stops its client, not the gateway', async ({ target, plane }) => {
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
  // Nobody reads from a client whose upload is stopped, so that it left is seen when the target's time is over.
  assert.is((await plane.record(({ error }) => error !== null)).error, 'upstream/timeout');
  await deaf.close();
});

test('pipelined requests of a client that reads nothing are not answered without end', async ({ target, plane }) => {
  target.respond = faults.ok('x'.repeat(32 * 1024));
  const client = plane.client();
  client.socket.pause();
  client.send(GET.repeat(20_000));
  const stood = await standstill(() => target.arrived.length);
  assert.ok(stood < 2000, `${stood} requests were made for nobody`);
  client.destroy();
  await until(() => target.open <= 1, 'the target to be let go');
});

test('a client that reads nothing for body_timeout is let go, and its target with it', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'body_timeout = "200ms"' }));
  target.respond = faults.flood(GIB);
  const client: RawClient = plane.client();
  client.socket.pause();
  client.send(GET);
  assert.is((await plane.record(({ error }) => error !== null)).error, 'downstream/slow');
  await until(() => target.open === 0, 'the target to be let go');
  client.destroy();
});

test.run();
