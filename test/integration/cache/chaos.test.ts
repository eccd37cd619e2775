/**
 * Random clients and a random origin: clients leave, origins break off, replies are private or never end well, specs are loaded anew.
 * No client gets the reply for another one or half of it as a whole, and in the end nothing is pinned and nothing waits.
 */
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { create } from '../../../src/policies/cache/run.js';
import type { PolicyInstance } from '../../../src/policies/contract.js';
import { compile } from '../../policies/support.js';
import { DelayedContents } from '../../support/delayed-contents.js';
import { seeded } from '../../support/random.js';
import { withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import type { Arrived } from '../engine-kit.js';
import { type CacheBed, cacheSuite, requestText } from './kit.js';

const test = cacheSuite('a cache in chaos');

const STEPS = 40;
const PATHS = ['/1', '/2', '/3', '/v1', '/v2'];
const LIFETIMES = ['max-age=60', 'max-age=1', 'max-age=1, stale-while-revalidate=30', 'max-age=1, stale-if-error=30'];
const OTHERS = ['no-store', 'private', 'no-cache', 'max-age=0'];

class Chaos {
  readonly contents: DelayedContents;
  readonly instances: PolicyInstance[] = [];
  readonly #bed: CacheBed;
  readonly #next: () => number;
  readonly #settings;
  #version = 0;

  constructor(bed: CacheBed, seed: number) {
    this.#bed = bed;
    this.#next = seeded(seed);
    const after = (ms: number, work: () => void): (() => void) => {
      const timer = setTimeout(work, ms);
      return () => clearTimeout(timer);
    };
    this.contents = new DelayedContents({ after, delay: this.pick([0, 1, 3]) });
    this.#settings = compile('cache', this.pick(['', 'collapse_wait = "200ms"\n', 'max_entry = "20KiB"\n']))!;
    bed.target.respond = (request, socket) => this.#answer(request, socket);
  }

  chance = (share: number): boolean => this.#next() < share;
  pick = <T>(from: readonly T[]): T => from[Math.floor(this.#next() * from.length)]!;

  load(): Promise<void> {
    const run = (host: Parameters<typeof create>[1]): PolicyInstance => {
      const instance = create(this.#settings, { ...host, content: (options) => this.contents.store('c', options) });
      this.instances.push(instance);
      return instance;
    };
    return this.#bed.load('', '', withPolicies([{ run }]));
  }

  // ---------------------------------------------------------------- the origin

  #answer(request: Arrived, socket: Socket): void {
    if (this.chance(0.1)) this.#version++;
    const steps = this.#steps(request, socket);
    const next = (): void => {
      const step = steps.shift();
      if (step === undefined || socket.destroyed) return;
      step();
      if (this.chance(0.5)) next();
      else setTimeout(next, this.pick([0, 1, 5]));
    };
    next();
  }

  /** What the origin does one after the other. */
  #steps({ header, method, url }: Arrived, socket: Socket): (() => void)[] {
    const write = (text: string) => (): void => void socket.write(text);
    const end = (): void => void socket.destroy();
    const size = this.pick([40, 40, 40, 30_000, 300_000]);
    const body = `${url}|${header('x-a')}|${size}|`.padEnd(size, 'x');
    const etag = this.chance(0.7) ? `ETag: "${this.#version}"\r\n` : '';
    const vary = url.startsWith('/v') ? 'Vary: x-a\r\n' : '';
    const fields = `Cache-Control: ${this.pick([...LIFETIMES, ...OTHERS])}\r\n${etag}${vary}`;
    const half = body.length >> 1;
    const parts = [body.slice(0, half), body.slice(half)];
    if (method === 'POST') return [write('HTTP/1.1 204 X\r\n\r\n')];
    if (header('if-none-match') !== undefined && this.chance(0.5)) return [write(`HTTP/1.1 304 X\r\n${fields}\r\n`)];
    switch (
      this.pick(['cut', 'short', 'error', 'odd', 'chunks', 'chunks', 'chunks', 'plain', 'plain', 'plain', 'plain'])
    ) {
      case 'cut':
        return [end];
      case 'short':
        return [write(`HTTP/1.1 200 X\r\n${fields}Content-Length: ${size + 5}\r\n\r\n${body}`), end];
      case 'error':
        return [write(`HTTP/1.1 ${this.pick([404, 500, 503])} X\r\nContent-Length: 0\r\n\r\n`)];
      case 'odd':
        return [write('HTTP/1.1 304 X\r\nETag: "other"\r\n\r\n')];
      case 'chunks': {
        const head = write(`HTTP/1.1 200 X\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`);
        if (method === 'HEAD') return [head];
        const chunks = parts.map((part) => write(`${part.length.toString(16)}\r\n${part}\r\n`));
        return [head, ...chunks, write('0\r\n\r\n')];
      }
      default: {
        const head = write(`HTTP/1.1 200 X\r\n${fields}Content-Length: ${size}\r\n\r\n`);
        return method === 'HEAD' ? [head] : [head, ...parts.map(write)];
      }
    }
  }

  // ---------------------------------------------------------------- clients

  #fields(): { [name: string]: string } {
    const fields: { [name: string]: string } = {};
    const maybe = (share: number, name: string, values: readonly string[]): void => {
      if (this.chance(share)) fields[name] = this.pick(values);
    };
    maybe(0.6, 'x-a', ['1', '2']);
    maybe(0.3, 'cache-control', ['no-cache', 'max-age=0', 'no-store', 'max-stale', 'only-if-cached']);
    maybe(0.2, 'range', ['bytes=0-3', 'bytes=2-10,20-30', 'bytes=-5', 'bytes=999999-']);
    maybe(0.2, 'if-none-match', [`"${this.#version}"`]);
    maybe(0.05, 'if-match', [`"${this.#version}"`]);
    maybe(0.1, 'authorization', ['Bearer x']);
    return fields;
  }

  async client(): Promise<void> {
    const path = this.pick(PATHS);
    const method = this.pick(['GET', 'GET', 'GET', 'GET', 'HEAD', 'POST']);
    const fields = this.#fields();
    const client = this.#bed.plane.client();
    client.send(requestText(path, fields, method));
    if (this.chance(0.25)) {
      await new Promise((resolve) => setTimeout(resolve, this.pick([0, 1, 4, 9])));
      client.socket.resetAndDestroy();
      return;
    }
    try {
      const { body, status } = await client.reply({ head: method === 'HEAD' });
      if (status !== 200 || method !== 'GET') return;
      const [of, variant, size] = body.toString('latin1', 0, 60).split('|');
      assert.is(of, path);
      if (path.startsWith('/v')) assert.is(variant, fields['x-a'] ?? 'undefined');
      assert.is(body.length, Number(size));
    } catch (error) {
      // The origin has broken off.
      if (!/The connection ended/.test(String(error))) throw error;
    } finally {
      client.destroy();
    }
  }
}

for (const seed of [1, 2, 3])
  test(`seed ${seed}`, async ({ bed }) => {
    const chaos = new Chaos(bed, seed * 104_729);
    await chaos.load();
    for (let step = 0; step < STEPS; step++) {
      if (chaos.chance(0.3)) bed.pass(chaos.pick([1, 2, 40]));
      if (chaos.chance(0.05)) await chaos.load();
      await Promise.all(Array.from({ length: chaos.pick([1, 4, 12]) }, () => chaos.client()));
    }
    await until(() => bed.plane.connections === 0, 'no client is left');
    await until(() => chaos.contents.pinned === 0, 'all contents are released');
    const waits = (): number => {
      const stats = chaos.instances.map((instance) => instance.stats?.() as { inFlight: number });
      return stats.reduce((sum, { inFlight }) => sum + inFlight, 0);
    };
    await until(() => waits() === 0, 'no request waits for another one');
    assert.equal(
      bed.plane.logs.filter(({ level }) => level === 'error'),
      [],
    );
  });

test.run();
