/** Each error of docs/errors.md that a route can answer with carries what `cors` and `headers` of the route add. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CallFailure } from '../../src/policies/contract.js';
import { problem, Template } from '../../src/policies/run-kit.js';
import { DESCRIPTIONS } from '../../src/proxy/errors/descriptions.js';
import { ERRORS, type ErrorSlug } from '../../src/proxy/errors/errors.js';
import { Target } from '../../src/proxy/upstream/target.js';
import { actionDeclarations, policyDeclarations } from '../../src/spec/index.js';
import { ConsumerSet } from '../../src/state/consumers/set.js';
import { temporaryFolder } from '../control/kit.js';
import { digestOfKey } from '../support/consumers.js';
import * as faults from '../support/fault-target.js';
import { FullBacklog, refusingPort } from '../support/fault-target.js';
import { ServedGateway } from '../support/gw-process.js';
import { onlyWhere } from '../support/only-where.js';
import { type TestPolicy, withPolicies } from '../support/test-policies.js';
import { removeFolders } from './control-kit.js';
import { FaultTarget, Plane, RawClient, type RawReply, specOf, until } from './engine-kit.js';

const ORIGIN = 'https://app.example.com';
const HEAD = `Host: a.example\r\nOrigin: ${ORIGIN}\r\n`;
const GET = `GET / HTTP/1.1\r\n${HEAD}\r\n`;
const WITH_KEY = `GET / HTTP/1.1\r\n${HEAD}X-Api-Key: secret-of-acme\r\n\r\n`;
const KEY_HASH = `sha256:${digestOfKey('secret-of-acme')}`;
const POST = `POST / HTTP/1.1\r\n${HEAD}`;

const POLICIES = `
[policy.pages]
use = "cors"
origins = ["${ORIGIN}"]
[policy.keys]
use = "api-key"
optional = true
[policy.hsts]
use = "headers"
reply.set = { strict-transport-security = "max-age=600", x-consumer = "of {consumer.name}" }
reply.add = { x-status = "{reply.status}" }
`;
const ROUTE = 'policies = ["pages", "keys", "hsts"]';

interface Context {
  target: FaultTarget;
  plane: Plane;
}

type Options = NonNullable<Parameters<typeof specOf>[1]>;

/** A spec whose route has the policies. */
const specWith = (url: string, { route = '', more = '', ...rest }: Options = {}): string =>
  specOf(url, { ...rest, route: `${ROUTE}\n${route}`, more: `${POLICIES}\n${more}` });

/** Sends `text`, and `more` in its wake every 20 ms. */
async function drip(plane: Plane, text: string, more: string): Promise<RawReply> {
  const client = plane.client();
  client.send(text);
  const timer = setInterval(() => client.send(more), 20);
  try {
    return await client.reply();
  } finally {
    clearInterval(timer);
    client.destroy();
  }
}

async function shed({ target, plane }: Context): Promise<RawReply> {
  await plane.load(specWith(target.url, { service: 'retries = 0\nmax_connections = 4' }));
  target.respond = () => {};
  const body = 'x'.repeat(1_500_000);
  const clients = Array.from({ length: 12 }, () => plane.client());
  for (const client of clients) client.send(`${POST}Content-Length: 100000000\r\n\r\n${body}`);
  const reply = await Promise.any(clients.map((client) => client.reply()));
  for (const client of clients) client.destroy();
  return reply;
}

async function fullQueue({ target, plane }: Context): Promise<RawReply> {
  await plane.load(specWith(target.url, { service: 'max_connections = 1\nmax_queue = 1\nconnect_timeout = "30s"' }));
  target.respond = () => {};
  const clients = Array.from({ length: 3 }, () => plane.client());
  for (const client of clients) client.send(GET);
  const reply = await Promise.any(clients.map((client) => client.reply()));
  for (const client of clients) client.destroy();
  return reply;
}

