/** Calls of policies in an offline run: mocks answer, other calls are reported. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Program } from '../../../src/bundle/types.js';
import type {
  CallRequest,
  Decision,
  PolicyHost,
  PolicyInstance,
  StreamedReply,
} from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { OfflineCalls } from '../../../src/proxy/offline/calls.js';
import type { OfflineMocks } from '../../../src/proxy/offline/mocks.js';
import { OfflinePlane } from '../../../src/proxy/offline.js';
import { LimitTable } from '../../../src/state/limits/table.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { generationOf } from '../../integration/engine-kit.js';
import { exchange as policyExchange } from '../../policies/support.js';
import { failureOf } from '../../support/calls.js';
import { withPolicies } from '../../support/test-policies.js';
import { virtualClock } from '../../support/virtual-clock.js';

const get: CallRequest = { method: 'GET', path: '/check?token=t' };
const caller = { name: 'guard' };

function bed(mocks: OfflineMocks) {
  const unknown: string[] = [];
  const calls = new OfflineCalls({
    mocksOf: () => mocks,
    services: () => undefined,
    unknown: (_parent, { would }) => unknown.push(would),
  });
  const decisions: Decision[] = [];
  const exchange = Object.assign(policyExchange({ decisions }), { attached: new Set() });
  return { calls, unknown, decisions, exchange };
}

test('a mock answers, fixed or made for the request', async () => {
  const { calls, decisions, exchange } = bed({
    auth: ({ method, path, headers }) => ({
      status: 403,
      headers: { 'X-A': `${method} ${path}` },
      body: headers.join(),
    }),
    plain: { body: 'yes' },
  });
  const reply = await calls.call(caller, 'auth', { ...get, headers: [['A', 'b']], exchange });
  assert.equal(
    [reply.status, reply.headers.get('x-a'), Buffer.from(reply.body).toString()],
    [403, 'GET /check?token=t', 'a,b'],
  );
  assert.equal(decisions, [{ step: 'guard', use: 'call', outcome: 'call', why: 'auth: GET /check: 403 (mock)' }]);
  const { status, body } = await calls.callStream(caller, 'plain', get);
  let text = '';
  body.start({
    write(bytes) {
      text += Buffer.from(bytes).toString();
      return true;
    },
    end() {
      text += '.';
    },
    fail: () => assert.unreachable(),
    onWritable: () => {},
  });
  assert.equal([status, text], [200, 'yes.']);
});

test('the bound of a reply holds for mocks', async () => {
  const { calls } = bed({ auth: { body: 'x'.repeat(11) } });
  assert.is((await failureOf(calls.call(caller, 'auth', { ...get, maxReply: 10 }))).error, 'upstream/too-large');
});

test('a service without a mock is reported, also if its name is a key of every object', async () => {
  const { calls, unknown, decisions, exchange } = bed({});
  assert.is((await failureOf(calls.call(caller, 'constructor', { ...get, exchange }))).error, 'upstream/none');
  assert.equal(unknown, ['policy guard would call constructor: GET /check']);
  assert.is(decisions[0]!.why, 'would call constructor: GET /check');
});

test('an invalid request is refused as with a target', async () => {
  const { calls } = bed({ auth: {} });
  try {
    await calls.call(caller, 'auth', { method: 'GET', path: '/a b' });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, TypeError);
  }
});

const SPEC = `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["http://10.0.0.1:80"]
[[route]]
name = "all"
match = "/{rest...}"
to = "shop"
policies = [{ use = "forward-auth", url = "https://auth.example/check", take = ["x-user"] }]
`;

const plane = (mocks: OfflineMocks = {}, edit = (program: Program): Program => program): OfflinePlane => {
  const input = generationOf(SPEC, new StatsRegistry());
  return new OfflinePlane(
    { ...input, program: edit(input.program) },
    {
      clock: virtualClock(() => 1_700_000_000_000),
      limits: new LimitTable(LimitTable.allocate({ slots: 64 })),
      mocks,
    },
  );
};

test('a run whose policy would call a service ends with an unknown outcome', async () => {
  const offline = plane();
  const found = await offline.run({ method: 'GET', url: '/a' });
  assert.equal([found.status, found.reply, found.target], [null, null, null]);
  assert.equal(found.unknown, {
    would: 'policy all/forward-auth would call https://auth.example: GET /check',
    kind: 'mock',
    name: 'https://auth.example',
  });
  const steps = found.decisions.map(({ step, outcome }) => `${step} ${outcome}`);
  assert.equal(steps, ['match pass', 'all/forward-auth call']);
  offline.close();
});

test('mocks of a run go before those of the plane', async () => {
  const offline = plane({ 'https://auth.example': { headers: { 'x-user': 'alice' } } });
  const passed = await offline.run({ method: 'GET', url: '/a' });
  assert.equal([passed.unknown, passed.status, passed.target], [null, null, 'http://10.0.0.1:80']);
  assert.ok(passed.head?.includes('x-user: alice'));
  const mocks = { 'https://auth.example': { status: 403 } };
  const refused = await offline.run({ method: 'GET', url: '/a', mocks });
  assert.equal([refused.unknown, refused.status, refused.error], [null, 403, 'auth/refused']);
  offline.close();
});

const textOf = ({ body }: StreamedReply): Promise<string> =>
  new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    body.start({
      write: (bytes) => parts.push(Buffer.from(bytes)) > 0,
      end: () => resolve(Buffer.concat(parts).toString()),
      fail: reject,
      onWritable: () => {},
    });
  });

/** A policy that answers `/run` with the reply to a further request. */
const inner = (host: PolicyHost): PolicyInstance => ({
  async before(exchange) {
    if (exchange.path !== '/run') return undefined;
    const reply = await host.subrequest(exchange, { method: 'GET', path: '/x' });
    return new BytesReply(reply.status, { body: await textOf(reply) });
  },
});

