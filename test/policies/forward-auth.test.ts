/** forward-auth offline: what the service gets, what its answers do, kept answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Authentication, Exchange, PolicyInstance, Reply } from '../../src/policies/contract.js';
import type { OfflineCall, OfflineReply } from '../../src/proxy/offline/mocks.js';
import {
  compile,
  create,
  declaration,
  decode,
  exchange,
  type Given,
  lint,
  noBody,
  type World,
  world,
} from './support.js';

const URL_LINE = 'url = "https://auth.example/check?x=1"\n';

interface Bed {
  readonly policy: PolicyInstance;
  readonly around: World;
  readonly asked: OfflineCall[];
  answer: OfflineReply;
}

function bed(keys = '', answer: OfflineReply = {}): Bed {
  const around = world();
  const asked: OfflineCall[] = [];
  const made: Bed = { policy: create('forward-auth', URL_LINE + keys, around), around, asked, answer };
  around.mocks = {
    'https://auth.example': (call) => {
      asked.push(call);
      return made.answer;
    },
  };
  return made;
}

interface Ran {
  readonly on: Exchange;
  readonly found: Authentication;
  /** The answer of the service, if the client gets it. */
  readonly reply: Reply | undefined;
}

/** As a chain does, for a chain without other authenticators. */
async function run({ policy }: Bed, given: Given = {}, body?: string): Promise<Ran> {
  const on = Object.assign(exchange(given), { attached: new Set(), hasBody: body !== undefined });
  const found = await policy.authenticate!(on, async () => Buffer.from(body ?? ''));
  policy.strip!(on);
  if (found.outcome === 'identity') {
    on.consumer = found.consumer;
    on.claims = found.claims;
    for (const [name, value] of found.fields ?? []) on.headers.set(name, value);
  }
  return { on, found, reply: 'reply' in found ? found.reply : undefined };
}

test('the service gets selected fields, and those about the request, which are always those of gw', async () => {
  const b = bed('send = ["Authorization", "cookie", "x-forwarded-for"]');
  const headers = [
    ['host', 'api.example.com:8080'],
    ['authorization', 'Bearer t'],
    ['cookie', 'a=1'],
    ['x-secret', 's'],
    ['x-forwarded-for', '6.6.6.6'],
    ['x-forwarded-uri', '/forged'],
  ] as const;
  await run(b, { method: 'DELETE', query: 'q=é', headers });
  const [call] = b.asked;
  assert.equal([call!.method, call!.path], ['GET', '/check?x=1']);
  assert.equal(call!.headers, [
    ['authorization', 'Bearer t'],
    ['cookie', 'a=1'],
    ['x-forwarded-method', 'DELETE'],
    ['x-forwarded-uri', '/orders/1?q=%C3%A9'],
    ['x-forwarded-proto', 'http'],
    ['x-forwarded-host', 'api.example.com:8080'],
    ['x-forwarded-for', '192.0.2.1'],
  ]);
  assert.is(call!.body.length, 0);
});

test('an accepting answer removes the fields of the client and sets its own, with claims and consumer', async () => {
  const b = bed('take = ["X-User", "x-role"]\nconsumer = "x-user"', {
    status: 204,
    headers: { 'X-User': 'acme', 'X-Other': 'o' },
  });
  b.around.consumers.push({ name: 'acme', groups: [], credentials: [], tags: {} });
  const policy = create('forward-auth', `${URL_LINE}take = ["X-User", "x-role"]\nconsumer = "x-user"`, b.around);
  const headers = [
    ['x-user', 'forged'],
    ['x-role', 'admin'],
    ['x-other', 'own'],
  ] as const;
  const { on, found } = await run({ ...b, policy }, { headers });
  assert.equal([found.outcome, found.why], ['identity', 'accepted with 204, consumer acme']);
  assert.equal(
    [...on.headers.entries()],
    [
      ['x-other', 'own'],
      ['x-user', 'acme'],
    ],
  );
  assert.is(on.consumer?.name, 'acme');
  assert.equal(on.claims, { 'x-user': 'acme' });
  assert.equal(policy.requestFields, ['x-user', 'x-role']);
});

test('a refusing answer goes to the client with selected fields, each cookie on its own', async () => {
  const b = bed('', {
    status: 302,
    headers: { location: '/login', 'set-cookie': 'state=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT', 'x-internal': 'i' },
    body: 'see /login',
  });
  const { reply } = await run(b);
  assert.is(reply!.status, 302);
  assert.equal(
    [...reply!.headers.entries()],
    [
      ['location', '/login'],
      ['set-cookie', 'state=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT'],
      ['cache-control', 'no-store'],
    ],
  );
  assert.is(Buffer.from(reply!.body as Uint8Array).toString(), 'see /login');
  assert.is(reply!.code, 'auth/refused');
  b.answer = { status: 401, headers: { 'cache-control': 'private', 'www-authenticate': 'Bearer' } };
  assert.equal(
    [...(await run(b)).reply!.headers.entries()].map(([name]) => name),
    ['cache-control', 'www-authenticate'],
  );
});

test('no decision is an outage: another status, a service without a reply, an answer that is too large', async () => {
  const b = bed('max_answer = "10B"');
  for (const answer of [{ status: 500 }, { status: 304 }, { status: 503 }, { body: 'x'.repeat(11) }]) {
    b.answer = answer;
    const { found } = await run(b);
    assert.is(found.outcome, 'unavailable', JSON.stringify(answer));
    assert.match(found.why, /^https:\/\/auth\.example: /);
  }
  b.around.mocks = {};
  assert.is((await run(b)).found.outcome, 'unavailable');
});

