import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { create as createAnyOf } from '../../src/policies/any-of/run.js';
import type { Absent, Authentication, PolicyInstance } from '../../src/policies/contract.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import { OfflinePlane } from '../../src/proxy/offline.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { virtualClock } from '../support/virtual-clock.js';
import { exchange, host, lint, noBody, world } from './support.js';

const absent = (name: string): Absent => ({
  outcome: 'absent',
  why: `no ${name}`,
  problem: { code: 'auth/missing', title: 'Missing', detail: `Send ${name}.`, challenge: `${name} realm="api"` },
});
const identity: Authentication = { outcome: 'identity', why: 'known' };
const refused: Authentication = { outcome: 'refused', why: 'wrong', problem: { code: 'auth/invalid', title: 'Wrong' } };
const unavailable: Authentication = { outcome: 'unavailable', why: 'down' };

/** any-of over members that answer so; notes which were asked. */
function anyOf(answers: readonly Authentication[], asked: number[] = [], anonymous?: string): PolicyInstance {
  const members = answers.map((_, index) => `m${index}`);
  const around = world();
  if (anonymous !== undefined) around.consumers.push({ name: anonymous, groups: [], credentials: [], tags: {} });
  const instances = answers.map(
    (answer, index): PolicyInstance => ({
      authenticate: () => {
        asked.push(index);
        return index % 2 === 0 ? answer : Promise.resolve(answer);
      },
    }),
  );
  const settings = { members, ...(anonymous === undefined ? {} : { anonymous }) };
  return createAnyOf(settings, { ...host(around), member: (name) => instances[members.indexOf(name)]! });
}

const authenticate = async (policy: PolicyInstance): Promise<Authentication> =>
  policy.authenticate!(exchange(), noBody);

test('the first member with a credential decides, synchronous or not', async () => {
  for (const [answers, outcome, count] of [
    [[absent('a'), identity, refused], 'identity', 2],
    [[absent('a'), absent('b'), identity], 'identity', 3],
    [[refused, identity], 'refused', 1],
    [[absent('a'), refused, identity], 'refused', 2],
    [[unavailable, identity], 'unavailable', 1],
  ] as const) {
    const asked: number[] = [];
    assert.is((await authenticate(anyOf(answers, asked))).outcome, outcome);
    assert.is(asked.length, count);
  }
});

test('without the anonymous consumer, which a file may lose: 401', async () => {
  const around = world();
  const member: PolicyInstance = { authenticate: () => absent('A') };
  const policy = createAnyOf({ members: ['m'], anonymous: 'guest' }, { ...host(around), member: () => member });
  const found = await authenticate(policy);
  assert.ok(found.outcome === 'absent');
  assert.equal([found.why, found.pass], ['no credential; the consumer guest does not exist', undefined]);
});

test('after() and finished() of the members run, and a reply of theirs takes the place of the other', async () => {
  const seen: string[] = [];
  const instance = (name: string, status?: number, later = false): PolicyInstance => ({
    authenticate: () => identity,
    after: (_, reply) => {
      seen.push(`${name} ${reply.status}`);
      const edited = status === undefined ? undefined : new BytesReply(status);
      return later ? Promise.resolve(edited) : edited;
    },
    finished: (_, end) => void seen.push(`${name} ${end}`),
  });
  const all = [instance('a'), instance('b', 201), instance('c', 202, true), instance('d')];
  const names = ['0', '1', '2', '3'];
  const policy = createAnyOf({ members: names }, { ...host(world()), member: (name) => all[Number(name)]! });
  const reply = await policy.after!(exchange(), new BytesReply(200));
  policy.finished!(exchange(), 'sent');
  assert.is(reply?.status, 202);
  assert.equal(seen, ['a 200', 'b 200', 'c 201', 'd 202', 'a sent', 'b sent', 'c sent', 'd sent']);
  assert.is(anyOf([identity]).after, undefined);
});

test('without any credential: 401 with all challenges', async () => {
  const found = (await authenticate(anyOf([absent('A'), absent('B')]))) as Absent;
  assert.is(found.outcome, 'absent');
  assert.is(found.problem.challenge, 'A realm="api", B realm="api"');
  assert.is(found.problem.detail, 'Send A. Or: Send B.');
});

test('with an anonymous consumer: only a missing credential passes', async () => {
  const found = await authenticate(anyOf([absent('A'), absent('B')], [], 'guest'));
  assert.is(found.outcome === 'identity' && found.consumer?.name, 'guest');
  assert.is((await authenticate(anyOf([absent('A'), refused], [], 'guest'))).outcome, 'refused');
});

test('lint: a repeated member, an unknown consumer', () => {
  assert.equal(lint('any-of', 'policies = ["a", "b", "a"]'), ['any-of/repeated policies.2']);
  assert.equal(lint('any-of', 'policies = ["a", "b"]\nanonymous = "guest"'), ['any-of/unknown-consumer anonymous']);
});

test('every kind that authenticates by a credential can be a member', () => {
  const text = SPEC.replace('use = "api-key"\nquery = "k"', 'use = "jwt"\nsecret = "${env:SECRET}"\naudience = "a"');
  const { diagnostics } = checkSpec({ path: 'gateway.toml', text });
  assert.equal(
    diagnostics.filter(({ code }) => code !== 'credential/in-query'),
    [],
  );
});

const KEY = 'a-key-of-acme-that-is-long-enough';
const SPEC = `
spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[consumer.acme]
api_keys = ["sha256:${createHash('sha256').update(KEY).digest('hex')}"]
[policy.keys]
use = "api-key"
[policy.query]
use = "api-key"
query = "k"
[policy.callers]
use = "any-of"
policies = ["keys", "query"]
[[route]]
match = "GET /"
to = "orders"
policies = ["callers"]
`;

test('from a spec: members need no route, and targets get no credential of any member', async () => {
  const { value, diagnostics } = checkSpec({ path: 'gateway.toml', text: SPEC });
  assert.equal(
    diagnostics.filter(({ code }) => code !== 'credential/in-query'),
    [],
  );
  const { bundle } = compile(value!);
  const stats = new StatsRegistry({ now: 0 });
  const slots = { ...stats.assign(bundle.program, 0), chunks: stats.chunks(0) };
  const plane = new OfflinePlane(
    {
      id: 1,
      sha256: bundle.sha256,
      program: bundle.program,
      trie: bundle.trie,
      stats: slots,
    },
    { clock: virtualClock(() => 0), limits: new LimitTable(LimitTable.allocate({ slots: 16 })) },
  );
  const none = await plane.run({ method: 'GET', url: '/' });
  assert.is(none.status, 401);
  assert.match(none.reply!.headers.find(([name]) => name === 'www-authenticate')![1], /, ApiKey /);
  for (const request of [
    { url: '/', headers: { 'x-api-key': KEY } },
    { url: `/?k=${KEY}&a=1`, headers: {} },
  ]) {
    const result = await plane.run({ method: 'GET', ...request });
    assert.is(result.consumer, 'acme');
    assert.not.match(result.head!.join('\n'), new RegExp(KEY));
  }
  plane.close();
});

test.run();
