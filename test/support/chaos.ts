/**
 * Random policies that use every hook, random requests, targets and reloads: each entered step finishes once, each stage
 * ends or is aborted once, no reply is lost or doubled, and nothing is held afterwards.
 */
import * as assert from 'uvu/assert';
import { BytesReply } from '../../src/policies/run-kit.js';
import { Counter, SLOT_WORDS, SLOTS_PER_CHUNK } from '../../src/telemetry/stats/layout.js';
import { Plane, type RawClient, specOf } from '../integration/engine-kit.js';
import { chaosPolicy, Journal, type Random } from './chaos-policies.js';
import { type Fault, FaultTarget, never, ok, sayAndClose, sayAndReset, whole } from './fault-target.js';
import { seeded } from './random.js';
import { withPolicies } from './test-policies.js';
import { until } from './until.js';

export interface ChaosSize {
  readonly seed: number;
  /** Number of generations, each with its own random chain. */
  readonly generations: number;
  /** Connections in each generation, each with a few requests. */
  readonly clients: number;
}

export interface ChaosTally {
  whole: number;
  cut: number;
  entered: number;
  stages: number;
}

const HOST = 'Host: a.example\r\n';
const pick = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)]!;

function randomFault(random: Random): Fault {
  const size = Math.floor(random() * random() * 300_000);
  const body = 'y'.repeat(size);
  const chunk = `${size.toString(16)}\r\n${body}\r\n`;
  const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${size > 0 ? chunk : ''}0\r\n\r\n`;
  const reply: Fault = pick<Fault>(random, [
    ok(body),
    ok(body, 'ETag: "1"\r\nContent-Type: text/plain\r\n'),
    (_request, socket) => socket.write(chunked),
    (_request, socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
    (_request, socket) => socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'),
    (_request, socket) =>
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
    sayAndClose(`HTTP/1.1 200 OK\r\nContent-Length: ${size + 5}\r\n\r\n${body}`),
    sayAndReset('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc'),
    sayAndReset(),
    never,
  ]);
  // A HEAD has no body.
  const answer: Fault = (request, socket) =>
    request.method === 'HEAD' ? socket.write('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n') : reply(request, socket);
  return random() < 0.7 ? whole(() => {}, answer) : answer;
}

function randomRequest(random: Random): { text: string; head: boolean } {
  const method = pick(random, ['GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE']);
  const line = `${method} /a HTTP/1.1\r\n${HOST}`;
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE')
    return { text: `${line}\r\n`, head: method === 'HEAD' };
  const size = Math.floor(random() * random() * 250_000);
  const body = 'b'.repeat(size);
  const text =
    random() < 0.5
      ? `${line}Content-Length: ${size}\r\n\r\n${body}`
      : `${line}Transfer-Encoding: chunked\r\n\r\n${size > 0 ? `${size.toString(16)}\r\n${body}\r\n` : ''}0\r\n\r\n`;
  return { text, head: false };
}

/** One connection: a few requests, one of which it may leave in the middle. */
async function converse(client: RawClient, random: Random, tally: ChaosTally): Promise<void> {
  const requests = 1 + Math.floor(random() * 4);
  for (let at = 0; at < requests; at++) {
    const { text, head } = randomRequest(random);
    const leaves = random() < 0.12;
    client.send(leaves ? text.slice(0, Math.floor(text.length * random()) + 1) : text);
    if (leaves) {
      await new Promise((resolve) => setTimeout(resolve, random() * 20));
      tally.cut++;
      if (random() < 0.5) client.socket.resetAndDestroy();
      else client.destroy();
      return;
    }
    try {
      const reply = await client.reply({ head });
      if (reply.status === 100) throw new Error('an informational reply that nothing asked for');
      tally.whole++;
    } catch (error) {
      if (!client.ended) throw error;
      // The gateway cut the reply, as it must if it cannot complete one.
      tally.cut++;
      return;
    }
    if (client.ended) return;
  }
  client.destroy();
}

/** Runs the chaos. Throws AssertionError with the seed for a broken law. */
export async function runChaos({ seed, generations, clients }: ChaosSize): Promise<ChaosTally> {
  const random = seeded(seed);
  const journal = new Journal();
  const tally: ChaosTally = { whole: 0, cut: 0, entered: 0, stages: 0 };
  const target = await FaultTarget.start();
  // A small budget: a body that is not given back makes later requests fail.
  const plane = await Plane.start(specOf(target.url), { bodyMemory: 24 * 1024 * 1024 });
  const route = 'timeout = "600ms"\npolicies = ["busy"]';
  const spec = specOf(target.url, { service: 'retries = 1\neject_after = 0', route, more: busy(1000) });
  try {
    target.respond = (request, socket) => randomFault(random)(request, socket);
    let talks: Promise<void>[] = [];
    for (let generation = 0; generation < generations; generation++) {
      const count = 1 + Math.floor(random() * 5);
      const names = Array.from({ length: count }, (_, index) => `g${generation}p${index}`);
      await plane.load(spec, withPolicies(names.map((name) => chaosPolicy(name, journal, random))));
      // The exchanges of the generation before are still in progress.
      talks = [
        ...talks.slice(-clients),
        ...Array.from({ length: clients }, () => converse(plane.client(), random, tally)),
      ];
      if (random() < 0.5) await Promise.all(talks);
    }
    await Promise.all(talks);
    await until(() => journal.openStages === 0 && journal.unfinished.length === 0, 'all exchanges have ended').catch(
      () => {},
    );
    const where = `seed ${seed}`;
    assert.equal(journal.faults.slice(0, 5), [], where);
    assert.equal(journal.unfinished.slice(0, 5), [], where);
    assert.is(journal.openStages, 0, `stages that neither ended nor were aborted, ${where}`);
    await assertNothingHeld(plane, target, where);
    return { ...tally, entered: journal.entered, stages: journal.stages };
  } finally {
    await plane.close();
    await target.close();
  }
}

/** A limit of requests in progress, whose places outlive reloads. */
const busy = (max: number): string => `[policy.busy]\nuse = "concurrency"\nmax = ${max}\nby = "route"\n`;

/** Requests in progress of all routes and targets, as the worker counts them: a request that ended twice gives less than 0. */
function inFlight({ registry }: Plane): number[] {
  const counts: number[] = [];
  for (const chunk of registry.chunks(0)) {
    const words = new Float64Array(chunk);
    for (let slot = 0; slot < SLOTS_PER_CHUNK; slot++) counts.push(words[slot * SLOT_WORDS + Counter.InFlight]!);
  }
  return counts.filter((count) => count !== 0);
}

/**
 * No connection, no place of `concurrency`, no request of a route or target is counted. All of the budget is free: bodies that
 * need most of it together are collected.
 */
async function assertNothingHeld(plane: Plane, target: FaultTarget, where: string): Promise<void> {
  await until(() => plane.connections === 0, `connections of clients to end, ${where}`);
  await until(() => inFlight(plane).length === 0, `counters to return to zero, ${where}`);
  target.respond = ok('free');
  await plane.load(specOf(target.url, { route: 'policies = ["busy"]', more: busy(1) }));
  const free = await plane.ask(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is(free.status, 200, `a place is still held, ${where}`);
  const collects = {
    body: { request: { max: 20 * 1024 * 1024, mandatory: true } },
    run: { onRequestBody: () => new BytesReply(200) },
  };
  await plane.load(specOf(target.url, { listener: 'max_body = "30MiB"' }), withPolicies([collects]));
  const body = 'z'.repeat(15 * 1024 * 1024);
  const reply = await plane.ask(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`);
  assert.is(reply.status, 200, `memory of bodies is still held, ${where}`);
}
