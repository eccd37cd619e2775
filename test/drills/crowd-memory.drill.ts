/** After thousands of slow clients, the memory of the gateway returns to about its previous level. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedGateway } from '../support/gw-process.js';
import { onlyWhere } from '../support/only-where.js';
import { ask, Crowd, GET, type Manner } from './slow-crowd.js';

const KIB = 1024;
const COUNT = 1000;
/** Seconds that the clients stay, below the head timeout. */
const STAYS = 7;
/** Seconds after which memory must be back, and MiB that may be left over: heaps of glibc, and a warm V8. */
const BACK_AFTER = 60;
const LEFT_OVER = 32;

const HEAD = 'Host: a.example\r\n';
const CROWD: readonly Manner[] = [
  { first: `GET / HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(15 * KIB)}`, later: '', reads: 'all' },
  {
    first: `POST /echo HTTP/1.1\r\n${HEAD}Content-Length: ${60 * KIB}\r\n\r\n`,
    later: 'x'.repeat(7 * KIB),
    reads: 'all',
  },
  { first: `GET /1000000 HTTP/1.1\r\n${HEAD}\r\n`, later: '', reads: 'nothing' },
];

const test = suite('memory after a peak of clients');
const onLinux = onlyWhere(existsSync('/proc/self/status'), 'there is no /proc', test);

/** MiB of physical memory. */
const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / KIB;

async function warm(port: number): Promise<void> {
  for (let at = 0; at < 300; at++) assert.is((await ask(port, '127.0.0.1', GET)).status, 200);
  await delay(1000);
}

/** Runs the clients; returns the peak of memory. */
async function attack(port: number, pid: number): Promise<number> {
  const crowd = new Crowd(port);
  for (let at = 0; at < COUNT; at++) {
    for (const manner of CROWD) crowd.add(manner, `127.1.${at >> 8}.${at & 255}`);
    if (at % 20 === 0) await delay(10);
  }
  let most = 0;
  for (let second = 0; second < STAYS; second++) {
    await delay(1000);
    most = Math.max(most, residentOf(pid));
  }
  crowd.close();
  return most;
}

/** `light`: a client asks meanwhile, 20 times a second. Returns the least memory of the last look and those before. */
async function back(port: number, pid: number, enough: number, light: boolean): Promise<number> {
  const until = performance.now() + BACK_AFTER * 1000;
  let left = residentOf(pid);
  while (performance.now() < until && left > enough) {
    await delay(light ? 50 : 1000);
    if (light) assert.is((await ask(port, '127.0.0.1', GET)).status, 200);
    left = residentOf(pid);
  }
  return left;
}

for (const light of [false, true]) {
  onLinux(
    `after 3,000 slow clients memory is returned to an ${light ? 'almost ' : ''}idle gateway’s level`,
    async () => {
      const origin = new Worker(new URL('./slow-origin.js', import.meta.url));
      const [target] = (await once(origin, 'message')) as [number];
      const dir = mkdtempSync(join(tmpdir(), 'gw-crowd-'));
      const file = join(dir, 'gateway.toml');
      const lines = ['spec = 1', '[listener.main]', 'address = "127.0.0.1:0"', '[service.it]'];
      lines.push(`targets = ["http://127.0.0.1:${target}"]`);
      lines.push('[[route]]', 'name = "all"', 'match = "/{rest...}"', 'to = "it"');
      writeFileSync(file, lines.join('\n'));
      const gateway = await ServedGateway.start([file], { descriptors: 20_000 });
      try {
        const port = Number(new URL(gateway.url).port);
        await warm(port);
        const before = residentOf(gateway.pid);
        const most = await attack(port, gateway.pid);
        const since = performance.now();
        const left = await back(port, gateway.pid, before + LEFT_OVER / 2, light);
        const took = Math.round((performance.now() - since) / 1000);
        const [a, b, c] = [before, most, left].map(Math.round);
        console.log(`      ${a} MiB before, ${b} at the peak, ${c} after ${took} s`);
        assert.ok(left - before < LEFT_OVER, `${a} MiB before, ${b} at the peak, ${c} after ${took} s`);
      } finally {
        await gateway.stop();
        await origin.terminate();
        rmSync(dir, { recursive: true, force: true });
      }
    },
  );
}

test.run();
