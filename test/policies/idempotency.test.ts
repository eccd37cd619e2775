import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  BodyStage,
  ConsumerEntry,
  Decision,
  Exchange,
  PolicyInstance,
  Reply,
  StageOut,
} from '../../src/policies/contract.js';
import { create as createRun } from '../../src/policies/idempotency/run.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { DelayedContents } from '../support/delayed-contents.js';
import { bodyOf, compile, create, decode, exchange, type Given, host, lint, type World, world } from './support.js';

const KEY = '"k-1"';

interface Sent extends Omit<Given, 'consumer'> {
  /** Default: a consumer. Undefined: none. */
  consumer?: ConsumerEntry | undefined;
  key?: string;
  body?: string;
}

const ACME = { name: 'acme', groups: [], credentials: [], tags: {} };

function post({ key = KEY, body = 'order', headers = [], method = 'POST', ...given }: Sent = {}): Exchange {
  const { consumer = 'consumer' in given ? undefined : ACME, ...rest } = given;
  const fields = [...(key === '' ? [] : [['idempotency-key', key] as const]), ...headers];
  return Object.assign(exchange({ ...rest, method, headers: fields, ...(consumer && { consumer }) }), {
    hasBody: body !== '',
    body: Buffer.from(body),
  });
}

/** The request hooks as a chain calls them. Undefined: the request passes. */
async function enter(policy: PolicyInstance, given: Exchange): Promise<Reply | undefined> {
  const reply = await policy.before?.(given);
  if (reply !== undefined || !given.hasBody || policy.readsRequest?.(given) === false) return reply;
  const read = await policy.onRequestBody?.(given, (given as unknown as { body: Buffer }).body);
  return read as Reply | undefined;
}

/** The reply hooks as a chain calls them. Returns the stage of the body, if there is one. */
function leave(policy: PolicyInstance, given: Exchange, reply: Reply, received: Buffer[] = []): BodyStage | undefined {
  Object.assign(given, { sent: true });
  assert.is(policy.after?.(given, reply), undefined);
  if ([204, 205, 304].includes(reply.status) || policy.readsReply?.(given, reply) === false) return undefined;
  const out: StageOut = {
    write: (bytes) => received.push(Buffer.from(bytes)) > 0,
    end() {},
    fail() {},
    onWritable() {},
    resume() {},
    refuse() {},
  };
  return policy.replyStage?.(given, reply, out);
}

const created = (body: string | null = 'made', extra: readonly (readonly [string, string])[] = []): Reply =>
  new BytesReply(201, { headers: new HeaderMap([['content-type', 'text/plain'], ...extra]), body });

/** The reply of the target, to its end. */
function whole(policy: PolicyInstance, given: Exchange, body: string): void {
  const stage = leave(policy, given, created(body))!;
  stage.write(Buffer.from(body));
  stage.end(undefined);
}

/** One request with its target's reply, to the end. */
async function done(policy: PolicyInstance, given: Exchange = post(), reply: Reply = created()): Promise<void> {
  assert.is(await enter(policy, given), undefined, 'the request passes');
  const stage = leave(policy, given, reply);
  if (stage !== undefined) {
    if (reply.body instanceof Uint8Array) stage.write(reply.body);
    stage.end(undefined);
  }
  policy.finished?.(given, 'sent');
}

/** The reply that another request with the key gets. */
async function answer(policy: PolicyInstance, given: Exchange = post()): Promise<Reply> {
  const reply = await enter(policy, given);
  assert.ok(reply, 'the policy answers');
  policy.finished?.(given, 'sent');
  return reply!;
}

async function textOf({ body }: Reply): Promise<string> {
  if (body === null) return '';
  if (body instanceof Uint8Array) return Buffer.from(body).toString();
  const parts: Buffer[] = [];
  const source = body as unknown as { start(out: object): void };
  await new Promise<void>((resolve) => {
    const write = (bytes: Uint8Array): boolean => parts.push(Buffer.from(bytes)) > 0;
    source.start({ write, end: resolve, fail: resolve, onWritable() {} });
  });
  return Buffer.concat(parts).toString();
}

const codeOf = async (policy: PolicyInstance, given?: Exchange): Promise<string | undefined> =>
  (await answer(policy, given)).code;

/** A policy on a clock that a test can set. */
function on(text = '', around: World = world()): { policy: PolicyInstance; around: World } {
  return { policy: create('idempotency', text, around), around };
}