async function queueTimeout({ target, plane }: Context): Promise<RawReply> {
  await plane.load(specWith(target.url, { service: 'max_connections = 1\nconnect_timeout = "100ms"\nretries = 0' }));
  target.respond = () => {};
  const first = plane.client();
  first.send(GET);
  await until(() => target.arrived.length === 1, 'the first');
  const reply = await plane.ask(GET);
  first.destroy();
  return reply;
}

/** The reply to `text` of a route with `policy`, from a target that does what `fault` says. */
const withPolicy =
  (policy: TestPolicy, text: string, fault: faults.Fault = faults.never) =>
  async ({ target, plane }: Context): Promise<RawReply> => {
    await plane.load(specWith(target.url), withPolicies([policy]));
    target.respond = fault;
    return plane.ask(text);
  };

const throwing: TestPolicy = {
  run: {
    before: () => {
      throw new Error('a policy fails');
    },
  },
};

const reading: TestPolicy = {
  body: { request: { max: 1000, mandatory: true }, reply: { max: 1000, mandatory: true } },
  run: { onRequestBody: () => undefined, onReplyBody: () => undefined },
};

/** Answers with the failure of a call, of more calls than one exchange may have. */
const calling: TestPolicy = {
  calls: ['it'],
  run: (host) => ({
    before: async (exchange) => {
      const calls = Array.from({ length: 40 }, () => host.call('it', { method: 'GET', path: '/', exchange }));
      const failed = (await Promise.allSettled(calls)).find(({ status }) => status === 'rejected');
      const { error } = (failed as PromiseRejectedResult).reason as CallFailure;
      return problem(exchange, { ...ERRORS[error as ErrorSlug], code: error });
    },
  }),
};

const tooMany: TestPolicy = {
  run: {
    authenticate: () => ({
      outcome: 'refused',
      why: 'x',
      wait: 1000,
      problem: { code: 'auth/invalid', title: 'Wrong' },
    }),
  },
};

const unavailable: TestPolicy = { run: { authenticate: () => ({ outcome: 'unavailable', why: 'no key set' }) } };

async function revoked({ target, plane }: Context): Promise<RawReply> {
  await plane.load(specWith(target.url, { more: `[consumer.acme]\napi_keys = ["${KEY_HASH}"]` }));
  target.respond = faults.never;
  const client = plane.client();
  client.send(WITH_KEY);
  await until(() => target.arrived.length === 1, 'the request');
  await plane.plane.replaceConsumers({ ...ConsumerSet.of([]).memory, version: 1000 });
  const reply = await client.reply();
  client.destroy();
  return reply;
}

async function buggy({ plane }: Context): Promise<RawReply> {
  const { acquire } = Target.prototype;
  Target.prototype.acquire = () => {
    throw new Error('a bug');
  };
  try {
    return await plane.ask(GET);
  } finally {
    Target.prototype.acquire = acquire;
  }
}

async function failingAction({ target, plane }: Context): Promise<RawReply> {
  const more = '[[route]]\nmatch = "GET /"\nredirect = "/x"\npolicies = ["pages", "hsts"]';
  await plane.load(specWith(target.url, { more }));
  const { renderUrl } = Template.prototype;
  Template.prototype.renderUrl = () => {
    throw new Error('an action fails');
  };
  try {
    return await plane.ask(GET);
  } finally {
    Template.prototype.renderUrl = renderUrl;
  }
}

/** A process that has no descriptor left for a connection to the target. */
async function exhausted({ target }: Context): Promise<RawReply> {
  const spec = join(temporaryFolder(), 'gateway.toml');
  writeFileSync(spec, specWith(target.url, { service: 'retries = 0' }));
  const gateway = await ServedGateway.start([spec]);
  const client = new RawClient(connect({ port: Number(new URL(gateway.url).port), host: '127.0.0.1' }));
  try {
    client.send(GET.replace('/ ', '/%zz '));
    assert.is((await client.reply()).status, 400);
    assert.ok(limitDescriptors(gateway.pid, 10));
    client.send(GET);
    return await client.reply();
  } finally {
    client.destroy();
    limitDescriptors(gateway.pid, 4096);
    await gateway.stop();
  }
}

