/** authzen: what the service is asked, what its answers do, kept decisions, metadata. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { verdictOf } from '../../src/policies/authzen/decision.js';
import { resolved } from '../../src/policies/authzen/endpoints.js';
import type { Exchange, Json, PolicyInstance, Reply } from '../../src/policies/contract.js';
import type { OfflineCall, OfflineReply } from '../../src/proxy/offline/mocks.js';
import { compile, create, decode, exchange, type Given, lint, type World, world } from './support.js';

const URL_LINE = 'url = "https://pdp.example"\n';
const json = (value: unknown): OfflineReply => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const PERMIT = json({ decision: true });
const acme = { name: 'acme', groups: [], credentials: [], tags: {} };

interface Bed {
  readonly policy: PolicyInstance;
  readonly around: World;
  readonly asked: OfflineCall[];
  answer: OfflineReply | ((call: OfflineCall) => OfflineReply);
}

function bed(keys = '', answer: Bed['answer'] = PERMIT): Bed {
  const around = world();
  const asked: OfflineCall[] = [];
  const made: Bed = { policy: create('authzen', URL_LINE + keys, around, 'decisions'), around, asked, answer };
  around.mocks = {
    'https://pdp.example': (call) => {
      asked.push(call);
      return typeof made.answer === 'function' ? made.answer(call) : made.answer;
    },
  };
  return made;
}

async function run(
  { policy }: Bed,
  given: Given = {},
): Promise<{ readonly on: Exchange; readonly reply: Reply | undefined }> {
  const on = Object.assign(exchange({ consumer: acme, ...given }), { attached: new Set() });
  return { on, reply: await policy.before!(on) };
}
const statusOf = async (b: Bed, given: Given = {}): Promise<number | undefined> => (await run(b, given)).reply?.status;
const bodyOf = (call: OfflineCall): Json => JSON.parse(Buffer.from(call.body).toString()) as Json;

test('the service is asked about consumer, method and path', async () => {
  const b = bed();
  assert.is(await statusOf(b), undefined);
  const [call] = b.asked;
  assert.equal([call!.method, call!.path], ['POST', '/access/v1/evaluation']);
  assert.equal(bodyOf(call!), {
    subject: { type: 'user', id: 'acme' },
    action: { name: 'GET' },
    resource: { type: 'path', id: '/orders/1' },
  });
  const fields = new Map(call!.headers);
  assert.is(fields.get('content-type'), 'application/json');
});

test('a field of the requests to the service has one line', () => {
  assert.equal(resolved([['key', 'a b']]), [['key', 'a b']]);
  assert.throws(() => resolved([['key', 'a\r\nx-evil: 1']]));
});

test('templates, types and properties', async () => {
  const b = bed(`
    subject = { type = "user", id = "{claims.sub}", properties = { roles = "{claims.roles}", dept = "d-{claims.org.dept}", gone = "{claims.gone}" } }
    action = { name = "can_read", properties = { level = 3, audited = true } }
    resource = { type = "order", id = "{id}" }
    context = { ip = "{client.ip}" }
  `);
  const claims = { sub: 'ann"', roles: ['a', 'b'], org: { dept: 7 } };
  await run(b, { claims, params: { id: 'x\\y' } });
  assert.equal(bodyOf(b.asked[0]!), {
    subject: { type: 'user', id: 'ann"', properties: { roles: ['a', 'b'], dept: 'd-7', gone: null } },
    action: { name: 'can_read', properties: { level: 3, audited: true } },
    resource: { type: 'order', id: 'x\\y' },
    context: { ip: '192.0.2.1' },
  });
});

test('only true permits', async () => {
  for (const answer of [
    { decision: false },
    { decision: 'true' },
    { decision: 1 },
    { decision: null },
    { decision: [true] },
    {},
    { decision: true, obligations: ['log'] },
    { decision: true, context: { obligations: [{ id: 'mfa' }] } },
    { decision: true, context: { obligations: 'mfa' } },
    { decision: true, context: { obligations: [{}] } },
  ]) {
    const { on, reply } = await run(bed('', json(answer)));
    assert.is(reply?.status, 403, JSON.stringify(answer));
    assert.is(reply?.code, 'auth/forbidden');
    assert.is(on.rule, 'decisions/deny');
  }
  for (const answer of [
    { decision: true },
    { decision: true, context: { id: '0', reason_admin: { en: 'x' } } },
    { decision: true, obligations: [] },
    { decision: true, context: { obligations: null } },
  ])
    assert.is(await statusOf(bed('', json(answer))), undefined, JSON.stringify(answer));
});

test('obligations that are in the list are ignored', async () => {
  const answer = json({ decision: true, context: { obligations: [{ id: 'log' }, 'audit'] } });
  assert.is(await statusOf(bed('obligations = ["log", "audit"]', answer)), undefined);
  assert.is(await statusOf(bed('obligations = ["log"]', answer)), 403);
});

test('an answer that is none gives 503', async () => {
  for (const answer of [
    { body: 'yes' },
    { body: '' },
    json([true]),
    json(true),
    json('true'),
    json(null),
    { ...PERMIT, status: 201 },
    { ...PERMIT, status: 204 },
    { ...PERMIT, status: 403 },
    { ...PERMIT, status: 500 },
  ]) {
    const { reply } = await run(bed('', answer));
    assert.is(reply?.status, 503, JSON.stringify(answer));
    assert.is(reply?.code, 'authzen/unavailable');
  }
});

test('the reason is in the log and not in the answer', async () => {
  const context = { id: '0', reason_admin: { en: 'policy C076\n' }, reason_user: { 'en-403': 'no' } };
  const { on, reply } = await run(bed('', json({ decision: false, context })), { decisions: [] });
  assert.is(reply!.cause, 'denied: policy C076?');
  assert.is(on.decisions!.at(-1)!.why, 'denied: policy C076?');
  assert.not.match(Buffer.from(reply!.body as Uint8Array).toString(), 'C076');
});

test('nothing is asked about an unknown caller or resource', async () => {
  const b = bed('resource = { type = "order", id = "{id}" }');
  const absent = [{ code: 'auth/missing', title: 'Token required', challenge: 'Bearer realm="api"' }];
  const around = { params: { id: '1' } };
  const { policy } = b;
  const ask = async (given: Given): Promise<Reply> => (await policy.before!(exchange(given)))!;
  assert.is((await ask(around)).status, 403);
  const challenged = await ask({ ...around, absent });
  assert.equal([challenged.status, challenged.headers.get('www-authenticate')], [401, 'Bearer realm="api"']);
  assert.is((await ask({ consumer: acme, absent })).status, 403, 'no resource');
  assert.is(b.asked.length, 0);
});

// ---------------------------------------------------------------- several checks

const CHECKS = `
  subject = { type = "user", id = "{consumer.name}" }
  [[checks]]
  name = "tenant"
  action = { name = "enter" }
  resource = { type = "tenant", id = "t1" }
  [[checks]]
  action = { name = "can_read" }
  resource = { type = "order", id = "1" }
`;

test('several checks are one request', async () => {
  const b = bed(CHECKS, json({ evaluations: [{ decision: true }, { decision: true }] }));
  const { on, reply } = await run(b);
  assert.equal([reply, on.rule], [undefined, 'decisions/permit']);
  assert.is(b.asked[0]!.path, '/access/v1/evaluations');
  assert.equal(bodyOf(b.asked[0]!), {
    subject: { type: 'user', id: 'acme' },
    action: { name: 'GET' },
    resource: { type: 'path', id: '/orders/1' },
    evaluations: [
      { action: { name: 'enter' }, resource: { type: 'tenant', id: 't1' } },
      { action: { name: 'can_read' }, resource: { type: 'order', id: '1' } },
    ],
    options: { evaluations_semantic: 'deny_on_first_deny' },
  });
});

test('the check that decides is named', async () => {
  const second = await run(bed(CHECKS, json({ evaluations: [{ decision: true }, { decision: false }] })));
  assert.equal([second.reply?.status, second.on.rule], [403, 'decisions/2']);
  const first = await run(bed(CHECKS, json({ evaluations: [{ decision: false, context: { reason: 'closed' } }] })));
  assert.equal([first.reply?.cause, first.on.rule], ['check tenant: denied: closed', 'decisions/tenant']);
});

test('any: one permit is enough, and only one that is there', async () => {
  const keys = `permit = "any"\n${CHECKS}`;
  const b = bed(keys, json({ evaluations: [{ decision: false }, { decision: true }] }));
  const { on, reply } = await run(b);
  assert.equal([reply, on.rule], [undefined, 'decisions/2']);
  assert.equal((bodyOf(b.asked[0]!) as { options: Json }).options, { evaluations_semantic: 'permit_on_first_permit' });
  assert.is(await statusOf(bed(keys, json({ evaluations: [{ decision: true }] }))), undefined);
  for (const evaluations of [[{ decision: false }], []])
    assert.is(await statusOf(bed(keys, json({ evaluations }))), 403, JSON.stringify(evaluations));
  const surplus = [{ decision: false }, { decision: false }, { decision: true }];
  assert.is(await statusOf(bed(keys, json({ evaluations: surplus }))), 503);
});

test('all: missing, wrong and surplus decisions', () => {
  const of = (evaluations: unknown): boolean | undefined =>
    verdictOf(Buffer.from(JSON.stringify({ decision: true, evaluations })), 2, 'all', [])?.permit;
  const yes = { decision: true };
  assert.is(of([yes, yes]), true);
  assert.is(of([yes]), false);
  assert.is(of([]), false);
  assert.is(of([yes, 'x']), false);
  assert.is(of([yes, { decision: 'true' }]), false);
  assert.is(of([yes, yes, { decision: false }]), undefined, 'it is not known which belongs to which check');
  assert.is(of([yes, yes, yes]), undefined);
  assert.is(of({}), undefined);
  assert.is(of(undefined), undefined, 'one decision is not the answer to several checks');
});

test('what an answer to several checks says beside the list counts for all of them', () => {
  const evaluations = [{ decision: true }, { decision: true }];
  const of = (more: object, known: readonly string[] = []): unknown => {
    const verdict = verdictOf(Buffer.from(JSON.stringify({ evaluations, ...more })), 2, 'any', known);
    return verdict?.permit === true ? true : verdict?.why;
  };
  assert.is(of({}), true);
  assert.is(of({ decision: true, context: {} }), true);
  assert.is(of({ decision: false }), 'denied');
  assert.is(of({ decision: 'true' }), 'the decision is not a boolean');
  assert.is(of({ decision: null }), 'the decision is not a boolean');
  assert.is(of({ obligations: ['mask'] }), 'unsupported obligation mask');
  assert.is(of({ context: { obligations: ['mask'] } }), 'unsupported obligation mask');
  assert.is(of({ context: { obligations: ['mask'] } }, ['mask']), true);
});

test('a context that is no object denies: its obligations cannot be read', () => {
  const of = (context: unknown): boolean | undefined =>
    verdictOf(Buffer.from(JSON.stringify({ decision: true, context })), 0, 'all', [])?.permit;
  for (const context of [[], [{ obligations: ['mask'] }], 'x', 1, true]) assert.is(of(context), false);
  for (const context of [{}, null, undefined]) assert.is(of(context), true);
});

// ---------------------------------------------------------------- kept decisions

test('decisions are kept for what was asked', async () => {
  const b = bed('cache = { ttl = "10s" }');
  assert.is(await statusOf(b), undefined);
  assert.is(await statusOf(b), undefined);
  assert.is(b.asked.length, 1);
  await run(b, { path: '/orders/2' });
  await run(b, { consumer: { ...acme, name: 'other' } });
  assert.is(b.asked.length, 3);
  b.around.now += 10_001;
  b.answer = json({ decision: false });
  assert.is(await statusOf(b), 403);
  assert.is(await statusOf(b), 403);
  assert.is(b.asked.length, 4);
});

test('Cache-Control shortens the time, and an outage is not kept', async () => {
  const b = bed('cache = { ttl = "1h" }', { ...PERMIT, headers: { 'cache-control': 'no-store' } });
  await run(b);
  await run(b);
  assert.is(b.asked.length, 2);
  b.answer = { status: 500 };
  assert.is(await statusOf(b), 503);
  b.answer = PERMIT;
  assert.is(await statusOf(b), undefined);
  assert.is(b.asked.length, 4);
});

test('equal questions at the same time are asked once', async () => {
  const b = bed('cache = { ttl = "10s" }');
  const all = await Promise.all([run(b), run(b), run(b, { path: '/other' })]);
  assert.equal(
    all.map(({ reply }) => reply),
    [undefined, undefined, undefined],
  );
  assert.is(b.asked.length, 2);
});

// ---------------------------------------------------------------- metadata

const METADATA = {
  policy_decision_point: 'https://pdp.example',
  access_evaluation_endpoint: 'https://pdp.example/v2/decide?x=1',
};

/** Answers metadata with `metadata`, and questions with a permit. */
const withMetadata =
  (metadata: () => OfflineReply) =>
  (call: OfflineCall): OfflineReply =>
    call.method === 'GET' ? metadata() : PERMIT;

