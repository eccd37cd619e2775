import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry } from '../../../src/bundle/types.js';
import { type CalledExchange, Callers, RECHECKED_AT_ONCE } from '../../../src/proxy/exchange/chain/callers.js';
import { LiveConsumers } from '../../../src/state/consumers/live.js';
import { ConsumerSet } from '../../../src/state/consumers/set.js';
import { consumerWith, keyCredential } from '../../support/consumers.js';

const world = (...entries: ConsumerEntry[]) => {
  const around = { now: 1000, set: ConsumerSet.of(entries), live: new LiveConsumers() };
  around.live.use(around.set.memory);
  const callers = new Callers(around.live, () => around.now);
  const change = (set: readonly ConsumerEntry[], removed: readonly string[] = []): void => {
    around.set = around.set.with({ set, removed });
    around.live.use(around.set.memory);
  };
  return { ...around, around, callers, change };
};

const called = (): CalledExchange => ({
  remoteAddress: '127.0.0.1',
  consumer: undefined,
  credential: undefined,
  certificate: undefined,
  callerTurn: 0,
});

const identityOf = (live: LiveConsumers, name: string) => {
  const consumer = live.byName(name)!;
  return { outcome: 'identity', consumer, credential: consumer.credentials[0], why: 'API key' } as const;
};

test('an identity gets the consumer and the credential as they are now', () => {
  const { callers, change, live } = world(consumerWith('a', ['k']));
  const identity = identityOf(live, 'a');
  const exchange = called();
  assert.is(callers.admit(exchange, identity), identity);
  assert.is(exchange.consumer, identity.consumer);
  assert.is(exchange.credential, identity.credential);
  change([consumerWith('a', ['k'], { plan: 'gold' })]);
  const next = called();
  assert.is(callers.admit(next, identity), identity, 'a kept identity');
  assert.is(next.consumer?.plan, 'gold');
  assert.is(next.credential, next.consumer?.credentials[0]);
});

test('an identity without a consumer, or without a credential, needs none', () => {
  const { callers, change, live } = world(consumerWith('a', ['k']));
  const exchange = called();
  assert.is(callers.admit(exchange, { outcome: 'identity', why: 'token' }).outcome, 'identity');
  assert.is(exchange.consumer, undefined);
  const { credential: _, ...identity } = identityOf(live, 'a');
  change([consumerWith('a', [])]);
  assert.is(callers.admit(exchange, identity).outcome, 'identity');
  assert.equal([exchange.consumer?.name, exchange.credential], ['a', undefined]);
  change([], ['a']);
  assert.is(callers.admit(called(), identity).outcome, 'refused');
});

test('the refusal is that of an unknown credential, and says why in the log only', () => {
  const { callers, change, live } = world(consumerWith('a', ['k']));
  const refusal = { code: 'auth/invalid', title: 'Unknown API key' };
  const identity = { ...identityOf(live, 'a'), refusal };
  change([consumerWith('a', ['other'])]);
  assert.equal(callers.admit(called(), identity), {
    outcome: 'refused',
    why: 'API key, but credential key-1 of a was removed',
    problem: refusal,
  });
  const { refusal: _, ...general } = identity;
  const found = callers.admit(called(), general);
  assert.equal('problem' in found && found.problem, { code: 'auth/invalid', title: 'Credentials not accepted' });
  const challenge = 'Bearer realm="api"';
  const again = callers.admit(called(), { ...general, challenge });
  assert.is('problem' in again && again.problem.challenge, challenge, 'a 401 has the challenge of the authenticator');
  change([consumerWith('a', ['k'], { disabled: true })]);
  const disabled = callers.admit(called(), identity);
  assert.is('problem' in disabled && disabled.problem.status, 403);
});

test('a credential with an equal id takes over, whatever its name', () => {
  const { callers, change, live } = world(consumerWith('a', ['k']));
  const identity = identityOf(live, 'a');
  change([consumerWith('a', [], { credentials: [keyCredential('k', 0, { name: 'renamed' })] })]);
  const exchange = called();
  callers.admit(exchange, identity);
  assert.is(exchange.credential?.name, 'renamed');
});

test('open exchanges are checked again after a change, and when a credential expires', () => {
  const { around, callers, change, live } = world(
    consumerWith('a', [], { credentials: [keyCredential('k', 0, { expires: 2000 })] }),
    consumerWith('b', ['kb']),
  );
  const [a, b] = [called(), called()];
  callers.admit(a, identityOf(live, 'a'));
  callers.admit(b, identityOf(live, 'b'));
  const ended: (string | undefined)[] = [];
  const look = (): void => callers.recheck([a, b, called()], ({ consumer }) => ended.push(consumer?.name));
  assert.is(callers.due, false);
  around.now = 1999;
  assert.is(callers.due, false);
  around.now = 2000;
  assert.is(callers.due, true);
  look();
  assert.equal(ended, ['a']);
  assert.is(callers.due, false);
  change([], ['b']);
  assert.is(callers.due, true);
  callers.recheck([b], (_, cause) => ended.push(cause));
  assert.equal(ended, ['a', 'consumer b was removed']);
  assert.is(callers.due, false);
});

test('a later expiry of an exchange that was checked again is noticed', () => {
  const expiring = (name: string, expires: number): ConsumerEntry =>
    consumerWith(name, [], { credentials: [keyCredential(name, 0, { expires })] });
  const { around, callers, live } = world(expiring('a', 2000), expiring('b', 3000));
  const open = ['a', 'b'].map((name) => {
    const exchange = called();
    callers.admit(exchange, identityOf(live, name));
    return exchange;
  });
  const ended: unknown[] = [];
  for (const now of [1500, 2000, 2500, 3000]) {
    around.now = now;
    if (callers.due) callers.recheck(open, ({ consumer }) => ended.push([now, consumer?.name]));
  }
  assert.equal(ended, [
    [2000, 'a'],
    [3000, 'a'],
    [3000, 'b'],
  ]);
});

test('the work of one check is bounded, and the next ones continue', () => {
  const { callers, change, live } = world(consumerWith('a', ['k']));
  const identity = identityOf(live, 'a');
  const open = Array.from({ length: RECHECKED_AT_ONCE * 2 + 5 }, () => {
    const exchange = called();
    callers.admit(exchange, identity);
    return exchange;
  });
  change([], ['a']);
  const counts: number[] = [];
  while (callers.due) {
    let count = 0;
    callers.recheck(open, () => count++);
    counts.push(count);
  }
  assert.equal(counts, [RECHECKED_AT_ONCE, RECHECKED_AT_ONCE, 5]);
});

test.run();
