/** Bodies in the hooks of policies stay within bounds, and aborted exchanges leave nothing behind. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance, Reply, StageOut } from '../../src/policies/contract.js';
import { FaultTarget, Plane, type RawClient, specOf } from '../integration/engine-kit.js';
import { runChaos } from '../support/chaos.js';
import { flood, never, whole } from '../support/fault-target.js';
import { type TestPolicy, withPolicies } from '../support/test-policies.js';
import { until } from '../support/until.js';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

const STREAMS = 1000;
/** Bytes that two stages may add to a stream: their objects, and a part of the body in each. */
const BYTES_PER_STREAM = 64 * 1024;
const ABORTED = 10_000;
/** Exchanges that fill pools and caches first. */
const WARM = 4000;
/** Bytes of growth over all aborted exchanges: a leak of 300 bytes an exchange is above it. */
const GROWTH = 3 * 1024 ** 2;
const LOOKS = 5;
/** Bytes for all buffered bodies: what the gateway holds for clients that do not read. */
const BODY_MEMORY = 16 * 1024 ** 2;
const HOST = 'Host: a.example\r\n';

interface Context {
  target: FaultTarget;
  plane: Plane;
}

async function used(): Promise<number> {
  const looks: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    looks.push(heapUsed + external);
  }
  return Math.min(...looks);
}

/** A stage that passes everything on. */
const passing = (out: StageOut) => ({
  write: (bytes: Uint8Array) => out.write(bytes),
  end: () => out.end(),
  abort() {},
});
const stage: PolicyInstance = {
  requestStage: (_exchange: Exchange, out: StageOut) => passing(out),
  replyStage: (_exchange: Exchange, _reply: Reply, out: StageOut) => passing(out),
};

const test = suite<Context>('memory of the contract');
test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url), { bodyMemory: BODY_MEMORY });
});
test.after.each(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

/** Bytes that gateway, target and clients of this process take for each stream, with these policies. */
async function bytesPerStream({ plane, target }: Context, policies: readonly TestPolicy[]): Promise<number> {
  const spec = specOf(target.url, {
    service: `max_connections = ${STREAMS}\nmax_share_per_address = 100`,
    route: 'timeout = "0s"',
    listener: `max_connections = ${STREAMS * 2}\nmin_body_rate = "0B"\nbody_timeout = "10m"`,
  });
  await plane.load(spec, withPolicies(policies));
  target.respond = flood(64 * 1024 * 1024);
  const before = await used();
  const clients: RawClient[] = [];
  for (let at = 0; at < STREAMS; at++) {
    const client = plane.client();
    clients.push(client);
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    await until(() => client.pending.length > 0, 'the first bytes', 20_000);
    client.socket.pause();
  }
  // Time for a gateway that does not stop reading to fill its memory.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const each = ((await used()) - before) / STREAMS;
  for (const client of clients) client.destroy();
  await until(() => plane.connections === 0, 'all connections are closed', 20_000);
  target.forget();
  return each;
}

test(`${STREAMS} streams whose clients do not read take no more memory through two stages`, async (context) => {
  const without = await bytesPerStream(context, []);
  const staged = await bytesPerStream(context, [{ run: stage }, { run: stage }]);
  const more = staged - without;
  assert.ok(more < BYTES_PER_STREAM, `${(more / 1024).toFixed(0)} KiB more for each stream`);
});

test(`${ABORTED} aborted exchanges with every kind of hook leave nothing behind`, async ({ plane, target }) => {
  const body = { request: { max: 100_000, mandatory: false }, reply: { max: 100_000, mandatory: false } };
  const later = async (): Promise<undefined> => {
    await new Promise((resolve) => setImmediate(resolve));
  };
  const hooks: TestPolicy = {
    body,
    run: {
      before: later,
      onRequestBody: later,
      onReplyBody: later,
      onAttempt: later,
      after: later,
      finished() {},
    },
  };
  // A client that ends its half after the whole request may still read: only time ends its exchange.
  const spec = specOf(target.url, { service: 'eject_after = 0', route: 'timeout = "1s"' });
  await plane.load(spec, withPolicies([{ run: stage }, hooks]));
  // Some are aborted in the request, some before the reply, some within it.
  const requests = [
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 5000\r\n\r\n${'x'.repeat(3000)}`,
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 5000\r\n\r\n${'x'.repeat(5000)}`,
    `GET / HTTP/1.1\r\n${HOST}\r\n`,
  ];
  let count = 0;
  target.respond = whole(
    () => {},
    (request, socket) => {
      if (count++ % 2 === 0) never(request, socket);
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nabc');
    },
  );
  const abortSome = async (many: number): Promise<void> => {
    for (let at = 0; at < many; at += 20) {
      const clients = Array.from({ length: 20 }, () => plane.client());
      for (const [index, client] of clients.entries()) client.send(requests[(at + index) % requests.length]!);
      await new Promise((resolve) => setTimeout(resolve, 4));
      for (const client of clients) client.socket.resetAndDestroy();
    }
    await until(() => plane.connections === 0, 'all connections are closed', 20_000);
    target.forget();
    // The plane of the tests keeps them.
    plane.logs.length = 0;
    plane.records.length = 0;
  };
  await abortSome(WARM);
  const before = await used();
  await abortSome(ABORTED);
  const grown = (await used()) - before;
  assert.ok(grown < GROWTH, `the heap grew by ${(grown / 1024).toFixed(0)} KiB`);
});

for (let seed = 100; seed < 112; seed++) {
  test(`chaos over the contract, seed ${seed}`, async () => {
    await runChaos({ seed, generations: 20, clients: 12 });
  });
}

test.run();
