/**
 * Attempts beside others and with time limits, under random faults: targets that reply, hang, reset, stall within bodies or refuse,
 * clients that leave, bodies, both versions of HTTP. Afterwards nothing may be in flight, and gw may not have found a bug.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counter } from '../../src/telemetry/stats/layout.js';
import { FaultTarget, Plane, specOf, until } from '../integration/engine-kit.js';
import { H2Target } from '../support/h2-target.js';
import { seeded } from '../support/random.js';

const test = suite('attempts');

const REQUESTS = 1000;
const AT_ONCE = 30;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';
const SETTINGS = `eject_for = "50ms"
response_timeout = "400ms"
max_connections = 12
max_queue = 30
[service.it.retry]
attempts = 2
backoff = "2ms"
budget = 100
statuses = [503]
attempt_timeout = "80ms"
hedge = { after = "15ms", attempts = 2 }
[service.it.breaker]
errors = 95
requests = 500`;

interface Bed {
  readonly urls: readonly string[];
  close(): Promise<void>;
}

type Say = (what: 'whole' | 'refusal' | 'half' | 'reset' | 'nothing') => void;

/** What a target does with a request. */
async function act(next: () => number, say: Say): Promise<void> {
  const fate = next();
  if (next() < 0.5) await delay(Math.floor(next() * 60));
  if (fate < 0.7) say('whole');
  else if (fate < 0.78) say('refusal');
  else if (fate < 0.84) say('half');
  else if (fate < 0.92) say('reset');
  else say('nothing');
}

async function http1(next: () => number): Promise<Bed> {
  const targets = await Promise.all([1, 2, 3].map(() => FaultTarget.start()));
  for (const target of targets)
    target.respond = (_request, socket) =>
      void act(next, (what) => {
        if (socket.destroyed) return;
        if (what === 'whole') socket.write(`${OK}well`);
        else if (what === 'refusal') socket.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
        else if (what === 'reset') socket.resetAndDestroy();
        else if (what === 'half') {
          socket.write(`${OK}we`);
          setTimeout(() => socket.destroy(), 20);
        }
      });
  return {
    urls: targets.map(({ url }) => url),
    close: async () => {
      for (const target of targets) await target.close();
    },
  };
}

async function http2(next: () => number): Promise<Bed> {
  const targets = await Promise.all([1, 2, 3].map(() => H2Target.start()));
  for (const target of targets)
    target.respond = (stream) => {
      stream.resume();
      void act(next, (what) => {
        if (stream.destroyed || stream.closed) return;
        if (what === 'reset') stream.close(2);
        if (what === 'reset' || what === 'nothing') return;
        stream.respond(what === 'refusal' ? { ':status': 503 } : { ':status': 200, 'content-length': '4' });
        if (what === 'half') {
          stream.write('we');
          setTimeout(() => stream.close(2), 20);
        } else stream.end(what === 'refusal' ? '' : 'well');
      });
    };
  return {
    urls: targets.map(({ url }) => url),
    close: async () => {
      for (const target of targets) await target.close();
    },
  };
}

/** The status of a reply, 0 if it was cut or the client has left. */
async function request(plane: Plane, next: () => number, number: number): Promise<number> {
  const client = plane.client();
  const kind = next();
  const body = 'x'.repeat(Math.floor(next() * 5000));
  const method = kind < 0.6 ? 'GET' : kind < 0.8 ? 'PUT' : 'POST';
  const length = method === 'GET' ? '' : `Content-Length: ${body.length}\r\n`;
  client.send(`${method} /${number} HTTP/1.1\r\nHost: a.example\r\n${length}\r\n`);
  if (method !== 'GET') {
    const half = Math.floor(body.length / 2);
    client.send(body.slice(0, half));
    if (next() < 0.3) await delay(5);
    client.send(body.slice(half));
  }
  if (next() < 0.15) {
    await delay(Math.floor(next() * 60));
    client.socket.resetAndDestroy();
    return 0;
  }
  try {
    const reply = await client.reply();
    if (reply.status === 200) assert.is(reply.body.toString(), 'well');
    return reply.status;
  } catch (error) {
    assert.match(String(error), /The connection ended/);
    return 0;
  } finally {
    client.destroy();
  }
}

for (const [name, start] of [
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const)
  test(`everything that began has ended, with targets over ${name}`, async () => {
    for (const seed of [1, 2]) {
      const next = seeded(seed);
      const bed = await start(next);
      const plane = await Plane.start(specOf(bed.urls[0]!));
      const service = name === 'HTTP/2' ? `protocol = "h2"\n${SETTINGS}` : SETTINGS;
      await plane.load(specOf(bed.urls, { service, route: 'timeout = "1s"' }));
      const statuses = new Map<number, number>();
      let left = REQUESTS;
      const worker = async (): Promise<void> => {
        while (left-- > 0) {
          const status = await request(plane, next, left);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      await until(() => plane.targetSum(Counter.InFlight) === 0, 'no attempt in flight');
      const [hedged, won] = [plane.targetSum(Counter.Hedged), plane.targetSum(Counter.HedgesWon)];
      console.log(`  ${name}, seed ${seed}: ${JSON.stringify([...statuses].sort())}, hedged ${hedged}, won ${won}`);
      assert.ok(hedged > 0 && won > 0);
      assert.equal(
        plane.logs.filter(({ level }) => level === 'error'),
        [],
      );
      assert.ok((statuses.get(200) ?? 0) > REQUESTS / 2);
      await plane.close();
      await bed.close();
    }
  });

test.run();
