/**
 * explain and the proxy share one implementation: for random specs and random requests over real sockets, they agree on
 * route, parameters, status, consumer, chosen target and every line that the target receives. GW_SEED repeats a run.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { Explainer } from '../../src/control/explain.js';
import { Gateway } from '../../src/control/gateway.js';
import type { OfflineResult } from '../../src/proxy/offline.js';
import { KeptLog } from '../control/kit.js';
import { virtualClock } from '../support/virtual-clock.js';
import { Random } from './random.js';
import { type RandomRequest, randomRequest } from './random-request.js';
import { randomSpec } from './random-spec.js';
import { exchangeAll, seenBy, startEcho, type WireReply } from './wire.js';

const SPECS = 42;
const REQUESTS = 500;
/** Requests on one connection, at one moment of the clock. */
const BATCH = 50;
const SEED = Number(process.env['GW_SEED'] ?? 20_260);
const SHOWN = 5;

interface Tally {
  compared: number;
  readonly outcomes: Map<string, number>;
  readonly routes: Set<string>;
  withParams: number;
  corsReplies: number;
  /** Upgrade requests, and requests with a query set by a rewrite. */
  upgrades: number;
  nonAscii: number;
  readonly differences: string[];
}

test(`explain and the proxy agree on ${SPECS * REQUESTS} requests (seed ${SEED})`, async () => {
  const echo = await startEcho();
  const random = new Random(SEED);
  const tally: Tally = {
    compared: 0,
    outcomes: new Map(),
    routes: new Set(),
    withParams: 0,
    corsReplies: 0,
    upgrades: 0,
    nonAscii: 0,
    differences: [],
  };
  try {
    for (let index = 0; index < SPECS; index++) await compareOn(random, index, echo.url, tally);
  } finally {
    echo.server.close();
    echo.server.closeAllConnections();
  }
  assert.equal(tally.differences.slice(0, SHOWN), []);
  assert.ok(tally.compared >= 20_000);
  // Agreement is only meaningful if all kinds of outcome occurred.
  for (const outcome of ['target', '200', '204', '304', '400', '401', '404', '405', '421', '429', '503']) {
    assert.ok((tally.outcomes.get(outcome) ?? 0) > 20, `${outcome}: ${tally.outcomes.get(outcome) ?? 0} times`);
  }
  assert.ok((tally.outcomes.get('target') ?? 0) > tally.compared / 10);
  assert.ok(tally.routes.size > 300, `${tally.routes.size} routes`);
  assert.ok(tally.withParams > 1000, `${tally.withParams} with parameters`);
  assert.ok(tally.corsReplies > 100, `${tally.corsReplies} with CORS fields`);
  assert.ok(tally.upgrades > 15, `${tally.upgrades} upgrades`);
  assert.ok(tally.nonAscii > 30, `${tally.nonAscii} non-ASCII heads`);
});

