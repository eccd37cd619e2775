import { createServer, type Server } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  MAX_SESSION_NAMES,
  NAME_IDLE_MS,
  type Pair,
  SessionNames,
} from '../../../../src/proxy/downstream/tls/session-names.js';
import { TicketKeys } from '../../../../src/state/ticket-keys.js';

class Made implements Pair {
  readonly shared = createServer();
  readonly keys: Buffer[] = [];

  constructor(readonly identity: string | undefined) {}

  readonly create = (keys: Buffer): Server => {
    this.keys.push(keys);
    return createServer();
  };
}

const isFixed = (name: string): boolean => name === 'fixed.test';

test('each name has keys of its own, the same with every worker', () => {
  const secrets = TicketKeys.allocate();
  const ofWorker = (): string[] => {
    const pair = new Made('policy');
    const names = new SessionNames(isFixed);
    const keys = new TicketKeys(secrets);
    for (const name of ['a.test', 'b.test', undefined, 'fixed.test', 'a.test'])
      names.serverFor(pair, name, undefined, keys, 0);
    names.serverFor(new Made('policy'), 'c.test', undefined, keys, 0);
    assert.is(names.size, 5);
    return pair.keys.map((each) => each.toString('hex'));
  };
  const [first, second] = [ofWorker(), ofWorker()];
  assert.equal([first.length, new Set(first).size], [4, 4]);
  assert.equal(first, second);
});

test('without an identity nothing resumes', () => {
  const pair = new Made(undefined);
  const names = new SessionNames(isFixed);
  assert.is(names.serverFor(pair, 'a.test', undefined, new TicketKeys(), 0), pair.shared);
  assert.is(names.size, 0);
});

test('a flood of names costs no servers, and takes no place from names in use', () => {
  const pair = new Made('policy');
  const names = new SessionNames(isFixed);
  const keys = new TicketKeys();
  const ask = (name: string | undefined, now: number): boolean =>
    names.serverFor(pair, name, undefined, keys, now) !== pair.shared;
  for (let i = 0; i < 3000; i++) {
    assert.is(ask(`${i}.test`, 0), i < MAX_SESSION_NAMES);
    ask(`${i}.test`, 0);
  }
  assert.is(pair.keys.length, MAX_SESSION_NAMES);
  assert.ok(ask('fixed.test', 0) && ask(undefined, 0), 'those of the spec have a place');
  assert.ok(ask('0.test', 1));
  // Idle now: the second handshake of a name gets the place of the one that was not used for longest.
  assert.not(ask('new.test', NAME_IDLE_MS));
  assert.ok(ask('new.test', NAME_IDLE_MS));
  assert.not(ask('1.test', NAME_IDLE_MS));
  assert.ok(ask('0.test', NAME_IDLE_MS));
  for (let i = 0; i < 3000; i++) assert.not(ask(`once-${i}.test`, NAME_IDLE_MS));
  assert.is(names.size, MAX_SESSION_NAMES + 2);
  const fresh = new SessionNames(isFixed);
  assert.is(fresh.serverFor(pair, 'x'.repeat(256), undefined, keys, 0), pair.shared);
});

test('after two rotations, the servers of a name are new ones; another certificate has others', () => {
  const pair = new Made('policy');
  const names = new SessionNames(isFixed);
  const keys = new TicketKeys();
  const ask = (ticket?: Buffer, of = pair): Server => names.serverFor(of, 'a.test', ticket, keys, 0);
  const first = ask();
  const ticket = pair.keys[0]!.subarray(0, 16);
  keys.rotate();
  names.prune(keys);
  const second = ask();
  assert.is(ask(ticket), first);
  assert.is.not(second, first);
  keys.rotate();
  names.prune(keys);
  assert.is.not(ask(ticket), first);
  const renewed = new Made('policy');
  ask(undefined, renewed);
  assert.equal([renewed.keys.length, renewed.keys[0]], [1, pair.keys.at(-1)]);
});

test.run();
