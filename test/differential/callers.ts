/**
 * Callers of explained requests: `--as`, `--key` and `--token`. A client cannot say who it is, so the proxy gets the credential that
 * the caller stands for, at the places that random-spec.ts gives its policies. `presented.ts` finds them in its own way.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compile } from '../../src/compiler/index.js';
import { type Caller, CallerError, Explainer, type Explanation } from '../../src/control/explain.js';
import { Gateway } from '../../src/control/gateway.js';
import { KeptLog } from '../control/kit.js';
import { virtualClock } from '../support/virtual-clock.js';
import { fieldsText, numbered, requestLines, steady } from './common.js';
import { DISABLED_TOKEN, ENV, KEYS, PASSWORDS, START, TOKENS } from './identities.js';
import { Random } from './random.js';
import { type RandomRequest, randomRequest } from './random-request.js';
import { randomSpec } from './random-spec.js';
import { Mock } from './replies.js';
import { type Address, exchangeAll, Origin, type Seen, type WireReply } from './wire.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Each explanation has shared memory of its own, which does not hasten a collection. */
const COLLECT_EVERY = 100;

export class CallerTally {
  compared = 0;
  /** How often each kind of caller was compared. */
  readonly kinds = new Map<string, number>();
  readonly outcomes = new Map<string, number>();
  /** Callers that explain refuses, because no policy of the route reads their credential. */
  impossible = 0;
  readonly differences: string[] = [];

  count(map: Map<string, number>, name: string): void {
    map.set(name, (map.get(name) ?? 0) + 1);
  }
}

/** Names of policies in random-spec.ts, by what they read and where. */
const PLACES: { readonly [policy: string]: { readonly key?: Place; readonly token?: Place } } = {
  keys: { key: 'x-api-key' },
  any: { key: 'x-api-key', token: 'authorization' },
  'open-keys': { key: 'authorization' },
  'query-keys': { key: 'query' },
  tokens: { token: 'authorization' },
};
type Place = 'x-api-key' | 'authorization' | 'query';

const AUTHENTICATING = new Set([...Object.keys(PLACES), 'people']);

/** The policies of the route that takes the request. */
interface Chain {
  readonly names: readonly string[];
  /** Whether `tokens` finds a consumer. */
  readonly tokensHaveConsumers: boolean;
}

/** Compares `requests` on each of `specs` random specs. */
export async function compareCallers(specs: number, requests: number, seed: number): Promise<CallerTally> {
  const origin = await Origin.start();
  const random = new Random(seed);
  const tally = new CallerTally();
  try {
    for (let index = 0; index < specs; index++) await compareOn(random, index, requests, origin, tally);
  } finally {
    origin.close();
  }
  return tally;
}