async function compareOn(random: Random, index: number, origin: string, tally: Tally): Promise<void> {
  const targets = [`${origin}/t0`, `${origin}/t1`, origin];
  const { model, text } = randomSpec(random, targets, `/random/gateway-${index}.toml`);
  const { bundle } = compile(model);
  let now = Date.UTC(2026, 0, 1);
  const clock = virtualClock(() => now);
  const log = new KeptLog();
  const gateway = await Gateway.start({ model, inline: true, adminSocket: false, accessLog: null, clock, log });
  const explainer = new Explainer(bundle, { clock });
  const listeners = gateway.addresses.map(({ name, address }) => {
    const colon = address.lastIndexOf(':');
    return { name, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  });
  try {
    for (let sent = 0; sent < REQUESTS; sent += BATCH) {
      now += random.index(20_000);
      const requests = Array.from({ length: BATCH }, () => randomRequest(random, model));
      const listener = random.pick(listeners);
      const replies = await exchangeAll(listener, requests);
      for (const [at, request] of requests.entries()) {
        const explained = await explainer.run({ ...request, listener: listener.name });
        const reply = replies[at];
        const route = explained.route === null ? undefined : bundle.program.routes[explained.route]?.name;
        if (route !== undefined) tally.routes.add(`${index}/${route}`);
        const difference = reply ? compare(explained, reply, route, tally) : 'no reply';
        if (difference === undefined) continue;
        tally.differences.push(`spec ${index}, request ${sent + at}: ${describe(request)}\n${difference}\n${text}`);
      }
    }
  } finally {
    explainer.close();
    await gateway.close();
  }
  assert.equal(
    log.lines.filter(({ level }) => level === 'error'),
    [],
  );
}

/** The first difference; undefined if there is none. */
function compare(
  explained: OfflineResult,
  reply: WireReply,
  route: string | undefined,
  tally: Tally,
): string | undefined {
  tally.compared++;
  const seen = seenBy(reply);
  const outcome = explained.status === null ? 'target' : String(explained.status);
  tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
  if (Object.keys(explained.params).length > 0) tally.withParams++;
  if (explained.status === null) {
    if (!seen) return `explain: sent to ${explained.target}; proxy: ${reply.status} ${reply.body}`;
    if (seen.head.includes('connection: upgrade')) tally.upgrades++;
    if (seen.head.some((line) => /[^\0-\x7f]/.test(line))) tally.nonAscii++;
    return sameLines(explained, seen.head, route);
  }
  if (seen)
    return `explain: ${explained.status} ${explained.error}; proxy sent to the target: ${seen.head.join(' | ')}`;
  if (explained.status !== reply.status)
    return `explain: ${explained.status} ${explained.error}; proxy: ${reply.status} ${reply.body}`;
  if (reply.headers.get('access-control-allow-origin') !== undefined) tally.corsReplies++;
  return sameFields(explained, reply);
}

/** Fields that the engine adds to a reply after the chain. */
const ADDED = new Set(['date', 'x-request-id', 'connection', 'content-length', 'keep-alive']);

/** A gateway reply has exactly the fields that explain shows. */
function sameFields(explained: OfflineResult, reply: WireReply): string | undefined {
  // A malformed head creates no exchange, so explain shows no reply.
  if (explained.reply === null) return undefined;
  if (reply.status === 304 && reply.headers.has('content-length')) return 'a 304 of gw has a content-length';
  const expected = new Map<string, string>();
  for (const [name, value] of explained.reply.headers) {
    const before = expected.get(name);
    expected.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const text = (fields: ReadonlyMap<string, string>): string =>
    [...fields]
      .filter(([name]) => !ADDED.has(name))
      .map(([name, value]) => `${name}: ${value}`)
      .sort()
      .join('\n  ');
  const [own, wire] = [text(expected), text(reply.headers)];
  return own === wire ? undefined : `explain:\n  ${own}\nproxy:\n  ${wire}`;
}

/** The target received exactly the head lines that explain shows. */
function sameLines(explained: OfflineResult, head: readonly string[], route: string | undefined): string | undefined {
  const steady = (lines: readonly string[]): string[] =>
    lines
      .map((line, at) => (at === 0 ? line : lowerName(line)))
      .filter((line) => !/^(x-request-id:|content-length:|connection: (close|keep-alive)$)/.test(line))
      .sort();
  const [expected, got] = [steady(explained.head ?? []), steady(head)];
  if (expected.join('\n') !== got.join('\n'))
    return `explain:\n  ${expected.join('\n  ')}\nproxy:\n  ${got.join('\n  ')}`;
  const value = (name: string): string | undefined =>
    got.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
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

const lowerName = (line: string): string =>
  line.slice(0, line.indexOf(':')).toLowerCase() + line.slice(line.indexOf(':'));

const describe = ({ method, url, headers, version }: RandomRequest): string =>
  `${method} ${url} HTTP/${version} ${headers.map(([name, value]) => `${name}: ${value}`).join(', ')}`;

test.run();
