/**
 * explain and the proxy share one implementation: for random specs and random requests over real sockets, they agree on
 * route, parameters, consumer, chosen target, every line and byte that the target receives, and on the reply to the client.
 */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { Explainer } from '../../src/control/explain.js';
import { Gateway } from '../../src/control/gateway.js';
import type { OfflineResult } from '../../src/proxy/offline.js';
import { KeptLog } from '../control/kit.js';
import { virtualClock } from '../support/virtual-clock.js';
import { fieldsText, numbered, requestLines, steady } from './common.js';
import { ENV, START } from './identities.js';
import { Random } from './random.js';
import { type RandomRequest, randomRequest } from './random-request.js';
import { randomSpec } from './random-spec.js';
import { Mock } from './replies.js';
import { exchangeAll, Origin, type Seen, type WireReply } from './wire.js';

/** Requests on one connection, at one moment of the clock. */
const BATCH = 50;

export class Tally {
  compared = 0;
  /** How often each status was sent, and `target` for requests that reached a target. */
  readonly outcomes = new Map<string, number>();
  readonly routes = new Set<string>();
  withParams = 0;
  corsReplies = 0;
  /** Upgrade requests, and requests with a query set by a rewrite. */
  upgrades = 0;
  nonAscii = 0;
  /** Requests with a body that reached a target. */
  bodies = 0;
  skipped = 0;
  pages = 0;
  compressed = 0;
  readonly differences: string[] = [];

  count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}

/** Compares `requests` on each of `specs` random specs. */
export async function compareAll(specs: number, requests: number, seed: number): Promise<Tally> {
  const origin = await Origin.start();
  const random = new Random(seed);
  const tally = new Tally();
  try {
    for (let index = 0; index < specs; index++) await compareOn(random, index, requests, origin, tally);
  } finally {
    origin.close();
  }
  return tally;
}

