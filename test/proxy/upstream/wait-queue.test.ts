import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { UpstreamUser } from '../../../src/proxy/upstream/user.js';
import { WaitQueue } from '../../../src/proxy/upstream/wait-queue.js';
import { seeded } from '../../support/random.js';
import { IdleUser } from '../../support/upstream-user.js';

const test = suite('wait queue');

class Waiting extends IdleUser {
  constructor(
    readonly name: string,
    override readonly shares: boolean,
  ) {
    super();
  }
}

const nameOf = (user: UpstreamUser | undefined): string | undefined =>
  user instanceof Waiting ? user.name : undefined;

test('exchanges are served in order of arrival, sharing or not', () => {
  const queue = new WaitQueue();
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) queue.push(new Waiting(name, at % 2 === 0), at, 10, 9);
  assert.equal(queue.nextSharing() && queue.length, 3, 'a');
  assert.equal([queue.next(), queue.next(), queue.next(), queue.next()].map(nameOf), ['b', 'c', 'd', undefined]);
});

test('the limit holds, and ended exchanges free their places', () => {
  const queue = new WaitQueue();
  const users = ['a', 'b'].map((name) => new Waiting(name, false));
  for (const user of users) assert.ok(queue.push(user, 0, 10, 2));
  assert.not(queue.push(new Waiting('c', true), 0, 10, 2));
  users[0]!.over = true;
  assert.ok(queue.push(new Waiting('d', true), 0, 10, 2));
  assert.equal([queue.next(), queue.next(), queue.next()].map(nameOf), ['b', 'd', undefined]);
});

test('only expired exchanges are returned, in order', () => {
  const queue = new WaitQueue();
  for (const [at, name] of ['a', 'b', 'c'].entries()) queue.push(new Waiting(name, at === 1), at, 10, 9);
  assert.is(queue.nextExpired(9), undefined);
  assert.equal([queue.nextExpired(11), queue.nextExpired(11), queue.nextExpired(11)].map(nameOf), [
    'a',
    'b',
    undefined,
  ]);
  assert.is(nameOf(queue.next()), 'c');
});

class Client extends Waiting {
  constructor(
    name: string,
    override readonly clientKey: string,
    override streams = false,
  ) {
    super(name, false);
  }
}

test('client addresses are served in turn: many exchanges of one do not delay another', () => {
  const queue = new WaitQueue();
  for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']) queue.push(new Client(name, name.charAt(0)), 0, 10, 9);
  const order = Array.from({ length: 8 }, () => nameOf(queue.next()));
  assert.equal(order, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4', undefined]);
  assert.is(queue.length, 0);
});

test('an address without a free share does not block others', () => {
  const queue = new WaitQueue();
  for (const name of ['a1', 'a2', 'b1', 'b2']) queue.push(new Client(name, name.charAt(0)), 0, 10, 9);
  const notA = ({ clientKey }: UpstreamUser): boolean => clientKey !== 'a';
  assert.equal([queue.next(notA), queue.next(notA), queue.next(notA)].map(nameOf), ['b1', 'b2', undefined]);
  assert.equal([queue.next(), queue.next()].map(nameOf), ['a1', 'a2']);
});

test('incomplete bodies do not block complete requests', () => {
  const queue = new WaitQueue();
  const parts = Array.from({ length: 100 }, (_, at) => new Client(`part ${at}`, `client ${at}`, true));
  for (const part of parts) queue.push(part, 0, 10, 999);
  queue.push(new Client('whole', 'other'), 1, 10, 999);
  const whole = ({ streams }: UpstreamUser): boolean => !streams;
  assert.is(nameOf(queue.next(whole)), 'whole');
  // One body has become complete meanwhile, and is found eventually.
  parts[77]!.streams = false;
  const found = Array.from({ length: 10 }, () => nameOf(queue.next(whole))).filter((name) => name !== undefined);
  assert.equal(found, ['part 77']);
});

test('a random sequence gives the same result as a plain list', () => {
  const random = seeded(7);
  const queue = new WaitQueue();
  let list: Waiting[] = [];
  for (let step = 0; step < 20_000; step++) {
    const dice = random();
    list = list.filter(({ over }) => !over);
    if (dice < 0.55) {
      const user = new Waiting(String(step), random() < 0.5);
      assert.ok(queue.push(user, step, 1e9, 1e9));
      list.push(user);
    } else if (dice < 0.65 && list.length > 0) {
      list[Math.floor(random() * list.length)]!.over = true;
    } else if (dice < 0.85) {
      assert.is(nameOf(queue.next()), list.shift()?.name);
    } else {
      const at = list.findIndex(({ shares }) => shares);
      assert.is(nameOf(queue.nextSharing()), at < 0 ? undefined : list.splice(at, 1)[0]!.name);
    }
  }
  assert.ok(list.length > 1000, 'so that fronts were cut off');
});

test.run();