const AUTH: OfflineMocks = { 'https://auth.example': {} };

test('the target of a further request is a mock, or the outcome is unknown', async () => {
  const offline = plane(AUTH, withPolicies([{ run: inner }]));
  const found = await offline.run({ method: 'GET', url: '/run' });
  assert.equal([found.status, found.unknown?.would], [null, 'a further request would ask service shop: GET /x']);
  const mocks = { shop: { status: 203, body: 'mocked' } };
  const mocked = await offline.run({ method: 'GET', url: '/run', mocks });
  assert.equal([mocked.status, mocked.reply?.body, mocked.unknown], [203, 'mocked', null]);
  offline.close();
});

test('what continues in the background does not change the outcome of a run', async () => {
  const failures: string[] = [];
  const stale = (host: PolicyHost): PolicyInstance => ({
    before(exchange) {
      host.background(exchange).catch((error: unknown) => failures.push(String(error)));
      return new BytesReply(200, { body: 'stale' });
    },
  });
  const offline = plane(AUTH, withPolicies([{ name: 'cached', run: stale }]));
  const found = await offline.run({ method: 'GET', url: '/a' });
  assert.equal([found.status, found.reply?.body, found.unknown], [200, 'stale', null]);
  assert.ok(found.decisions.some(({ step, why }) => step === 'cached' && why === 'would continue in the background'));
  assert.match(failures.join(), 'nothing runs in the background here');
  offline.close();
});

const detached = (host: PolicyHost): PolicyInstance => ({
  async before() {
    const { status } = await host.call('shop', { method: 'GET', path: '/token' });
    return new BytesReply(status);
  },
});

test('a call that belongs to no exchange gets the mocks of a run', async () => {
  const offline = plane(AUTH, withPolicies([{ calls: ['shop'], run: detached }]));
  const found = await offline.run({ method: 'GET', url: '/a', mocks: { shop: { status: 204 } } });
  assert.equal([found.status, found.unknown], [204, null]);
  offline.close();
});

/** Calls to `shop` are signed by a policy. */
const signed = (onAttempt: NonNullable<PolicyInstance['onAttempt']>, asks: (host: PolicyHost) => PolicyInstance) => {
  const edit = withPolicies([
    { name: 'asks', calls: ['shop'], run: asks },
    { name: 'sign', run: { onAttempt } },
  ]);
  return plane(AUTH, (program) => ({
    ...edit(program),
    services: program.services.map((each) => (each.name === 'shop' ? { ...each, policies: ['sign'] } : each)),
  }));
};

const checks = (host: PolicyHost): PolicyInstance => ({
  async before(exchange) {
    const { status, body } = await host.call('shop', { method: 'GET', path: '/check?t=1', exchange });
    return new BytesReply(status, { body });
  },
});

test('a mock gets a call as the policies of the service have signed it, also the repeat after a 401', async () => {
  const offline = signed((_exchange, attempt) => {
    attempt.set('Authorization', `secret-${attempt.number} ${attempt.target} ${attempt.path}`);
    attempt.repeatAfter401();
  }, checks);
  const shop: OfflineMocks['string'] = ({ headers }) => {
    const value = headers.find(([name]) => name === 'authorization')?.[1] ?? '';
    return { status: value.startsWith('secret-1') ? 401 : 200, body: value };
  };
  const found = await offline.run({ method: 'GET', url: '/a', mocks: { shop } });
  assert.equal([found.status, found.reply?.body], [200, 'secret-2 http://10.0.0.1 /check?t=1']);
  assert.equal(
    found.decisions.filter(({ step }) => step === 'asks').map(({ why }) => why),
    [
      'shop: GET /check (authorization added): 401 (mock)',
      'shop: GET /check (authorization added): 200 (mock)',
      'answered with 200',
    ],
  );
  offline.close();
});

test('a call that cannot be signed fails offline as with a target', async () => {
  for (const onAttempt of [
    () => new BytesReply(503, { cause: 'no token' }),
    () => Promise.reject(new Error('no token')),
  ]) {
    const offline = signed(onAttempt, checks);
    const found = await offline.run({ method: 'GET', url: '/a', mocks: { shop: {} } });
    assert.is(found.status, 500);
    assert.match(found.cause ?? '', 'no token');
    offline.close();
  }
});

test.run();
