/** 1,500 slow writers and 1,500 slow readers of a service with 256 connections: other clients are served. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedGateway } from '../support/gw-process.js';
import { ask, Crowd, GET, LARGE_POST, READERS, SMALL_POST, WRITERS } from './slow-crowd.js';

const COUNT = 1500;
/** Milliseconds of load after all have connected, and the time limit. */
const ASKING = 8000;
const SETTLING = 3000;
/** Time that a request may wait for a connection: 3,000 clients that arrive on two cores can stop everything for 2 s. */
const PATIENCE = 'connect_timeout = "5s"';
const test = suite('slow clients');

interface Served {
  readonly port: number;
  close(): Promise<void>;
}

async function served(service: string): Promise<Served> {
  const origin = new Worker(new URL('./slow-origin.js', import.meta.url));
  const [port] = (await once(origin, 'message')) as [number];
  const dir = mkdtempSync(join(tmpdir(), 'gw-slow-'));
  const file = join(dir, 'gateway.toml');
  writeFileSync(
    file,
    `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.it]\ntargets = ["http://127.0.0.1:${port}"]\n${PATIENCE}\n${service}
[[route]]\nname = "all"\nmatch = "/{rest...}"\nto = "it"\n`,
  );
  const gateway = await ServedGateway.start([file], { descriptors: 20_000 });
  const close = async (): Promise<void> => {
    await gateway.stop();
    await origin.terminate();
    rmSync(dir, { recursive: true, force: true });
  };
  return { port: Number(new URL(gateway.url).port), close };
}

interface Answers {
  /** Milliseconds, in order. */
  readonly latencies: number[];
  /** Replies other than 200. */
  readonly failed: string[];
}

/** Sends requests from two addresses until `stop`. */
async function everyoneElse(port: number, stop: () => boolean): Promise<Answers> {
  const latencies: number[] = [];
  const failed: string[] = [];
  const walker = async (address: string, text: string): Promise<void> => {
    while (!stop()) {
      const { status, ms } = await ask(port, address, text);
      latencies.push(ms);
      if (status !== 200) failed.push(`${text.slice(0, 4)} from ${address}: ${status} after ${Math.round(ms)} ms`);
      await delay(50);
    }
  };
  const texts = [GET, SMALL_POST, LARGE_POST];
  await Promise.all(['127.0.0.1', '127.9.9.9'].flatMap((address) => texts.map((text) => walker(address, text))));
  latencies.sort((a, b) => a - b);
  return { latencies, failed };
}

const at = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);

function report(what: string, { latencies, failed }: Answers): void {
  const [half, late, most] = [0.5, 0.99, 1].map((share) => at(latencies, share));
  console.log(`      ${what}: ${latencies.length} exchanges, p50 ${half} ms, p99 ${late} ms, most ${most} ms`);
  assert.equal(failed.slice(0, 5), [], `${what}: ${failed.length} of ${latencies.length} failed`);
}

async function arrival(crowd: Crowd, addressOf: (n: number) => string): Promise<void> {
  for (let n = 0; n < COUNT; n++) {
    crowd.add(WRITERS[n % WRITERS.length]!, addressOf(2 * n));
    crowd.add(READERS[n % READERS.length]!, addressOf(2 * n + 1));
    if (n % 20 === 0) await delay(20);
  }
}

const ONE = (): string => '127.0.0.1';
const MANY = (n: number): string => `127.1.${n >> 8}.${n & 255}`;

for (const { what, addressOf, service } of [
  { what: 'of one address', addressOf: ONE, service: '' },
  { what: 'of many addresses', addressOf: MANY, service: '' },
  { what: 'and pipelining', addressOf: ONE, service: 'pipelining = 8' },
]) {
  test(`1,500 slow writers and 1,500 slow readers ${what}: other clients are served`, async () => {
    const { port, close } = await served(service);
    const crowd = new Crowd(port);
    try {
      let arrived = false;
      const arriving = arrival(crowd, addressOf)
        .then(() => delay(SETTLING))
        .then(() => {
          arrived = true;
        });
      report('while they arrive', await everyoneElse(port, () => arrived));
      await arriving;
      const until = performance.now() + ASKING;
      const after = await everyoneElse(port, () => performance.now() > until);
      report('while they are there', after);
      const { size, ended, statuses } = crowd;
      console.log(`      of the slow ones ${size} are left, ${ended} ended: ${JSON.stringify([...statuses])}`);
      assert.ok(size > 1000, `${size} slow clients are left`);
      assert.ok(at(after.latencies, 0.5) < 500, `p50 of ${at(after.latencies, 0.5)} ms`);
    } finally {
      crowd.close();
      await close();
    }
  });
}

test.run();