test('the reply of the first request is repeated, with a field that says so', async () => {
  const { policy } = on();
  await done(
    policy,
    post(),
    created('made', [
      ['location', '/orders/7'],
      ['connection', 'close'],
      ['set-cookie', 'a=1'],
    ]),
  );
  const reply = await answer(policy);
  assert.is(reply.status, 201);
  assert.is(await textOf(reply), 'made');
  assert.equal(Object.fromEntries(reply.headers.entries()), {
    'content-type': 'text/plain',
    location: '/orders/7',
    'set-cookie': 'a=1',
    'idempotency-replayed': 'true',
  });
  assert.equal(policy.stats?.(), { done: 1, replayed: 1, refused: 0, unknown: 0, notKept: 0, full: 0 });
});

test('replies without a body, with an empty one, and errors of the client are repeated too', async () => {
  for (const [at, reply] of [
    new BytesReply(204),
    new BytesReply(200, { body: '' }),
    new BytesReply(404, { body: 'none' }),
    new BytesReply(302, { headers: new HeaderMap([['location', '/x']]) }),
  ].entries()) {
    const { policy } = on();
    const key = `"${at}"`;
    await done(policy, post({ key }), reply);
    const again = await answer(policy, post({ key }));
    assert.equal([again.status, again.code], [reply.status, undefined]);
    assert.is(await textOf(again), reply.body === null ? '' : Buffer.from(reply.body as Uint8Array).toString());
  }
});

test('quoted and bare keys of 1 to 255 characters', async () => {
  const { policy } = on();
  await done(policy, post({ key: '"8e03978e-40d5"' }));
  for (const key of ['8e03978e-40d5', ' "8e03978e-40d5" ', '"8e03978e-40d5";v=1'])
    assert.is((await answer(policy, post({ key }))).status, 201, key);
  const long = 'x'.repeat(255);
  await done(policy, post({ key: long }));
  assert.is((await answer(policy, post({ key: `"${long}"` }))).status, 201);
  await done(policy, post({ key: '"with \\"quotes\\" and, a comma"' }));
  for (const key of [
    '""',
    `"${long}x"`,
    `${long}x`,
    '"a',
    'a"',
    'a b',
    'a, b',
    '"a", "b"',
    '"a" b',
    '"ä"',
    'ä',
    'a;b',
    '\\',
    '?1x',
  ])
    assert.is(await codeOf(policy, post({ key })), 'idempotency/key-malformed', key);
});

test('without a key a request passes, or gets 400 if one is required; other methods always pass', async () => {
  const optional = on().policy;
  assert.is(await enter(optional, post({ key: '' })), undefined);
  const required = on('required = true').policy;
  const reply = await answer(required, post({ key: '' }));
  assert.equal([reply.status, reply.code], [400, 'idempotency/key-missing']);
  assert.is(await enter(required, post({ key: '', method: 'PUT' })), undefined);
  assert.is(await enter(required, post({ key: 'not, a key', method: 'GET', body: '' })), undefined);
  const others = on('methods = ["PUT"]').policy;
  for (const method of ['POST', 'PUT']) await done(others, post({ method }));
  assert.is(await enter(others, post()), undefined);
  assert.is((await answer(others, post({ method: 'PUT' }))).status, 201);
});

test('errors link to the documentation, if there is one', async () => {
  const linkOf = async (config: string): Promise<string | undefined> =>
    (await answer(on(`required = true\n${config}`).policy, post({ key: '' }))).headers.get('link');
  assert.is(await linkOf(''), undefined);
  for (const [page, target] of [
    ['https://developer.example.com/idempotency', 'https://developer.example.com/idempotency'],
    ['HTTP://a.example', 'http://a.example/'],
    ['/docs/keys?v=1#post', '/docs/keys?v=1#post'],
    ['/a>b"c', '/a%3Eb%22c'],
  ])
    assert.is(await linkOf(`documentation = '${page}'`), `<${target}>; rel="describedby"`, page);
  const { policy } = on('documentation = "/keys"');
  assert.is(await enter(policy, post()), undefined);
  const busy = await answer(policy);
  assert.equal([busy.headers.get('link'), busy.headers.get('retry-after')], ['</keys>; rel="describedby"', '1']);
  for (const page of ['docs', '//a.example/x', 'ftp://a.example', 'https://u:p@a.example/', 'javascript:alert(1)', ''])
    assert.is(decode('idempotency', `documentation = "${page}"`).errors.length, 1, page);
});

