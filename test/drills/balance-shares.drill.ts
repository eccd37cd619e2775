/** Balancing with real requests: shares by weight, keys that move when a target joins, and a target that is slower than the others. */
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, specOf } from '../integration/engine-kit.js';
import { H2Target } from '../support/h2-target.js';
import type { Protocol } from './support/bed.js';
import { ConstantLoad } from './support/load.js';
import { failuresOf, sharesOf, tell } from './support/report.js';

const test = suite('shares of targets');

const WEIGHTS = [1, 2, 3, 4];
const REQUESTS = 4000;
/** Requests at the same time. */
const CLIENTS = 4;
/** By name, and with so many requests at the same time. `ewma` prefers the faster ones, and alike ones never are. */
const BY_WEIGHT = [
  ['"round-robin"', CLIENTS],
  ['"random"', CLIENTS],
  ['"least-request"', 1],
  ['{ hash = "header:x-key" }', CLIENTS],
] as const;
/** Standard deviations: a correct share is outside of them once in 15 000 times, and there are two dozen. */
const DEVIATIONS = 4;

/** Answers with its name in a field. */
async function targetCalled(name: string, delayMs = 0): Promise<FaultTarget> {
  const reply = `HTTP/1.1 200 OK\r\nX-Origin: ${name}\r\nContent-Length: 0\r\n\r\n`;
  return FaultTarget.start((_request, socket) => {
    if (delayMs === 0) socket.write(reply);
    else setTimeout(() => socket.write(reply), delayMs);
  });
}

/** Sends requests with a key each, `clients` at a time, and returns for each the target that has answered. */
async function origins(plane: Plane, count: number, clients = CLIENTS): Promise<string[]> {
  const found: string[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    const connection = plane.client();
    while (next < count) {
      const index = next++;
      connection.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Key: key ${index}\r\n\r\n`);
      const reply = await connection.reply();
      assert.is(reply.status, 200);
      found[index] = reply.header('x-origin') ?? '';
    }
    connection.destroy();
  };
  await Promise.all(Array.from({ length: clients }, client));
  return found;
}

test('shares are within the binomial bound, by weight', async () => {
  const targets = await Promise.all(WEIGHTS.map((weight) => targetCalled(`weight-${weight}`)));
  const total = WEIGHTS.reduce((sum, weight) => sum + weight, 0);
  const list = targets.map(({ url }, at) => `{ url = "${url}", weight = ${WEIGHTS[at]} }`).join(', ');
  const spec = (balance: string): string =>
    specOf('http://x', { service: `balance = ${balance}` }).replace(/targets = .*/, `targets = [${list}]`);
  const plane = await Plane.start(spec('"random"'));
  for (const [balance, clients] of BY_WEIGHT) {
    await plane.load(spec(balance));
    const found = await origins(plane, REQUESTS, clients);
    const shares = WEIGHTS.map((weight) => {
      const share = weight / total;
      const count = found.filter((name) => name === `weight-${weight}`).length;
      const bound = DEVIATIONS * Math.sqrt(REQUESTS * share * (1 - share));
      const off = Math.abs(count - REQUESTS * share);
      assert.ok(
        off <= bound,
        `${balance}, weight ${weight}: ${count} of ${REQUESTS}, at most ${Math.round(bound)} off`,
      );
      if (balance === '"round-robin"') assert.ok(off <= WEIGHTS.length, `${balance}: exact, ${off} off`);
      return count;
    });
    console.log(
      `\nmeasured: shares of ${REQUESTS} requests, weights ${WEIGHTS.join(':')}, ${balance}: ${shares.join(', ')}`,
    );
  }
  await plane.close();
  for (const target of targets) await target.close();
});

test('of a consistent hash, a target that joins takes its share of the keys, and no other key moves', async () => {
  const targets = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => targetCalled(name)));
  const urls = targets.map(({ url }) => url);
  const service = 'balance = { hash = "header:x-key" }';
  const plane = await Plane.start(specOf(urls.slice(0, 4), { service }));
  const before = await origins(plane, REQUESTS);
  await plane.load(specOf(urls, { service }));
  const after = await origins(plane, REQUESTS);
  const moved = after.filter((name, index) => name !== before[index]);
  console.log(`\nmeasured: keys that moved when a fifth target joined: ${moved.length} of ${REQUESTS}`);
  assert.ok(moved.length <= (REQUESTS / targets.length) * 1.2, `${moved.length} keys`);
  assert.equal([...new Set(moved)], ['e']);
  await plane.close();
  for (const target of targets) await target.close();
});

/** Requests per second, and for how many milliseconds. */
const RATE = 120;
const LASTS = 2500;
/** Milliseconds: long beside what a busy machine adds. */
const SLOW_MS = 400;
const FAST_MS = 40;

type Run = readonly [protocol: Protocol, targets: readonly { readonly url: string }[]];

for (const balance of ['least-request', 'ewma'])
  test(`a target with ten times the latency gets less than half its share, ${balance}`, async () => {
    const latencies = [SLOW_MS, FAST_MS, FAST_MS];
    const http1 = await Promise.all(latencies.map((ms, at) => targetCalled('abc'[at]!, ms)));
    const http2 = await Promise.all(latencies.map(() => H2Target.start()));
    for (const [at, target] of http2.entries())
      target.respond = (stream) => {
        setTimeout(() => {
          stream.respond({ ':status': 200, 'x-origin': 'abc'[at]! });
          stream.end();
        }, latencies[at]);
      };
    const round = async ([protocol, targets]: Run): Promise<boolean> => {
      const urls = targets.map(({ url }) => url);
      const plane = await Plane.start(specOf(urls, { service: `balance = "${balance}"\nprotocol = "${protocol}"` }));
      const load = ConstantLoad.start({ port: plane.port, protocol, rate: RATE });
      await delay(LASTS);
      const results = await load.stop();
      await plane.close();
      const count = sharesOf(results).get('a') ?? 0;
      tell(`ten times the latency, ${balance}, ${protocol}`, results, `the slow one of three has got ${count}`);
      assert.is(failuresOf(results).length, 0);
      return count < results.length / 3 / 2;
    };
    // The middle one of three rounds counts: one alone says more of a busy machine than of the choice.
    const median = async (run: Run): Promise<void> => {
      const passed = Number(await round(run)) + Number(await round(run));
      assert.ok(
        passed === 2 || (passed === 1 && (await round(run))),
        `${balance}, ${run[0]}: half its share or more in two of three rounds`,
      );
    };
    await Promise.all([median(['http/1.1', http1]), median(['h2', http2])]);
    for (const target of [...http1, ...http2]) await target.close();
  });

test.run();
