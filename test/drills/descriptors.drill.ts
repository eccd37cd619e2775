/** More clients than descriptors, while targets exceed their share: every client and /livez get a reply. */
import { readdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../control/kit.js';
import { closeAll, removeFolders, startOrigin } from '../integration/control-kit.js';
import { specOf } from '../integration/engine-kit.js';
import { ServedGateway } from '../support/gw-process.js';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const LATEST_MS = 5000;

/** Clients that send one request after another, and reconnect after a rejection. */
class Crowd {
  served = 0;
  refused = 0;
  /** Connections that ended without a reply. */
  mute = 0;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #stopped = false;

  constructor(port: number) {
    this.#port = port;
  }

  grow(count: number): void {
    for (let client = 0; client < count; client++) this.#open();
  }

  stop(): void {
    this.#stopped = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #open(): void {
    if (this.#stopped) return;
    const socket = connect(this.#port, '127.0.0.1').setEncoding('latin1');
    this.#sockets.add(socket);
    let replies = 0;
    socket.on('connect', () => socket.write(REQUEST));
    socket.on('data', (data: unknown) => {
      const status = /^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1];
      if (status === undefined) return;
      replies++;
      if (status === '503') this.refused++;
      else this.served++;
      if (status === '200') setTimeout(() => socket.write(REQUEST), 20);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (replies === 0 && !this.#stopped) this.mute++;
      setTimeout(() => this.#open(), 300);
    });
  }
}

function alive(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path: '/livez', agent: false, timeout: LATEST_MS }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

const test = suite('file descriptors');
test.after.each(closeAll);
test.after(removeFolders);

for (const [descriptors, first, then] of [
  [1024, 600, 1000],
  [256, 200, 300],
] as const) {
  test(`${descriptors} descriptors, ${first} and then ${then} more clients: all get a reply`, async () => {
    const origin = await startOrigin();
    const spec = join(temporaryFolder(), 'gateway.toml');
    writeFileSync(
      spec,
      specOf(origin.url, {
        listener: 'max_connections_per_address = 8192',
        service: 'max_connections = 1000\nmax_queue = 4000',
      }),
    );
    const gateway = await ServedGateway.start([spec], { descriptors });
    const crowd = new Crowd(Number(new URL(gateway.url).port));
    try {
      crowd.grow(first);
      await delay(3000);
      crowd.grow(then);
      const admin = readdirSync(gateway.runtimeDir).find((name) => name.endsWith('.sock')) ?? '';
      const end = performance.now() + 6000;
      while (performance.now() < end) {
        assert.ok(await alive(join(gateway.runtimeDir, admin)), '/livez answers');
        await delay(200);
      }
    } finally {
      crowd.stop();
      await gateway.stop();
    }
    assert.is(crowd.mute, 0);
    assert.ok(crowd.served > first && crowd.refused > 0, `${crowd.served} served, ${crowd.refused} refused`);
    console.log(`${descriptors} descriptors: ${crowd.served} served, ${crowd.refused} refused with 503`);
  });
}

test.run();