test('with a body, the service is asked by POST; requests without one ask at once', async () => {
  const b = bed('body = "1KiB"', { status: 403 });
  const headers = [
    ['content-type', 'text/plain'],
    ['authorization', 'a'],
  ] as const;
  assert.is((await run(b, { headers }, 'content')).reply!.status, 403);
  const [call] = b.asked;
  assert.equal([call!.method, Buffer.from(call!.body).toString()], ['POST', 'content']);
  assert.ok(call!.headers.some(([name, value]) => name === 'content-type' && value === 'text/plain'));
  assert.is((await run(b)).reply!.status, 403);
  const { config } = decode('forward-auth', `${URL_LINE}body = "1KiB"`);
  assert.equal(declaration('forward-auth').body!(config), { request: { max: 1024, mandatory: true } });
});

test('a 401 or a redirect for a request without a credential means that there is none; other answers decide', async () => {
  const b = bed('');
  const cookie = [['cookie', 'a=1']] as const;
  for (const [keys, headers, status, outcome] of [
    ['', [], 401, 'absent'],
    ['', [], 302, 'absent'],
    ['', [], 403, 'refused'],
    ['', [], 429, 'refused'],
    ['', cookie, 401, 'refused'],
    ['', cookie, 302, 'refused'],
    ['', [['authorization', '']], 401, 'absent'],
    ['credentials = ["Authorization"]', cookie, 401, 'absent'],
    ['credentials = ["Cookie"]', cookie, 401, 'refused'],
    ['credentials = []', [], 401, 'refused'],
    ['send = []', [], 302, 'refused'],
  ] as const) {
    b.answer = { status, headers: { 'www-authenticate': 'Bearer' } };
    const policy = create('forward-auth', URL_LINE + keys, b.around);
    const { found, reply } = await run({ ...b, policy }, { headers });
    assert.equal([found.outcome, reply?.status], [outcome, status], `${keys} ${JSON.stringify(headers)} ${status}`);
  }
});

test('kept answers are for the same sent fields and parts, and only for accepting answers', async () => {
  const b = bed('take = ["x-user"]\ncache = { ttl = "30s", by = ["method", "path"] }', { headers: { 'x-user': 'u' } });
  const as = (authorization: string, more: Given = {}): Given => ({
    ...more,
    headers: [['authorization', authorization]],
  });
  await run(b, as('one'));
  const { on } = await run(b, as('one', { query: 'other', remoteAddress: '192.0.2.9' }));
  assert.is(b.asked.length, 1);
  assert.is(on.header('x-user'), 'u');
  await run(b, as('two'));
  await run(b, as('one', { path: '/orders/2' }));
  await run(b, {});
  assert.is(b.asked.length, 4);
  b.around.now += 30_001;
  await run(b, as('one'));
  assert.is(b.asked.length, 5);
  b.answer = { status: 403 };
  await run(b, as('three'));
  await run(b, as('three'));
  assert.is(b.asked.length, 7);
});

test('Cache-Control of an answer shortens the time that it is kept', async () => {
  const b = bed('cache = { ttl = "30s" }', { headers: { 'cache-control': 'max-age=5' } });
  await run(b);
  await run(b);
  assert.is(b.asked.length, 1);
  b.around.now += 5001;
  await run(b);
  assert.is(b.asked.length, 2);
  b.answer = { headers: { 'cache-control': 'no-store' } };
  b.around.now += 5001;
  await run(b);
  await run(b);
  assert.is(b.asked.length, 4);
});

test('a config names one service, and keeps no answers about bodies', () => {
  assert.equal(lint('forward-auth', URL_LINE), []);
  assert.equal(lint('forward-auth', 'service = "auth"\npath = "/check"'), []);
  assert.equal(lint('forward-auth', ''), ['forward-auth/service']);
  assert.equal(lint('forward-auth', `${URL_LINE}service = "auth"`), ['forward-auth/service service']);
  assert.equal(lint('forward-auth', `${URL_LINE}path = "/x"`), ['forward-auth/service path']);
  assert.equal(lint('forward-auth', `${URL_LINE}body = "1KiB"\ncache = { ttl = "1s" }`), [
    'forward-auth/cached-body cache',
  ]);
});

test('the plan names the service by its origin; framing fields cannot be taken', () => {
  assert.equal(compile('forward-auth', URL_LINE), {
    service: 'https://auth.example',
    path: '/check?x=1',
    method: 'GET',
    send: ['authorization', 'cookie'],
    credentials: ['authorization', 'cookie'],
    take: [],
    answer: ['www-authenticate', 'location', 'set-cookie', 'content-type', 'cache-control', 'retry-after'],
    timeout: 5000,
    maxAnswer: 65_536,
  });
  assert.is(decode('forward-auth', `${URL_LINE}take = ["transfer-encoding"]`).errors.length, 1);
  assert.is(decode('forward-auth', `${URL_LINE}send = ["host"]`).errors.length, 1);
  assert.is(decode('forward-auth', 'url = "ftp://x"').errors.length, 1);
});

test('an answer that was kept for https is not used for http', async () => {
  const b = bed('cache = { ttl = "30s" }');
  const ask = async (scheme: 'http' | 'https'): Promise<void> => {
    const on = Object.assign(exchange({}), { attached: new Set(), scheme });
    await b.policy.authenticate!(on, noBody);
  };
  await ask('https');
  await ask('https');
  assert.is(b.asked.length, 1);
  await ask('http');
  assert.is(b.asked.length, 2);
});

test('the body of a refusing answer keeps its content coding', async () => {
  const b = bed('', { status: 403, headers: { 'content-encoding': 'gzip', 'x-internal': 'i' }, body: 'coded' });
  const { reply } = await run(b);
  assert.is(reply!.headers.get('content-encoding'), 'gzip');
  assert.is(reply!.headers.get('x-internal'), undefined);
});

test.run();
