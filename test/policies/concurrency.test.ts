import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create as createConcurrency } from '../../src/policies/concurrency/run.js';
import type { Decision, Exchange, Hold, HoldStore, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { bodyOf, compile, create, declaration, decode, exchange, host, lint, world } from './support.js';

const enter = (policy: PolicyInstance, given: Exchange = exchange()): Reply | undefined => {
  const reply = policy.before?.(given);
  assert.not.ok(reply instanceof Promise, 'the store in memory answers at once');
  return reply as Reply | undefined;
};

test('at most `max` are in progress; one that has ended makes room, once', () => {
  const policy = create('concurrency', 'max = 2');
  const [first, second] = [exchange(), exchange()];
  assert.is(enter(policy, first), undefined);
  assert.is(enter(policy, second), undefined);
  const refused = exchange();
  const reply = enter(policy, refused)!;
  assert.is(reply.status, 429);
  assert.is(reply.code, 'concurrency/exceeded');
  assert.is(reply.headers.get('retry-after'), '1');
  assert.equal(bodyOf(reply)['violated-policies'], ['p']);
  policy.finished?.(refused, 'sent');
  assert.is(enter(policy)?.status, 429, 'a refused request held no place');
  policy.finished?.(first, 'aborted');
  policy.finished?.(first, 'aborted');
  assert.is(enter(policy), undefined);
  assert.is(enter(policy)?.status, 429);
});

test('counts are separate for each key; without the key, by address', () => {
  const policy = create('concurrency', 'max = 1\nby = "header:X-Key"');
  const of = (key: string | undefined, remoteAddress = '10.0.0.1'): Exchange =>
    exchange({ remoteAddress, headers: key === undefined ? [] : [['x-key', key]] });
  for (const given of [of('a'), of('b'), of(undefined), of(undefined, '10.0.0.2')])
    assert.is(enter(policy, given), undefined);
  for (const given of [of('a', '10.0.0.9'), of(undefined)]) assert.is(enter(policy, given)?.status, 429);
  const byConsumer = create('concurrency', 'max = 1\nby = "consumer"');
  const acme = { name: 'acme', groups: [], credentials: [], tags: {} };
  assert.is(enter(byConsumer, exchange({ consumer: acme, remoteAddress: '10.0.0.1' })), undefined);
  assert.is(enter(byConsumer, exchange({ consumer: acme, remoteAddress: '10.0.0.2' }))?.status, 429);
  assert.is(enter(byConsumer, exchange({ remoteAddress: '10.0.0.1' })), undefined);
});

test('a full route is the fault of no caller: 503', () => {
  const policy = create('concurrency', 'max = 1\nby = "route"\nretry_after = "1500ms"');
  enter(policy);
  const reply = enter(policy)!;
  assert.equal([reply.status, reply.code, reply.headers.get('retry-after')], [503, 'concurrency/busy', '2']);
});

test('observe counts beyond the maximum and refuses nothing', () => {
  const policy = create('concurrency', 'max = 1\nmode = "observe"');
  enter(policy);
  const decisions: Decision[] = [];
  assert.is(enter(policy, exchange({ decisions })), undefined);
  assert.equal(
    decisions.map(({ outcome, why }) => [outcome, why]),
    [['pass', '2 of 1 in progress for ip:192.0.2.1; over the limit, not enforced (observe)']],
  );
});

test('a place that a slow store grants after the exchange has ended is released', async () => {
  let released = 0;
  const grants: ((hold: Hold) => void)[] = [];
  const holds: HoldStore = { acquire: () => new Promise((resolve) => void grants.push(resolve)) };
  const policy = createConcurrency(compile('concurrency', 'max = 1')!, { ...host(world()), holds });
  const hold = { taken: 1, release: () => void released++ };
  const [early, left] = [exchange(), exchange()];
  const replies = [policy.before?.(early), policy.before?.(left)];
  policy.finished?.(left, 'aborted');
  for (const grant of grants) grant(hold);
  assert.equal(await Promise.all(replies), [undefined, undefined]);
  assert.is(released, 1);
  policy.finished?.(early, 'sent');
  assert.is(released, 2);
});

test('the maximum is no part of the identity of the counts; `at` decides the phase', () => {
  const { phaseOf, stateKey } = declaration('concurrency');
  const of = (text: string): unknown => decode('concurrency', text).config;
  assert.is(phaseOf?.(of('max = 1')), 'limit');
  assert.is(phaseOf?.(of('max = 1\nat = "guard"')), 'guard');
  assert.equal(stateKey?.(of('max = 1\nby = "header:A"')), stateKey?.(of('max = 9\nby = "header:a"')));
});

test('lint: zero, guard with consumer', () => {
  assert.equal(lint('concurrency', 'max = 0'), ['concurrency/zero max']);
  assert.equal(lint('concurrency', 'max = 1\nby = "consumer"\nat = "guard"'), ['concurrency/guard-consumer at']);
  assert.equal(lint('concurrency', 'max = 1\nat = "guard"'), []);
});

test.run();