async function neverAccepts({ plane }: Context): Promise<RawReply> {
  const full = await FullBacklog.start();
  try {
    await plane.load(specWith(full.url, { service: 'connect_timeout = "200ms"\nretries = 0' }));
    return await plane.ask(GET);
  } finally {
    await full.close();
  }
}

const limitDescriptors = (pid: number, count: number): boolean =>
  spawnSync('prlimit', ['--pid', String(pid), `--nofile=${count}:`]).status === 0;

/** After loading `options`, the reply to `text`, from a target that does what `fault` says. */
const asks =
  (text: string, fault: faults.Fault = faults.never, options: Options = {}) =>
  async ({ target, plane }: Context): Promise<RawReply> => {
    await plane.load(specWith(target.url, { service: 'retries = 0\neject_after = 0', ...options }));
    target.respond = fault;
    return plane.ask(text);
  };

const PROVOKED: { readonly [code: string]: (context: Context) => Promise<RawReply> } = {
  'request/malformed': asks(`${POST}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n`),
  'request/rewrite': asks(GET.replace('\r\n\r\n', '\r\nX-Tenant: ..\r\n\r\n'), faults.never, {
    route: 'rewrite = "/{request.header.x-tenant}/x"',
  }),
  'request/timeout': asks(`${POST}Content-Length: 10\r\n\r\nabc`, faults.never, {
    listener: 'body_timeout = "100ms"',
  }),
  'request/too-slow': async ({ target, plane }) => {
    await plane.load(specWith(target.url, { listener: 'min_body_rate = "2KiB"' }));
    target.respond = faults.never;
    return drip(plane, `${POST}Content-Length: 20000\r\n\r\n`, 'x');
  },
  'request/shed': shed,
  'request/body-too-large': asks(`${POST}Content-Length: 10000\r\n\r\n`, faults.never, { route: 'max_body = "1KiB"' }),
  'request/body-too-large (in the body)': asks(
    `${POST}Transfer-Encoding: chunked\r\n\r\n800\r\n${'x'.repeat(2048)}\r\n`,
    faults.never,
    { route: 'max_body = "1KiB"' },
  ),
  'route/rewrite': asks(GET, faults.never, { route: 'rewrite = "/t/{consumer.name}/x"' }),
  'request/unreadable': withPolicy(reading, `${POST}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx`),
  'request/body-too-large (for a policy)': withPolicy(
    reading,
    `${POST}Transfer-Encoding: chunked\r\n\r\n800\r\n${'x'.repeat(2048)}\r\n`,
  ),
  'action/failed': failingAction,
  'upstream/calls-full': withPolicy(calling, GET, faults.ok('x')),
  'auth/disabled': asks(WITH_KEY, faults.never, {
    more: `[consumer.acme]\ndisabled = true\napi_keys = ["${KEY_HASH}"]`,
  }),
  'auth/revoked': revoked,
  'auth/too-many-failures': withPolicy(tooMany, GET),
  'auth/unavailable': withPolicy(unavailable, GET),
  'policy/failed': withPolicy(throwing, GET),
  'upstream/unreadable': withPolicy(reading, GET, faults.ok('x', 'Content-Encoding: gzip\r\n')),
  'upstream/too-large': withPolicy(reading, GET, faults.ok('x'.repeat(2000))),
  'upstream/reset (in a body that a policy reads)': withPolicy(
    reading,
    GET,
    faults.sayAndClose('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'),
  ),
  'upstream/none': asks(GET, faults.never, {
    more: '[service.managed]\nwait_for_targets = "0s"\nrun = { command = "node x.js" }\n[[route]]\nmatch = "GET /"\nto = "managed"\npolicies = ["pages", "hsts"]',
  }),
  'upstream/queue-full': fullQueue,
  'upstream/queue-timeout': queueTimeout,
  'upstream/unreachable': async ({ plane }) => {
    await plane.load(specWith(`http://127.0.0.1:${await refusingPort()}`, { service: 'retries = 0' }));
    return plane.ask(GET);
  },
  'upstream/reset': asks(GET, faults.sayAndClose()),
  'upstream/invalid': asks(GET, faults.say('nonsense\r\n')),
  'upstream/invalid (after the head)': asks(
    GET,
    faults.say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n'),
  ),
  'upstream/connect-timeout': neverAccepts,
  'upstream/timeout': asks(GET, faults.never, { service: 'retries = 0\nresponse_timeout = "100ms"' }),
  'exchange/timeout': asks(GET, faults.never, { route: 'timeout = "100ms"' }),
  'upstream/open': async ({ target, plane }) => {
    await plane.load(specWith(target.url, { service: 'retries = 0\nbreaker = { consecutive = 1 }' }));
    target.respond = faults.sayAndClose();
    await plane.ask(GET);
    return plane.ask(GET);
  },
  'upstream/requests-full': async ({ target, plane }) => {
    await plane.load(specWith(target.url, { service: 'max_requests = 1' }));
    target.respond = faults.never;
    const first = plane.client();
    first.send(GET);
    await until(() => target.arrived.length === 1, 'the first');
    const reply = await plane.ask(GET);
    first.destroy();
    return reply;
  },
  'websocket/handshake': asks(GET.replace('\r\n\r\n', '\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')),
  'websocket/version': asks(
    GET.replace(
      '\r\n\r\n',
      '\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n',
    ),
  ),
  'gateway/exhausted': exhausted,
  'gateway/failed': buggy,
};

