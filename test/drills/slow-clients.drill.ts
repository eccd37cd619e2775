/** 1,500 slow writers and 1,500 slow readers, of one service with 256 connections, and everyone else is served. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedGateway } from '../support/gw-process.js';
import { ask, Crowd, GET, LARGE_POST, type Manner, READERS, SMALL_POST, startOrigin, WRITERS } from './slow-crowd.js';

const COUNT = 1500;
/** Milliseconds of asking, behind the arrival of the crowd. */
const ASKING = 15_000;
const test = suite('slow clients');

interface Served {
  readonly port: number;
  readonly gateway: ServedGateway;
  close(): Promise<void>;
}

async function served(service: string): Promise<Served> {
  const { server, port } = await startOrigin();
  const dir = mkdtempSync(join(tmpdir(), 'gw-slow-'));
  const file = join(dir, 'gateway.toml');
  writeFileSync(
    file,
    `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.it]\ntargets = ["http://127.0.0.1:${port}"]\n${service}
[[route]]\nname = "all"\nmatch = "/{rest...}"\nto = "it"\n`,
  );
  const gateway = await ServedGateway.start([file], { descriptors: 20_000 });
  const close = async (): Promise<void> => {
    await gateway.stop();
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  };
  return { port: Number(new URL(gateway.url).port), gateway, close };
}

/** Asks without a pause, from two addresses in turn, until `until`. Returns the latencies and what was no 200. */
async function everyoneElse(port: number, until: number): Promise<{ latencies: number[]; failed: string[] }> {
  const latencies: number[] = [];
  const failed: string[] = [];
  const walker = async (address: string, text: string): Promise<void> => {
    while (performance.now() < until) {
      const { status, ms } = await ask(port, address, text);
      latencies.push(ms);
      if (process.env.GW_DRILL_LOG && ms > 1000)
        console.log(text.slice(0, 4), text.length, address, Math.round(ms), Math.round(performance.now()));
      if (status !== 200) failed.push(`${text.slice(0, 4)} from ${address}: ${status} after ${Math.round(ms)} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const texts = [GET, SMALL_POST, LARGE_POST];
  await Promise.all(['127.0.0.1', '127.9.9.9'].flatMap((address) => texts.map((text) => walker(address, text))));
  latencies.sort((a, b) => a - b);
  return { latencies, failed };
}

const at = (sorted: readonly number[], share: number): number =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);

for (const { what, addressOf, service, stubborn } of [
  { what: 'of one address', addressOf: () => '127.0.0.1', service: '', stubborn: false },
  { what: 'of many addresses', addressOf: (n: number) => `127.1.${n >> 8}.${n & 255}`, service: '', stubborn: false },
  { what: 'that come again', addressOf: (n: number) => `127.1.${n >> 8}.${n & 255}`, service: '', stubborn: true },
  { what: 'and pipelining', addressOf: () => '127.0.0.1', service: 'pipelining = 8', stubborn: false },
]) {
  test(`1,500 slow writers and 1,500 slow readers ${what}: everyone else is served`, async () => {
    const { port, gateway, close } = await served(service);
    const crowd = new Crowd(port, stubborn);
    try {
      const manners = (list: readonly Manner[], n: number): Manner => list[n % list.length]!;
      const arrive = async (): Promise<void> => {
        for (let n = 0; n < COUNT; n++) {
          crowd.add(manners(WRITERS, n), addressOf(2 * n));
          crowd.add(manners(READERS, n), addressOf(2 * n + 1));
          if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      const arriving = arrive();
      const { latencies, failed } = await everyoneElse(port, performance.now() + ASKING);
      await arriving;
      console.log(
        `      ${latencies.length} exchanges, p50 ${at(latencies, 0.5)} ms, p99 ${at(latencies, 0.99)} ms, most ${at(latencies, 1)} ms; of the slow ${crowd.size} are left, ${crowd.ended} ended, ${JSON.stringify([...crowd.statuses])}`,
      );
      assert.equal(failed.slice(0, 5), [], `${failed.length} of ${latencies.length} failed`);
      assert.ok(at(latencies, 0.99) < 1500, `p99 of ${at(latencies, 0.99)} ms`);
    } finally {
      crowd.close();
      await close();
      if (process.env.GW_DRILL_LOG) console.log(gateway.log);
    }
  });
}

test.run();