test('409 while the first request is in progress', async () => {
  const { policy } = on();
  assert.is(await enter(policy, post()), undefined);
  const reply = await answer(policy);
  assert.equal([reply.status, reply.code, reply.headers.get('retry-after')], [409, 'idempotency/in-progress', '1']);
});

test('422 for another request with the key: method, target, body, content type', async () => {
  const { policy } = on('methods = ["POST", "PUT"]');
  const first: Sent = { path: '/a', query: 'x=1', headers: [['content-type', 'text/plain']] };
  await done(policy, post(first));
  for (const other of [
    { method: 'PUT' },
    { path: '/b' },
    { query: 'x=2' },
    { query: '' },
    { body: 'other' },
    { body: '' },
    { headers: [['content-type', 'text/html']] as const },
    { headers: [] },
    {
      headers: [
        ['content-type', 'text/plain'],
        ['content-encoding', 'gzip'],
      ] as const,
    },
  ]) {
    const reply = await answer(policy, post({ ...first, ...other }));
    assert.equal([reply.status, reply.code], [422, 'idempotency/key-reused'], JSON.stringify(other));
  }
  assert.is((await answer(policy, post(first))).status, 201);
});

test('a key belongs to its caller and route', async () => {
  const { policy } = on();
  await done(policy, post());
  await done(policy, post({ consumer: { ...ACME, name: 'other' } }));
  const token = { consumer: undefined, claims: { iss: 'a', sub: 'ann' } };
  await done(policy, post(token));
  await done(policy, post({ consumer: undefined, claims: { iss: 'b', sub: 'ann' } }));
  const routed = post();
  await done(policy, Object.assign(routed, { route: { ...routed.route, name: 'other' } }));
  await done(policy, post({ consumer: undefined, remoteAddress: '192.0.2.1' }));
  await done(policy, post({ consumer: undefined, remoteAddress: '192.0.2.2' }));
  await done(policy, post({ consumer: undefined, remoteAddress: '2001:db8::1' }));
  assert.is((await answer(policy, post(token))).status, 201);
  assert.is((await answer(policy, post({ consumer: undefined, remoteAddress: '2001:db8::2' }))).status, 201);
});

// They were told apart by their address, or by what the second authenticator had found, alone.
test('a key belongs to the callers of all authenticators', async () => {
  const { policy } = on();
  const both = (sub: string, more: object = { tenant: 't' }): Exchange =>
    Object.assign(post({ consumer: undefined, claims: { ...more } }), {
      earlierCallers: [{ consumer: undefined, claims: { sub } }],
    });
  for (const sub of ['ann', 'bob']) {
    await done(policy, both(sub));
    await done(policy, both(sub, { sub: 'service' }));
  }
  assert.is((await answer(policy, both('ann'))).status, 201);
  assert.is((await answer(policy, both('bob', { sub: 'service' }))).status, 201);
});

test('a client that left before gw knew its address gets no key: its request is not sent', async () => {
  const { policy } = on();
  const left = (): Exchange => Object.assign(post({ consumer: undefined }), { remoteAddress: '' });
  assert.is(await codeOf(policy, left()), 'idempotency/unavailable');
  assert.is(await codeOf(policy, left()), 'idempotency/unavailable');
  await done(policy, post({ consumer: undefined }));
  await done(policy, Object.assign(post(), { remoteAddress: '' }));
});

test('a caller that is known by its address gets no cookies again', async () => {
  const { policy } = on();
  const reply = created('made', [['set-cookie', 'session=1']]);
  await done(policy, post({ consumer: undefined }), reply);
  assert.is((await answer(policy, post({ consumer: undefined }))).headers.get('set-cookie'), undefined);
  await done(policy, post({ consumer: undefined, claims: { sub: 'ann' } }), reply);
  const again = await answer(policy, post({ consumer: undefined, claims: { sub: 'ann' } }));
  assert.is(again.headers.get('set-cookie'), 'session=1');
});