const slugs = Object.keys(ERRORS) as ErrorSlug[];
/** Those with a reply. */
const CODES = slugs.filter((slug) => ERRORS[slug].status > 0);
const WITHOUT_ROUTE = CODES.filter((slug) => DESCRIPTIONS[slug].routeless);
const DECLARED = [...policyDeclarations, ...actionDeclarations].flatMap(({ problems = [] }) => problems);

const test = suite<Context>('errors on a route');
const limited = onlyWhere(limitDescriptors(process.pid, 4096), 'prlimit is missing, or may not set a limit', test);

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specWith(context.target.url), { bodyGrace: 200 });
});
test.after.each(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});
test.after(removeFolders);

test('each error of gw is provoked on a route, or occurs only without one', () => {
  const provoked = Object.keys(PROVOKED).filter((code) => !code.includes(' '));
  assert.ok(WITHOUT_ROUTE.length > 0);
  assert.equal([...provoked, ...WITHOUT_ROUTE].sort(), [...CODES].sort());
});

/** Each problem that a policy or an action declares, as a policy of the route answers it. */
const ANSWERED = Object.fromEntries(
  DECLARED.map((declared) => {
    const answering: TestPolicy = { run: { before: (exchange) => problem(exchange, declared) } };
    return [declared.code, withPolicy(answering, GET)];
  }),
);

for (const [name, provoke] of Object.entries({ ...PROVOKED, ...ANSWERED })) {
  const add = name === 'gateway/exhausted' ? limited : test;
  add(`${name} carries the fields of cors and headers`, async (context) => {
    const reply = await provoke(context);
    const code = name.split(' ')[0]!;
    assert.is(JSON.parse(reply.body.toString()).type, `urn:gw:problem:${code}`);
    assert.is(reply.header('access-control-allow-origin'), ORIGIN);
    assert.match(reply.header('vary') ?? '', /\borigin\b/i);
    assert.is(reply.header('strict-transport-security'), 'max-age=600');
    assert.is(reply.header('x-status'), String(reply.status), 'once, with the status that goes out');
    // If no consumer is known, the field is left out, not sent empty.
    assert.is(reply.header('x-consumer'), name === 'auth/revoked' ? 'of acme' : undefined);
  });
}

test.run();
