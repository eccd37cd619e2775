/**
 * A target with every fault that can affect pipelined exchanges, and clients that disconnect at random. Every request
 * must get its own reply, without loss or leak. Runs are seeded and reproducible.
 */
import type { Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { seeded } from '../../support/random.js';
import { type Arrived, FaultTarget, Plane, type RawClient, specOf, until } from '../engine-kit.js';

const CLIENTS = 12;
const REQUESTS = 40;

const bodyOf = (url: string): string => `${url}|`.repeat(1 + (Number(url.split('/')[2]) % 40) ** 2);

/** Replies in order with random framing and delay, and ends connections at random in several ways. */
class Chaos {
  readonly seen = new Map<string, number>();
  readonly #queues = new Map<Socket, { requests: Arrived[]; left: number; busy: boolean }>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  readonly respond = (request: Arrived, socket: Socket): void => {
    let queue = this.#queues.get(socket);
    if (queue === undefined) {
      queue = { requests: [], left: 1 + Math.floor(this.#random() * 25), busy: false };
      this.#queues.set(socket, queue);
    }
    queue.requests.push(request);
    if (!queue.busy) void this.#serve(socket, queue);
  };

  async #serve(socket: Socket, queue: { requests: Arrived[]; left: number; busy: boolean }): Promise<void> {
    queue.busy = true;
    for (let request = queue.requests.shift(); request !== undefined; request = queue.requests.shift()) {
      if (socket.destroyed || queue.left === 0) return;
      this.seen.set(request.url, (this.seen.get(request.url) ?? 0) + 1);
      const last = --queue.left === 0;
      if (this.#random() < 0.3) await new Promise((resolve) => setTimeout(resolve, this.#random() * 8));
      const how = this.#random();
      await this.#answer(request, socket, last && how < 0.5);
      if (!last) continue;
      if (how < 0.25) socket.destroy();
      else socket.end();
    }
    queue.busy = false;
  }

  async #answer(request: Arrived, socket: Socket, announced: boolean): Promise<void> {
    const random = this.#random;
    const body = bodyOf(request.url);
    const head = request.method === 'HEAD';
    const close = announced ? 'Connection: close\r\n' : '';
    let text = random() < 0.15 ? `HTTP/1.1 103 Early\r\nX-For: ${request.url}\r\n\r\n` : '';
    if (random() < 0.1) text += `HTTP/1.1 204 None\r\nX-For: ${request.url}\r\n${close}\r\n`;
    else if (random() < 0.5) {
      text += `HTTP/1.1 200 OK\r\nX-For: ${request.url}\r\n${close}Content-Length: ${body.length}\r\n\r\n`;
      if (!head) text += body;
    } else {
      const at = Math.floor(random() * body.length);
      text += `HTTP/1.1 200 OK\r\nX-For: ${request.url}\r\n${close}Transfer-Encoding: chunked\r\n\r\n`;
      const chunk = (part: string): string => (part === '' ? '' : `${part.length.toString(16)}\r\n${part}\r\n`);
      if (!head) text += `${chunk(body.slice(0, at))}${chunk(body.slice(at))}0\r\n\r\n`;
    }
    const cut = random() < 0.4 ? Math.floor(random() * text.length) : text.length;
    socket.write(text.slice(0, cut));
    if (cut === text.length) return;
    await new Promise((resolve) => setTimeout(resolve, random() * 5));
    socket.write(text.slice(cut));
  }
}

/** Sends requests, sometimes pipelined, checks every reply, and disconnects at random. */
async function visit(plane: Plane, name: number, random: () => number): Promise<number> {
  let client: RawClient = plane.client();
  let answered = 0;
  for (let next = 0; next < REQUESTS; ) {
    const ahead: { url: string; head: boolean }[] = [];
    for (let i = 0; i < 1 + Math.floor(random() * 3) && next < REQUESTS; i++, next++) {
      const method = random() < 0.15 ? 'HEAD' : random() < 0.1 ? 'DELETE' : 'GET';
      const url = `/${name}/${next}`;
      ahead.push({ url, head: method === 'HEAD' });
      client.send(`${method} ${url} HTTP/1.1\r\nHost: a\r\n\r\n`);
    }
    if (random() < 0.06) {
      await new Promise((resolve) => setTimeout(resolve, random() * 6));
      client.socket.resetAndDestroy();
      client = plane.client();
      continue;
    }
    if (random() < 0.1) {
      client.socket.pause();
      setTimeout(() => client.socket.resume(), random() * 40);
    }
    for (const { url, head } of ahead) {
      let reply = await client.reply({ head });
      while (reply.status === 103) {
        assert.is(reply.header('x-for'), url);
        reply = await client.reply({ head });
      }
      assert.is(reply.header('x-for'), url, `${reply.statusLine} for ${url}`);
      if (reply.status === 200 && !head) assert.is(reply.body.toString(), bodyOf(url));
      else assert.ok(reply.status === 204 || head, reply.statusLine);
      answered++;
    }
  }
  assert.is(client.pending, '');
  client.destroy();
  return answered;
}

for (const [seed, service] of [
  [1, 'pipelining = 16'],
  [2, 'pipelining = 4\nmax_connections = 6\nconnect_timeout = "10s"'],
  [3, 'pipelining = 64\nmax_connections = 2\nconnect_timeout = "10s"'],
  [4, 'pipelining = 2'],
] as const) {
  test(`chaos ${seed}: ${service.replaceAll('\n', ', ')}`, async () => {
    const random = seeded(seed);
    const chaos = new Chaos(seeded(seed + 1000));
    const target = await FaultTarget.start(chaos.respond);
    const plane = await Plane.start(
      specOf(target.url, { service: `${service}\nretries = 10\neject_after = 0\nidle_timeout = "200ms"` }),
    );
    try {
      const visits = await Promise.all(
        Array.from({ length: CLIENTS }, (_, name) => visit(plane, name, seeded(random() * 2 ** 32))),
      );
      const answered = visits.reduce((sum, one) => sum + one, 0);
      const route = () => plane.registry.sums(plane.registry.slot('route', 'all') ?? -1);
      const targetSums = () => plane.registry.sums(plane.registry.slot('target', `it|${target.url}`) ?? -1);
      await until(() => route().inFlight === 0 && targetSums().inFlight === 0, 'every exchange to be over');
      await until(() => plane.records.length === route().requests, 'the records');
      const complete = plane.records.filter(({ error }) => error === null).length;
      const left = plane.records.filter(({ error }) => error === 'downstream/aborted').length;
      assert.is(complete + left, plane.records.length, 'clients see no error for any fault of the target');
      assert.ok(complete >= answered && left > 0, `${complete} complete, ${answered} read, ${left} left`);
      assert.ok(targetSums().requests > route().requests, 'some requests were retried');
      // The target saw at most the attempts that gw counts, and no request more often than permitted.
      const seen = [...chaos.seen.values()];
      assert.ok(seen.reduce((sum, count) => sum + count, 0) <= targetSums().requests);
      assert.ok(Math.max(...seen) <= 14, String(Math.max(...seen)));
      await until(() => targetSums().connections === 0, 'idle connections to be closed');
      await until(() => target.open === 0, 'the target to notice the closed connections');
    } finally {
      await plane.close();
      await target.close();
    }
  });
}

test.run();
