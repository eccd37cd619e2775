/** Shares of the last free connections to a target. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Claims } from '../../../src/proxy/upstream/claims.js';
import type { ReplyConnection } from '../../../src/proxy/upstream/reply-connection.js';
import { SlowClients } from '../../../src/proxy/upstream/slow-clients.js';
import { StatsRegistry } from '../../../src/telemetry/stats/registry.js';
import { generationOf, specOf } from '../../integration/engine-kit.js';
import { IdleUser } from '../../support/upstream-user.js';

const test = suite('claims');

class Client extends IdleUser {
  constructor(
    override readonly clientKey: string,
    override readonly streams = false,
  ) {
    super();
  }
}

type Held = Pick<ReplyConnection, 'claim' | 'user'>;

/** Claims on `most` connections, and a function that takes one. */
function made(most: number): { claims: Claims; take: (user: Client) => ReplyConnection; held: Set<ReplyConnection> } {
  const { program } = generationOf(specOf('http://127.0.0.1:1', {}), new StatsRegistry({ workers: 1 }));
  const held = new Set<ReplyConnection>();
  const claims = new Claims(held);
  claims.configure(most, program.services[0]!);
  const take = (user: Client): ReplyConnection => {
    const one: Held = { claim: { client: '', partial: false }, user };
    const connection = one as ReplyConnection;
    held.add(connection);
    claims.took(connection, user);
    return connection;
  };
  return { claims, take, held };
}

test('one address has at most four fifths, however often connections are reassigned', () => {
  const { claims, take, held } = made(100);
  const one = new Client('one');
  const other = new Client('other');
  while (claims.allow(one, held.size)) take(one);
  assert.is(held.size, 80);
  assert.ok(claims.allow(other, held.size));
  for (let turn = 0; turn < 1000; turn++) {
    const [first] = held;
    held.delete(first!);
    claims.freed(first!);
    assert.is(claims.of('one'), 79);
    assert.ok(claims.allow(one, held.size));
    take(one);
  }
  for (let n = 0; n < 20; n++) {
    assert.ok(claims.allow(other, held.size));
    take(other);
  }
  assert.equal([claims.of('one'), claims.of('other')], [80, 20]);
  assert.not(claims.allow(one, held.size));
});

test('a small number of connections is not divided', () => {
  for (const most of [1, 2, 4]) {
    const { claims, take, held } = made(most);
    while (held.size < most && claims.allow(new Client('one'), held.size)) take(new Client('one'));
    assert.is(held.size, most);
  }
});

test('incomplete bodies have at most three quarters, and do not count once complete', () => {
  const { claims, take, held } = made(8);
  const part = new Client('one', true);
  const taken: ReplyConnection[] = [];
  while (claims.allow(part, held.size)) taken.push(take(part));
  assert.is(held.size, 6);
  assert.ok(claims.allow(new Client('two'), held.size));
  claims.whole(taken[0]!);
  claims.whole(taken[0]!);
  assert.is(claims.partial, 5);
  assert.ok(claims.allow(part, held.size));
  held.delete(taken[0]!);
  claims.freed(taken[0]!);
  assert.is(claims.partial, 5);
});

class Holder {
  readonly clientKey = 'one';
  readonly streams = false;
  awaitsClient = true;
  clientBytes = 0;
  shed(): void {}
}

test('a stalled client accumulates debt; a fast client, or one with a slow target, does not', () => {
  const slow = new SlowClients();
  const [stalled, fast, busy] = [new Holder(), new Holder(), new Holder()] as const;
  busy.awaitsClient = false;
  for (const user of [stalled, fast, busy]) slow.watch(user, 0);
  stalled.clientBytes = 4_000_000;
  for (let now = 100; now <= 5000; now += 100) {
    // In large parts, like the buffers of a kernel.
    if (now % 800 === 0) fast.clientBytes += 800_000;
    slow.sweep(now);
    if (now < 1900) continue;
    assert.is(slow.slowest(1000, 0, () => true)?.user, stalled, String(now));
    assert.is(
      slow.slowest(100, 1, () => true),
      undefined,
    );
  }
  slow.forget(stalled);
  assert.is(
    slow.slowest(1, 0, () => true),
    undefined,
  );
});

test.run();