test('metadata name the endpoints, and are kept', async () => {
  const b = bed(
    'metadata = true',
    withMetadata(() => json(METADATA)),
  );
  assert.is(await statusOf(b), undefined);
  assert.is(await statusOf(b), undefined);
  const paths = (): string[] => b.asked.map(({ path }) => path);
  assert.equal(paths(), ['/.well-known/authzen-configuration', '/v2/decide?x=1', '/v2/decide?x=1']);
  b.around.now += 3_600_001;
  b.answer = withMetadata(() => ({ status: 500 }));
  assert.is(await statusOf(b), undefined, 'the last good ones stay');
  assert.is(paths().length, 5);
});

test('metadata of another service, or with endpoints elsewhere, are not used', async () => {
  for (const metadata of [
    { ...METADATA, policy_decision_point: 'https://evil.example' },
    { ...METADATA, policy_decision_point: 'https://pdp.example/' },
    { ...METADATA, policy_decision_point: undefined },
    { ...METADATA, access_evaluation_endpoint: 'https://evil.example/v2' },
    { ...METADATA, access_evaluation_endpoint: 'http://pdp.example/v2' },
    { ...METADATA, access_evaluation_endpoint: '/v2' },
    { policy_decision_point: METADATA.policy_decision_point },
    [],
    null,
  ]) {
    const b = bed(
      'metadata = true',
      withMetadata(() => json(metadata)),
    );
    assert.is(await statusOf(b), 503, JSON.stringify(metadata));
    assert.is(b.asked.length, 1);
  }
  assert.is(
    await statusOf(
      bed(
        'metadata = true',
        withMetadata(() => ({ status: 404 })),
      ),
    ),
    503,
  );
});

test('a path of the URL is part of the identifier', () => {
  const settings = compile('authzen', 'url = "https://pdp.example/tenants/1/"\nmetadata = true') as {
    [key: string]: Json;
  };
  assert.equal(
    [settings['identifier'], settings['metadataPath'], settings['evaluation']],
    [
      'https://pdp.example/tenants/1',
      '/.well-known/authzen-configuration/tenants/1',
      '/tenants/1/access/v1/evaluation',
    ],
  );
});

test('lint', () => {
  assert.equal(lint('authzen', ''), ['authzen/service']);
  assert.equal(lint('authzen', `${URL_LINE}service = "pdp"`), ['authzen/service service']);
  assert.equal(lint('authzen', 'service = "pdp"\nmetadata = true'), ['authzen/service metadata']);
  assert.equal(lint('authzen', `${URL_LINE}resource = { type = "o", id = "{tenant}" }`), [
    'template/unknown-variable resource.id',
  ]);
  assert.equal(lint('authzen', `${URL_LINE}checks = [{ action = { name = "{" } }]`), [
    'template/syntax checks.0.action.name',
  ]);
  assert.equal(decode('authzen', `${URL_LINE}subject = { type = "user" }`).errors.length, 1);
});

test.run();