test('keys and replies are kept for their time, from the reply on', async () => {
  const { policy, around } = on('ttl = "1h"');
  const first = post();
  await enter(policy, first);
  around.now += 2 * 3_600_000;
  assert.is(await codeOf(policy), 'idempotency/in-progress', 'a request in progress is never forgotten');
  whole(policy, first, 'made');
  around.now += 3_599_999;
  assert.is((await answer(policy)).status, 201);
  around.now += 1;
  assert.is(await enter(policy, post()), undefined);
});

for (const [what, reply] of [
  ['a 5xx of the target', new BytesReply(500)],
  ['a timeout', new BytesReply(504, { code: 'upstream/timeout' })],
  ['a lost connection', new BytesReply(502, { code: 'upstream/reset' })],
  ['a refusal in the midst', new BytesReply(403, { code: 'auth/revoked' })],
] as const)
  test(`after ${what} the outcome is unknown: 409, until the key is forgotten`, async () => {
    const { policy, around } = on('lease = "30s"\nttl = "1h"');
    const first = post();
    await enter(policy, first);
    leave(policy, first, reply);
    policy.finished?.(first, 'sent');
    for (const wait of [0, 29_999, 1, 3_000_000]) {
      around.now += wait;
      const again = await answer(policy);
      assert.equal(
        [again.status, again.code, again.headers.get('retry-after')],
        [409, 'idempotency/unknown', undefined],
      );
    }
    around.now += 600_000;
    assert.is(await enter(policy, post()), undefined);
  });

test('on_unknown = "retry": after the lease the request is sent again, one at a time', async () => {
  const { policy, around } = on('lease = "30s"\non_unknown = "retry"');
  const first = post();
  await enter(policy, first);
  leave(policy, first, new BytesReply(504, { code: 'upstream/timeout' }));
  around.now += 10_500;
  const early = await answer(policy);
  assert.equal([early.code, early.headers.get('retry-after')], ['idempotency/unknown', '20']);
  around.now += 19_500;
  const second = post();
  assert.is(await enter(policy, second), undefined);
  assert.is(await codeOf(policy), 'idempotency/in-progress');
  assert.is(await codeOf(policy, post({ body: 'other' })), 'idempotency/key-reused');
  whole(policy, second, 'again');
  assert.is((await answer(policy)).status, 201);
});

test('a request that reached no target frees its key', async () => {
  const { policy } = on();
  const refused = post();
  await enter(policy, refused);
  policy.after?.(refused, new BytesReply(502, { code: 'upstream/unreachable' }));
  policy.finished?.(refused, 'sent');
  const left = post();
  assert.is(await enter(policy, left), undefined);
  policy.finished?.(left, 'aborted');
  assert.is(await enter(policy, post()), undefined);
});

test('`free_on`: the target says that it did nothing', async () => {
  const { policy } = on('free_on = [429, 503]');
  await done(policy, post(), new BytesReply(429));
  await done(policy, post(), new BytesReply(503));
  await done(policy, post(), new BytesReply(409));
  assert.is((await answer(policy)).headers.get('idempotency-replayed'), 'true');
  const lost = post({ key: 'lost' });
  await enter(policy, lost);
  leave(policy, lost, new BytesReply(503, { code: 'upstream/queue-full' }));
  assert.is(await codeOf(policy, post({ key: 'lost' })), 'idempotency/unknown', 'a reply by gw is none of the target');
});

test('an exchange that ends without a reply: unknown if something was sent', async () => {
  const { policy } = on();
  const first = post();
  await enter(policy, first);
  assert.is(first.lasting, true, 'it goes on without its client');
  policy.finished?.(Object.assign(first, { sent: true }), 'cut');
  assert.is(await codeOf(policy), 'idempotency/unknown');
});

test('a reply that is cut, too large, a part, or an upgrade was done, and is not kept', async () => {
  const { policy } = on('max_reply = "8B"');
  const cases: [string, Reply, (stage: BodyStage | undefined) => void][] = [
    ['cut', created('cut'), (stage) => stage!.abort('cut')],
    ['declared', created('123456789'), (stage) => assert.is(stage, undefined)],
    [
      'streamed',
      Object.assign(created(), { body: { discard() {} } }),
      (stage) => {
        for (const part of ['12345', '6789']) assert.is(stage!.write(Buffer.from(part)), true);
        stage!.end(undefined);
      },
    ],
    ['part', new BytesReply(206, { body: 'part' }), (stage) => assert.is(stage, undefined)],
    ['upgrade', new BytesReply(101), (stage) => assert.is(stage, undefined)],
  ];
  for (const [key, reply, rest] of cases) {
    const first = post({ key });
    await enter(policy, first);
    rest(leave(policy, first, reply));
    policy.finished?.(first, 'sent');
    const again = await answer(policy, post({ key }));
    assert.equal([again.status, again.code], [409, 'idempotency/reply-not-kept'], key);
    assert.is(bodyOf(again)['completed_status'], reply.status);
  }
});