async function compareOn(random: Random, index: number, count: number, origin: Origin, tally: CallerTally) {
  const { model, text } = randomSpec(random, [`${origin.url}/t0`], `/random/gateway-${index}.toml`);
  const { bundle } = compile(model);
  let now = START;
  const clock = virtualClock(() => now);
  const options = { model, inline: true, adminSocket: false, accessLog: null, clock, log: new KeptLog(), env: ENV };
  const gateway = await Gateway.start(options);
  const explainer = new Explainer(bundle, { clock, env: ENV });
  const listeners = gateway.addresses.map(({ name, address }) => {
    const colon = address.lastIndexOf(':');
    return { name, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  });
  const chainOf = (route: string | undefined): Chain => {
    const entry = bundle.program.routes.find(({ name }) => name === route);
    const policies = (entry?.policies ?? []).map((at) => bundle.program.policies[at]!);
    const tokens = policies.find(({ name }) => name === 'tokens')?.config as { consumer_claim?: string } | undefined;
    return { names: policies.map(({ name }) => name), tokensHaveConsumers: tokens?.consumer_claim !== undefined };
  };
  const { answer } = new Mock();
  try {
    for (let [sent, tried] = [0, 0]; sent < count; tried++) {
      if (tried % COLLECT_EVERY === 0) collectGarbage();
      // An explanation begins with unused limits: at this distance the proxy has them too.
      now += 61_000 + random.index(20_000);
      const bare = numbered(withoutCredentials(randomRequest(random, model)), random, sent);
      const caller = randomCaller(random);
      const listener = random.pick(listeners);
      const asked = { ...bare, listener: listener.name, mocks: { one: answer, many: answer } };
      const explained = await explainer.explain(asked, caller).catch(asCallerError);
      let difference: string | undefined;
      if (explained instanceof CallerError) difference = impossible(explained, caller, chainOf, tally);
      else {
        const request = presented(bare, caller, chainOf(explained.route?.name));
        if (request === undefined) continue;
        sent++;
        tally.count(tally.kinds, Object.keys(caller)[0]!);
        difference = await compareOne(explained, caller, request, listener, origin, tally);
      }
      if (difference === undefined) continue;
      const what = `${JSON.stringify(caller)} ${bare.method} ${bare.url} ${JSON.stringify(bare.headers)}`;
      tally.differences.push(`spec ${index}: ${what}\n${difference}\n${text}`);
    }
  } finally {
    explainer.close();
    await gateway.close();
  }
}

function asCallerError(error: unknown): CallerError {
  if (error instanceof CallerError) return error;
  throw error;
}

function randomCaller(random: Random): Caller {
  const kind = random.index(3);
  if (kind === 0) return { as: random.pick(['acme', 'acme', 'gone']) };
  return kind === 1 ? { key: random.pick(KEYS) } : { token: random.pick(TOKENS) };
}

function withoutCredentials(request: RandomRequest): RandomRequest {
  const headers = request.headers.filter(([name]) => !/^(x-api-key|authorization)$/i.test(name));
  const [path = '', query] = request.url.split('?', 2);
  const pairs = query?.split('&').filter((pair) => !pair.startsWith('key='));
  // A query without a parameter loses its question mark together with a key that a policy removes.
  return {
    ...request,
    headers,
    url: pairs === undefined || pairs.join('') === '' ? path : `${path}?${pairs.join('&')}`,
  };
}

/** The message names the route: none of its policies may read such a credential. */
function impossible({ message }: CallerError, caller: Caller, chainOf: (route: string) => Chain, tally: CallerTally) {
  tally.impossible++;
  const route = /route `([^`]+)`/.exec(message)?.[1] ?? '';
  const kind = caller.key === undefined ? 'token' : 'key';
  const reader = chainOf(route).names.find((name) => PLACES[name]?.[kind] !== undefined);
  return reader === undefined && route !== '' ? undefined : `${message} But ${reader} reads it.`;
}

/** What a client sends to be this caller; undefined if no request can say it. */
function presented(request: RandomRequest, caller: Caller, chain: Chain): RandomRequest | undefined {
  const { as, key, token } = caller;
  if (as !== undefined) return presentedAs(request, as, chain);
  const kind = key === undefined ? 'token' : 'key';
  const place = chain.names.map((name) => PLACES[name]?.[kind]).find((found) => found !== undefined);
  return place === undefined ? request : at(request, place, (key ?? token)!);
}

/** Every authenticating policy of the route gets a credential of the consumer. */
function presentedAs(request: RandomRequest, as: string, chain: Chain): RandomRequest | undefined {
  const own = chain.names.filter((name) => AUTHENTICATING.has(name));
  const [key, token] = as === 'acme' ? [KEYS[0]!, TOKENS[0]!] : [KEYS[4]!, DISABLED_TOKEN];
  let sent = request;
  const taken = new Set<string>();
  for (const name of own) {
    if (name === 'people' && as !== 'acme') return undefined;
    if (name === 'tokens' && !chain.tokensHaveConsumers) return undefined;
    const place = PLACES[name]?.key ?? 'authorization';
    // Two policies may read the same field as different kinds of credentials.
    if (taken.has(place) && place !== 'x-api-key') return undefined;
    if (taken.has(place)) continue;
    taken.add(place);
    if (name === 'people') sent = { ...sent, headers: [...sent.headers, ['authorization', PASSWORDS[0]!]] };
    else sent = at(sent, place, name === 'tokens' ? token : key);
  }
  return sent;
}

function at(request: RandomRequest, place: Place, credential: string): RandomRequest {
  if (place === 'query')
    return { ...request, url: `${request.url}${request.url.includes('?') ? '&' : '?'}key=${credential}` };
  const value = place === 'authorization' ? `Bearer ${credential}` : credential;
  return { ...request, headers: [...request.headers, [place, value]] };
}

async function compareOne(
  explained: Explanation,
  caller: Caller,
  request: RandomRequest,
  listener: Address,
  origin: Origin,
  tally: CallerTally,
): Promise<string | undefined> {
  tally.compared++;
  origin.seen.clear();
  const [reply] = await exchangeAll(listener, [request]);
  const [seen] = [...origin.seen.values()];
  return compare(explained, reply!, seen, request, hiding(caller), tally);
}

/** What an explanation shows in place of the credential; of an assumed consumer there is none. */
function hiding({ key, token }: Caller): (text: string) => string {
  const secret = key ?? token;
  return secret === undefined ? (text) => text : (text) => text.replaceAll(secret, '(not shown)');
}

function compare(
  { outcome, summary, service, reply: own, missing }: Explanation,
  reply: WireReply,
  seen: Seen | undefined,
  request: RandomRequest,
  hide: (text: string) => string,
  tally: CallerTally,
): string | undefined {
  const wire = `${reply.status} ${reply.body.slice(0, 200)}`;
  if ((outcome === 'target') !== (seen !== undefined))
    return `explain: ${summary}; proxy: ${seen === undefined ? wire : 'sent to the target'}`;
  if (seen !== undefined) {
    tally.count(tally.outcomes, 'target');
    const [shown, got] = [linesOf(service?.head ?? []), linesOf(seen.head.map(hide))];
    if (shown !== got) return `explain: the target gets\n  ${shown}\nproxy:\n  ${got}`;
    if (service?.body !== seen.body) return `explain: the target gets the body ${service?.body}; proxy: ${seen.body}`;
  }
  // The reply to an upgrade is not known.
  if (own === null) return missing?.name;
  tally.count(tally.outcomes, String(own.status));
  if (own.status !== reply.status) return `explain: ${summary}; proxy: ${wire}`;
  const [fields, got] = [fieldsText(own.headers), hide(fieldsText(reply.headers))];
  if (fields !== got) return `explain:\n  ${fields}\nproxy:\n  ${got}`;
  if (request.method === 'HEAD' || reply.headers.has('content-encoding')) return undefined;
  const [text, body] = [steady(own.body), hide(steady(Buffer.from(reply.body, 'latin1').toString('utf8')))];
  return text === body ? undefined : `explain: the client gets ${text}\nproxy: ${body}`;
}

/** The lines of a head without credentials: of an assumed consumer, explain has none. */
const linesOf = (head: readonly string[]): string =>
  requestLines(head)
    .filter((line) => !/^(authorization|x-api-key): /.test(line))
    .map((line) => line.replace(/[?&]key=[^ &]*(?= HTTP\/)/, ''))
    .join('\n  ');
