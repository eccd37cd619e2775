/**
 * Collapsed requests in two workers against targets that cut, lie and stall, and clients that leave or do not read. Laws: a client that
 * stays gets a whole reply of the origin or an error, no private reply goes to two clients, and nothing is left behind.
 */
import type { Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../src/policies/cache/run.js';
import type { PolicyInstance } from '../../../src/policies/contract.js';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { allocateState } from '../../../src/state/memory.js';
import { compile } from '../../policies/support.js';
import { seededBelow } from '../../support/random.js';
import { withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { FaultTarget, Plane, type RawClient } from '../engine-kit.js';
import { requestText, specOf } from './kit.js';

const PATHS = ['/a', '/b', '/c'];
const PART = 40_000;

class Hostile {
  readonly below: (below: number) => number;
  readonly sent = new Set<string>();
  readonly private = new Set<string>();
  readonly got = new Map<string, number>();
  readonly sockets = new Set<Socket>();
  replies = 0;
  complete = 0;
  broken: string | undefined;
  #count = 0;

  constructor(seed: number) {
    this.below = seededBelow(seed);
  }

  /** The origin answers one request, in some way. */
  answer(socket: Socket): void {
    this.sockets.add(socket);
    const id = `<${++this.#count}>`;
    const body = id.padEnd(this.below(3) * PART + id.length, id);
    const kind = this.below(12);
    const field = kind < 3 ? 'private' : kind === 3 ? 'no-store' : kind === 4 ? 'max-age=0' : 'max-age=60';
    if (kind < 4) this.private.add(id);
    const vary = this.below(6) === 0 ? `Vary: ${['*', 'x-a', 'x-b'][this.below(3)]}\r\n` : '';
    const head = `HTTP/1.1 ${this.below(20) === 0 ? 304 : 200} X\r\nCache-Control: ${field}\r\n${vary}`;
    this.sent.add(body);
    const whole = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
    const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\nX-T: 1\r\n\r\n`;
    const [first, rest] = this.#cut(this.below(2) ? whole : chunked);
    const fate = this.below(10);
    const delay = this.below(4) === 0 ? this.below(80) : this.below(4);
    setTimeout(() => {
      if (fate === 0) socket.resetAndDestroy();
      else socket.write(first, 'latin1');
      if (fate === 1) socket.end();
      if (fate > 1) setTimeout(() => socket.write(rest, 'latin1'), this.below(20));
    }, delay);
  }

  #cut(text: string): [string, string] {
    const at = this.below(text.length);
    return [text.slice(0, at), text.slice(at)];
  }

  /** One client, which may leave, or read late. */
  async client(plane: Plane): Promise<void> {
    const client = plane.client();
    const path = PATHS[this.below(PATHS.length)]!;
    const fields = { 'x-a': String(this.below(2)), ...(this.below(8) === 0 ? { 'cache-control': 'no-cache' } : {}) };
    client.send(requestText(path, fields, this.below(15) === 0 ? 'POST' : 'GET'));
    const fate = this.below(8);
    if (fate === 0) {
      await new Promise((resolve) => setTimeout(resolve, this.below(30)));
      client.socket.resetAndDestroy();
      return;
    }
    if (fate === 1) {
      client.socket.pause();
      setTimeout(() => client.socket.resume(), this.below(60));
    }
    await this.#read(client, path);
  }

  async #read(client: RawClient, path: string): Promise<void> {
    let text: string;
    let status: number;
    try {
      const reply = await client.reply();
      text = reply.body.toString('latin1');
      status = reply.status;
    } catch (error) {
      // A reply that is cut; one that never comes is a broken law.
      if (!/The connection ended/.test(String(error))) this.broken ??= `${path}: ${error}`;
      return;
    } finally {
      this.replies++;
      client.destroy();
    }
    if (status >= 400 || status === 304) return;
    this.complete++;
    if (!this.sent.has(text)) this.broken ??= `${path} got ${text.length} bytes: ${text.slice(0, 40)}`;
    const id = text.slice(0, text.indexOf('>') + 1);
    this.got.set(id, (this.got.get(id) ?? 0) + 1);
    if (this.private.has(id) && this.got.get(id)! > 1) this.broken ??= `a private reply went to two clients: ${id}`;
  }
}

async function run(seed: number): Promise<number> {
  const hostile = new Hostile(seed);
  const target = await FaultTarget.start();
  target.respond = (_request, socket) => hostile.answer(socket);
  const state = allocateState({ workers: 2, small: true });
  const settings = compile('cache', 'collapse_wait = "40ms"\nmax_entry = "64KiB"\n')!;
  const caches: PolicyInstance[] = [];
  const planes: Plane[] = [];
  for (const worker of [0, 1]) {
    const plane = await Plane.start(specOf(target.url, '', ''), { state, worker });
    const policy = withPolicies([
      {
        run: (host) => {
          const cache = create(settings, host);
          caches.push(cache);
          return cache;
        },
      },
    ]);
    await plane.load(specOf(target.url, '', ''), policy);
    planes.push(plane);
  }
  try {
    const running: Promise<void>[] = [];
    for (let count = 0; count < 120; count++) {
      running.push(hostile.client(planes[hostile.below(2)]!));
      if (hostile.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, hostile.below(6)));
    }
    await Promise.all(running);
    assert.is(hostile.broken, undefined, `seed ${seed}: ${hostile.broken}`);
    const inFlight = (): number =>
      caches.reduce((sum, cache) => {
        const stats = cache.stats?.() as { inFlight: number } | undefined;
        return sum + (stats?.inFlight ?? 0);
      }, 0);
    for (const socket of hostile.sockets) socket.destroy();
    await until(() => inFlight() === 0, `seed ${seed}: the end of all flights`);
    const { identities } = new MemoryContents(state.content!, Date.now).health();
    await until(() => planes.every(({ connections }) => connections === 0), 'the end of all exchanges');
    assert.is(
      identities.reduce((sum, { pinnedBytes }) => sum + pinnedBytes, 0),
      0,
      'nothing is pinned',
    );
    return hostile.complete;
  } finally {
    for (const plane of planes) await plane.close();
    await target.close();
  }
}

test('hostile targets and clients, in two workers', async () => {
  let complete = 0;
  for (let seed = 1; seed <= 10; seed++) complete += await run(seed);
  assert.ok(complete > 200, `${complete} whole replies`);
});

test.run();