test('every byte goes to the client, also if the reply is not kept', async () => {
  const { policy } = on('max_reply = "4B"');
  const first = post();
  await enter(policy, first);
  const received: Buffer[] = [];
  const stage = leave(policy, first, Object.assign(created(), { body: { discard() {} } }), received)!;
  assert.is(stage.observes, true);
  for (const part of ['abc', 'def', 'ghi']) stage.write(Buffer.from(part));
  stage.end(undefined);
  assert.is(Buffer.concat(received).toString(), 'abcdefghi');
});

test('two policies do not share keys; an edit of the config keeps them', async () => {
  const around = world();
  await done(create('idempotency', '', around));
  assert.is((await answer(create('idempotency', 'ttl = "2h"', around))).status, 201);
  assert.is(await enter(create('idempotency', '', around, 'other'), post()), undefined);
});

test('no room for another key: 503, logged once; known keys are answered', async () => {
  const around = world();
  const lines: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (message: string) => void lines.push(message) };
  const policy = createRun(compile('idempotency', '')!, { ...host(around), logger });
  await done(policy, post({ key: 'first' }));
  let refused: Reply | undefined;
  for (let at = 0; refused === undefined; at++) refused = await enter(policy, post({ key: `flood-${at}` }));
  assert.equal([refused.status, refused.code, refused.headers.get('retry-after')], [503, 'idempotency/full', '5']);
  for (let at = 0; at < 100; at++) await enter(policy, post({ key: `more-${at}` }));
  assert.equal(lines, ['no room for idempotency keys, requests refused']);
  assert.is((await answer(policy, post({ key: 'first' }))).status, 201);
});

test('no room for another reply: it is not kept, and no other one is lost', async () => {
  const { policy } = on();
  const body = 'x'.repeat(100_000);
  let kept = 0;
  for (let at = 0; at < 30; at++) await done(policy, post({ key: `k${at}` }), created(body));
  for (let at = 0; at < 30; at++) {
    const reply = await answer(policy, post({ key: `k${at}` }));
    if (reply.status === 201) kept = at + 1;
    assert.is(reply.status, at < kept ? 201 : 409, `${at}`);
    if (reply.status === 201) assert.is(await textOf(reply), body);
  }
  assert.ok(kept > 5 && kept < 30, String(kept));
});

test('if it cannot be known whether a key was used, nothing is sent: 503', async () => {
  const fails = (): never => {
    throw new Error('disk full');
  };
  for (const claim of [fails, () => Promise.reject(new Error('disk full'))]) {
    const outcomes = { claim, settle: fails };
    const policy = createRun(compile('idempotency', '')!, { ...host(world()), outcomes });
    const reply = await answer(policy);
    assert.equal([reply.status, reply.code, reply.cause], [503, 'idempotency/unavailable', 'disk full']);
  }
});

test('stores that answer late: the same answers', async () => {
  const around = world();
  const given = host(around);
  const { outcomes } = given;
  const contents = new DelayedContents({ after: around.stores.time.after });
  const kept = <Data>() => contents.store<Data>('p', { maxEntry: 1000, disk: true });
  const late = {
    claim: async (claim: Parameters<typeof outcomes.claim>[0]) => {
      await turn();
      return outcomes.claim(claim);
    },
    settle: async (...settled: Parameters<typeof outcomes.settle>) => {
      await turn();
      return outcomes.settle(...settled);
    },
  };
  const policy = createRun(compile('idempotency', '')!, { ...given, outcomes: late, kept });
  const [first, second] = [post(), post()];
  const both = await Promise.all([enter(policy, first), enter(policy, second)]);
  assert.equal(
    both.map((reply) => reply?.code),
    [undefined, 'idempotency/in-progress'],
  );
  const stage = leave(policy, first, created())!;
  stage.write(Buffer.from('made'));
  stage.end(undefined);
  await turn();
  while (around.stores.time.step());
  const pending = enter(policy, post());
  await turn();
  await turn();
  while (around.stores.time.step());
  const reply = await pending;
  assert.equal([reply?.status, await textOf(reply!)], [201, 'made']);
  assert.is(contents.pinned, 0);
  contents.failing = true;
  const failed = enter(policy, post());
  await turn();
  await turn();
  while (around.stores.time.step());
  assert.is((await failed)?.code, 'idempotency/reply-not-kept');
});

