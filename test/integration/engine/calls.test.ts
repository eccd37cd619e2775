/** Calls of policies and actions in a gateway: signed attempts, reloads, the end of an exchange. */
import * as assert from 'uvu/assert';
import { runHalves as actionHalves } from '../../../src/actions/run-registry.js';
import type { Program } from '../../../src/bundle/types.js';
import type { ActionHost, Attempt, Exchange, PolicyHost, PolicyInstance } from '../../../src/policies/contract.js';
import { BytesReply } from '../../../src/policies/run-kit.js';
import { failureOf } from '../../support/calls.js';
import { FaultTarget, ok, say } from '../../support/fault-target.js';
import { type TestPolicy, withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('calls in a gateway');

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** Every route gets `policies`, which call the service `it`, and answers with the reply of a call by its action. */
async function withAction({ plane, target }: EngineContext, policies: TestPolicy[]): Promise<void> {
  Object.assign(actionHalves, {
    'test-call': (_settings: unknown, host: ActionHost) => ({
      async start(exchange: Exchange) {
        const headers = [['x-own', '1']] as const;
        const { status, body } = await host.call('it', {
          method: 'POST',
          path: '/x?y',
          headers,
          body: 'sent',
          exchange,
        });
        return new BytesReply(status, { body });
      },
    }),
  });
  const acting = (program: Program): Program => ({
    ...program,
    routes: program.routes.map((route) => ({
      ...route,
      action: { use: 'test-call', summary: 'calls', settings: null, calls: ['it'] },
    })),
  });
  await plane.load(specOf(target.url), (program) => withPolicies(policies)(acting(program)));
}

test('policies sign each call of the action, and may ask for a repeat after 401', async (context) => {
  const seen: string[] = [];
  const sign = (_exchange: unknown, attempt: Attempt): void => {
    const { number, method, path, unauthorized } = attempt;
    const own = [...attempt.headers()].map(([name]) => name).join();
    seen.push(
      `${number} ${method} ${path} ${attempt.header('x-own')} ${own} ${Buffer.from(attempt.body!)} ${unauthorized}`,
    );
    attempt.set('authorization', `Signature ${number}`);
    attempt.remove('x-own');
    attempt.repeatAfter401();
  };
  context.target.respond = ({ index }, socket) =>
    void socket.write(
      index === 0 && context.target.connections === 1
        ? 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'
        : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone',
    );
  await withAction(context, [{ run: { onAttempt: sign } }]);
  const reply = await context.plane.ask(GET);
  assert.equal([reply.status, reply.body.toString()], [200, 'done']);
  assert.equal(seen, ['1 POST /x?y 1 user-agent,x-own sent false', '2 POST /x?y 1 user-agent,x-own sent true']);
  assert.equal(
    context.target.arrived.map((request) => [request.header('authorization'), request.header('x-own')]),
    [
      ['Signature 1', undefined],
      ['Signature 2', undefined],
    ],
  );
  assert.match(context.target.arrived[0]!.head, /via: 1\.1 gw\r\nx-request-id: .*\r\ncontent-length: 4\r\n/);
});

test('a policy that fails before an attempt refuses the call', async (context) => {
  await withAction(context, [
    {
      run: {
        async onAttempt() {
          throw new Error('no key');
        },
      },
    },
  ]);
  assert.is((await context.plane.ask(GET)).status, 500);
  assert.is(context.target.arrived.length, 0);
});

/** A policy that answers with the body of a call to `auth`. */
const asking = (host: PolicyHost): PolicyInstance => ({
  async before(exchange) {
    const { body } = await host.call('auth', { method: 'GET', path: '/', exchange });
    return new BytesReply(200, { body });
  },
});

test('a policy that survives a reload calls the service of the live generation', async (context) => {
  const [first, second] = [await FaultTarget.start(ok('first')), await FaultTarget.start(ok('second'))];
  let created = 0;
  let early = '';
  const load = withPolicies([
    {
      calls: ['auth', 'it'],
      run: (host) => {
        created++;
        // The service is not live yet.
        void failureOf(host.call('auth', { method: 'GET', path: '/' })).then(({ cause }) => {
          early = cause;
        });
        return asking(host);
      },
    },
  ]);
  const spec = (url: string): string => specOf(context.target.url, { more: `[service.auth]\ntargets = ["${url}"]\n` });
  await context.plane.load(spec(first.url), load);
  assert.is((await context.plane.ask(GET)).body.toString(), 'first');
  await context.plane.load(spec(second.url), load);
  assert.is((await context.plane.ask(GET)).body.toString(), 'second');
  assert.is(created, 1);
  assert.is(early, 'the service is not part of the live generation');
  await first.close();
  await second.close();
});

test('a service that the declaration does not name cannot be called', async (context) => {
  await context.plane.load(specOf(context.target.url), withPolicies([{ calls: ['it'], run: asking }]));
  assert.is((await context.plane.ask(GET)).status, 500);
  const log = context.plane.logs.find(({ message }) => message.startsWith('policy failed'));
  assert.match(String(log?.fields?.['cause']), 'does not name "auth" among the services that it calls');
});

test('calls of many exchanges that end early leave nothing behind', async (context) => {
  const policy = (host: PolicyHost): PolicyInstance => ({
    async before(exchange) {
      void host.call('it', { method: 'GET', path: '/slow', exchange }).catch(() => undefined);
      return new BytesReply(200, { body: 'early' });
    },
  });
  context.target.respond = say('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab');
  await context.plane.load(specOf(context.target.url), withPolicies([{ calls: ['it'], run: policy }]));
  const client = context.plane.client();
  for (let i = 0; i < 100; i++) {
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'early');
  }
  client.destroy();
  await until(() => context.target.open === 0, 'all connections to close');
});