async function compareOn(random: Random, index: number, count: number, origin: Origin, tally: Tally): Promise<void> {
  const targets = [`${origin.url}/t0`, `${origin.url}/t1`, origin.url];
  const { model, text } = randomSpec(random, targets, `/random/gateway-${index}.toml`);
  const { bundle } = compile(model);
  let now = START;
  const clock = virtualClock(() => now);
  const log = new KeptLog();
  const gateway = await Gateway.start({
    model,
    inline: true,
    adminSocket: false,
    accessLog: null,
    clock,
    log,
    env: ENV,
  });
  const explainer = new Explainer(bundle, { clock, env: ENV });
  const listeners = gateway.addresses.map(({ name, address }) => {
    const colon = address.lastIndexOf(':');
    return { name, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  });
  const mock = new Mock();
  const mocks = { one: mock.answer, many: mock.answer };
  try {
    for (let sent = 0; sent < count; sent += BATCH) {
      now += random.index(20_000);
      const requests = Array.from({ length: BATCH }, (_, at) =>
        numbered(randomRequest(random, model), random, sent + at),
      );
      const listener = random.pick(listeners);
      origin.seen.clear();
      const replies = await exchangeAll(listener, requests);
      for (const [at, request] of requests.entries()) {
        mock.last = undefined;
        const explained = await explainer.run({ ...request, listener: listener.name, mocks });
        const route = explained.route === null ? undefined : bundle.program.routes[explained.route]?.name;
        if (route !== undefined) tally.routes.add(`${index}/${route}`);
        const seen = origin.seen.get(String(sent + at));
        const difference = compare({ request, explained, reply: replies[at]!, seen, body: mock.last, route }, tally);
        if (difference === undefined) continue;
        tally.differences.push(`spec ${index}, request ${sent + at}: ${describe(request)}\n${difference}\n${text}`);
      }
    }
  } finally {
    explainer.close();
    await gateway.close();
  }
  // A condition that cannot be evaluated is the only error that the specs may cause.
  const errors = log.lines.filter(
    ({ level, message }) => level === 'error' && message !== 'policy failed, request refused',
  );
  assert.equal(errors, []);
}

interface Pair {
  readonly request: RandomRequest;
  readonly explained: OfflineResult;
  readonly reply: WireReply;
  /** What the target received. */
  readonly seen: Seen | undefined;
  /** What the mock received. */
  readonly body: { readonly body: Uint8Array } | undefined;
  readonly route: string | undefined;
}

/** The first difference; undefined if there is none. */
function compare(pair: Pair, tally: Tally): string | undefined {
  const { explained, reply, seen, route } = pair;
  tally.compared++;
  if (Object.keys(explained.params).length > 0) tally.withParams++;
  if (explained.decisions.some(({ outcome }) => outcome === 'skip')) tally.skipped++;
  const shown = explained.status === null ? 'target' : `${explained.status} ${explained.error ?? ''}`;
  if (explained.asked !== (seen !== undefined)) {
    const proxy = seen === undefined ? `${reply.status} ${reply.body}` : `sent to the target: ${seen.head.join(' | ')}`;
    return `explain: ${explained.asked ? 'sent to the target' : shown}; proxy: ${proxy}`;
  }
  if (seen !== undefined) {
    tally.count('target');
    if (seen.head.includes('connection: upgrade')) tally.upgrades++;
    if (seen.head.some((line) => /[^\0-\x7f]/.test(line))) tally.nonAscii++;
    const difference = sameLines(explained, seen.head, route) ?? sameRequestBody(pair, seen, tally);
    if (difference !== undefined) return difference;
  }
  // The reply to an upgrade is not known.
  if (explained.status === null) return explained.unknown?.would;
  tally.count(String(explained.status));
  if (explained.status !== reply.status) return `explain: ${shown}; proxy: ${reply.status} ${reply.body}`;
  if (reply.headers.get('access-control-allow-origin') !== undefined) tally.corsReplies++;
  return sameFields(explained, reply) ?? sameBody(pair, tally);
}

function sameRequestBody({ body }: Pair, seen: Seen, tally: Tally): string | undefined {
  if (body === undefined) return undefined;
  const sent = Buffer.from(body.body).toString('latin1');
  if (sent !== '') tally.bodies++;
  return sent === seen.body ? undefined : `explain: the target gets the body ${sent}; proxy: ${seen.body}`;
}

/** The reply has exactly the fields that explain shows. */
function sameFields(explained: OfflineResult, reply: WireReply): string | undefined {
  if (explained.reply === null) return undefined;
  if (!explained.asked && reply.status === 304 && reply.headers.has('content-length'))
    return 'a 304 of gw has a content-length';
  const [own, wire] = [fieldsText(explained.reply.headers), fieldsText(reply.headers)];
  return own === wire ? undefined : `explain:\n  ${own}\nproxy:\n  ${wire}`;
}

function sameBody({ request, explained, reply }: Pair, tally: Tally): string | undefined {
  if (explained.reply === null || request.method === 'HEAD') return undefined;
  const coding = reply.headers.get('content-encoding');
  if (coding !== undefined) tally.compressed++;
  const own = steady(decoded(explained.reply.bytes, coding));
  const wire = steady(decoded(Buffer.from(reply.body, 'latin1'), coding));
  if (own.startsWith('<h1>')) tally.pages++;
  return own === wire ? undefined : `explain: the client gets ${own}\nproxy: ${wire}`;
}

function decoded(bytes: Uint8Array, coding: string | undefined): string {
  if (coding === 'br') return brotliDecompressSync(bytes).toString();
  if (coding === 'gzip') return gunzipSync(bytes).toString();
  if (coding === 'deflate') return inflateSync(bytes).toString();
  return Buffer.from(bytes).toString();
}

/** The target received exactly the head lines that explain shows. */
function sameLines(explained: OfflineResult, head: readonly string[], route: string | undefined): string | undefined {
  const [expected, got] = [requestLines(explained.head ?? []), requestLines(head)];
  if (expected.join('\n') !== got.join('\n'))
    return `explain:\n  ${expected.join('\n  ')}\nproxy:\n  ${got.join('\n  ')}`;
  const value = (name: string): string | undefined =>
    got.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  // The policy that sets these fields may have a condition.
  if (value('x-route') === undefined) return undefined;
  if (value('x-route') !== route) return `explain: route ${route}; proxy: ${value('x-route')}`;
  for (const [name, param] of Object.entries(explained.params)) {
    // A field cannot hold arbitrary text; values that it holds unchanged must be equal.
    if (!/^[!-~]+$/.test(param)) continue;
    const sent = value(`x-p-${name}`);
    if (sent !== param) return `explain: {${name}} is ${param}; proxy: ${sent}`;
  }
  const consumer = value('x-consumer')?.split('/')[0] ?? '';
  return consumer === (explained.consumer ?? '')
    ? undefined
    : `explain: consumer ${explained.consumer}; proxy: ${consumer}`;
}

const describe = ({ method, url, headers, version, body }: RandomRequest): string =>
  `${method} ${url} HTTP/${version} ${headers.map(([name, value]) => `${name}: ${value}`).join(', ')} | ${body.slice(0, 40)}`;