test('a reply that cannot be read now, as its store does not answer: 409 with Retry-After, and the reply later', async () => {
  const around = world();
  const given = host(around);
  let answers = true;
  const kept = <Data>() => {
    const store = given.kept<Data>(1000);
    const contents = { put: store.put.bind(store), get: (key: string) => (answers ? store.get(key) : undefined) };
    return { ...store, ...contents, answers: () => answers };
  };
  const policy = createRun(compile('idempotency', '')!, { ...given, kept });
  await done(policy);
  answers = false;
  const refused = await answer(policy);
  assert.equal([refused.code, refused.headers.get('retry-after')], ['idempotency/reply-not-kept', '5']);
  answers = true;
  assert.is((await answer(policy)).status, 201);
});

test('an exchange that ends while the store is asked leaves its key free', async () => {
  const given = host(world());
  const { outcomes } = given;
  const late = { claim: (claim: never) => turn().then(() => outcomes.claim(claim)), settle: outcomes.settle };
  const policy = createRun(compile('idempotency', '')!, { ...given, outcomes: late });
  const first = post();
  const entering = enter(policy, first);
  policy.finished?.(first, 'aborted');
  await entering;
  assert.is(await enter(policy, post()), undefined);
});

test('an outcome that cannot be noted is logged, and the reply goes on', async () => {
  const given = host(world());
  const lines: unknown[] = [];
  const logger = { ...given.logger, error: (message: string) => void lines.push(message) };
  for (const settle of [
    () => Promise.reject(new Error('disk full')),
    () => {
      throw new Error('disk full');
    },
  ]) {
    const outcomes = { claim: given.outcomes.claim, settle };
    const policy = createRun(compile('idempotency', '')!, { ...given, outcomes, logger });
    await done(policy, post({ key: `k${lines.length}` }));
    await turn();
  }
  assert.equal(lines, Array(2).fill('outcome of a request with a key not noted'));
});

test('decisions say what was found', async () => {
  const { policy } = on();
  const decisions: Decision[] = [];
  await done(policy, post({ decisions }));
  await answer(policy, post({ decisions }));
  await answer(policy, post({ decisions, body: 'other' }));
  assert.equal(
    decisions.map(({ outcome, why }) => `${outcome}: ${why}`),
    [
      'pass: first request with the key',
      'pass: reply 201',
      'answer: reply of the first request with the key: 201',
      'answer: the key was used for another request',
    ],
  );
});

test('lint: methods of the routes, ttl and lease', () => {
  const route = { name: 'r', params: [], path: '/', schemes: ['http'] as const };
  const routes = (...methods: string[]) => ({ routes: [{ ...route, methods }] });
  assert.equal(lint('idempotency', '', routes('GET')), ['idempotency/no-method']);
  assert.equal(lint('idempotency', '', routes('GET', 'POST')), []);
  assert.equal(lint('idempotency', '', routes()), []);
  assert.equal(lint('idempotency', 'methods = []', routes()), ['idempotency/no-method methods']);
  assert.equal(lint('idempotency', 'ttl = "30s"', routes('POST')), ['idempotency/short-ttl ttl']);
  assert.equal(lint('idempotency', 'ttl = "30s"\nlease = "10s"', routes('POST')), []);
});

test('settings', () => {
  assert.equal(compile('idempotency', 'methods = ["PUT", "PUT"]\non_unknown = "retry"\nfree_on = [503]'), {
    methods: ['PUT'],
    required: false,
    ttl: 86_400_000,
    lease: 60_000,
    retries: true,
    freeOn: [503],
    disk: false,
    maxReply: 1024 * 1024,
    documentation: null,
  });
  for (const text of ['methods = ["GET"]', 'ttl = "0s"', 'lease = "1ms"', 'free_on = [200]', 'on_unknown = "maybe"'])
    assert.is(decode('idempotency', text).errors.length, 1, text);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test.run();