/** Calls to `it` are signed by the policies with these names. */
const signedBy =
  (names: readonly string[], edit: (program: Program) => Program) =>
  (program: Program): Program => {
    const edited = edit(program);
    return { ...edited, services: edited.services.map((service) => ({ ...service, policies: names })) };
  };

/** A policy that adds its name to a field of each attempt, and notes what it sees. */
const signer = (name: string, seen: string[] = []): TestPolicy => ({
  name,
  run: {
    onAttempt({ id, method, path, consumer }, attempt) {
      seen.push(`${name}: ${id.slice(0, 2)} ${method} ${path} ${consumer?.name}, ${attempt.method} ${attempt.path}`);
      attempt.set('x-signed', `${attempt.header('x-signed') ?? ''}${name};`);
    },
  },
});

test('policies of a service sign the calls of policies, in order, whether or not the exchange has passed them', async (context) => {
  const seen: string[] = [];
  const asks = (host: PolicyHost): PolicyInstance => ({
    async before(exchange) {
      await host.call('it', { method: 'GET', path: '/with', exchange });
      await host.call('it', { method: 'GET', path: '/shared', exchange, shared: true });
      await host.call('it', { method: 'GET', path: '/detached' });
      return undefined;
    },
  });
  const policies = [{ name: 'asks', calls: ['it'], run: asks }, signer('a', seen), signer('b')];
  await context.plane.load(specOf(context.target.url), signedBy(['a', 'b'], withPolicies(policies)));
  assert.is((await context.plane.ask('GET /x HTTP/1.1\r\nHost: a.example\r\nX-Signed: forged;\r\n\r\n')).status, 200);
  assert.equal(
    context.target.arrived.map((request) => `${request.head.split(' ')[1]} ${request.header('x-signed')}`),
    ['/with a;b;', '/shared a;b;', '/detached a;b;', '/x forged;a;b;'],
  );
  assert.equal(
    seen.map((line) => line.replace(/: \S\S/, ':')),
    [
      'a: GET /x undefined, GET /with',
      'a:   undefined, GET /shared',
      'a:   undefined, GET /detached',
      'a: GET /x undefined, GET /x',
    ],
  );
});

test('a call of an action is signed by the policies of its route, then by the others of the service, each once', async (context) => {
  await withAction(context, []);
  const { plane, target } = context;
  const twice = (program: Program): Program => {
    const both = withPolicies([signer('c')])(withPolicies([signer('a')])(program));
    const of = (name: string): number => both.policies.findIndex((policy) => policy.name === name);
    const action = { use: 'test-call', summary: 'calls', settings: null, calls: ['it'] };
    return { ...both, routes: both.routes.map((each) => ({ ...each, action, policies: [of('a')] })) };
  };
  await plane.load(specOf(target.url), signedBy(['c', 'a'], twice));
  assert.is((await plane.ask(GET)).status, 200);
  assert.is(target.arrived[0]!.header('x-signed'), 'a;c;');
});

test.run();
