/** Liveness under a flood of the admin API: 2,000 connections, idle or with heads at one byte per second. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ServedGateway } from '../support/gw-process.js';
import { freePort } from '../support/ports.js';

const CONNECTIONS = 2000;
const SECONDS = 15;
const LATEST_MS = 1000;

const specOf = (port: number): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
[admin]
address = "127.0.0.1:${port}"
token = "\${env:TOKEN}"
[[route]]
name = "hello"
match = "GET /hello"
reply = { body = "hello" }
`;

/** Duration of a probe in milliseconds; rejects unless the reply is 200. */
function probe(port: number): Promise<number> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/livez', agent: false, timeout: 5000 }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - began);
        else reject(new Error(`answered with ${response.statusCode}`));
      });
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 5 s')));
    request.on('error', reject);
  });
}

test(`probes are answered within a second under ${CONNECTIONS} connections`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-admin-drill-'));
  const port = await freePort();
  const spec = join(folder, 'gateway.toml');
  writeFileSync(spec, specOf(port));
  const gateway = await ServedGateway.start([spec], { env: { TOKEN: 'drill' } });
  const strangers = new Worker(new URL('../support/strangers.js', import.meta.url), {
    workerData: { port, connections: CONNECTIONS },
  });
  const took: number[] = [];
  try {
    const until = performance.now() + SECONDS * 1000;
    while (performance.now() < until) {
      took.push(await probe(port));
      await delay(100);
    }
  } finally {
    await strangers.terminate();
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  assert.ok(took.length > 20, `${took.length} probes`);
  const late = took.filter((ms) => ms > LATEST_MS).length;
  // A pause of the machine delays one probe; a full server delays all.
  assert.ok(late <= took.length / 20, `${late} of ${took.length} took more than ${LATEST_MS} ms`);
  console.log(`${took.length} probes, the slowest ${Math.max(...took).toFixed(0)} ms`);
});

test.run();
