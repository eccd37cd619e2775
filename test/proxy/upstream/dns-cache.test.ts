import type { LookupAddress } from 'node:dns';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DnsCache } from '../../../src/proxy/upstream/dns-cache.js';

type Done = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** A resolver that answers on demand, and a clock. */
class Resolver {
  now = 0;
  readonly queries: { readonly name: string; readonly done: Done }[] = [];
  readonly names = new DnsCache(
    () => this.now,
    (name, done) => this.queries.push({ name, done }),
  );

  find(name: string, all = true): Promise<string> {
    return new Promise((resolve) => {
      this.names.lookup(name, { all }, (error, address, family) => {
        if (error !== null) resolve(error.message);
        else if (typeof address === 'string') resolve(`${address}/${family}`);
        else resolve(address.map((one) => one.address).join(' '));
      });
    });
  }

  answer(at: number, ...addresses: string[]): void {
    this.queries[at]!.done(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  }
}

test('many connections to a name cause one query', async () => {
  const resolver = new Resolver();
  const found = [resolver.find('a'), resolver.find('a'), resolver.find('a', false), resolver.find('b')];
  assert.is(resolver.queries.length, 2);
  resolver.answer(1, '10.0.0.9');
  assert.is(await found[3], '10.0.0.9');
  resolver.answer(0, '10.0.0.1', '10.0.0.2');
  assert.equal(await Promise.all(found.slice(0, 3)), ['10.0.0.1 10.0.0.2', '10.0.0.1 10.0.0.2', '10.0.0.1/4']);
});

test('a known address stays in use while the resolver hangs, with one query', async () => {
  const resolver = new Resolver();
  const first = resolver.find('a');
  resolver.answer(0, '10.0.0.1');
  await first;
  assert.is(await resolver.find('a'), '10.0.0.1');
  assert.is(resolver.queries.length, 1, 'it is fresh');
  resolver.now = 5000;
  for (let turn = 0; turn < 3; turn++) assert.is(await resolver.find('a'), '10.0.0.1');
  assert.is(resolver.queries.length, 2);
  resolver.answer(1, '10.0.0.2');
  assert.is(await resolver.find('a'), '10.0.0.2');
});

test('a failed query keeps known addresses; unknown names are queried each time', async () => {
  const resolver = new Resolver();
  const fail = (at: number): void => resolver.queries[at]!.done(new Error('EAI_AGAIN'), []);
  const first = resolver.find('a');
  fail(0);
  assert.is(await first, 'EAI_AGAIN');
  const second = resolver.find('a');
  resolver.answer(1, '10.0.0.1');
  await second;
  resolver.now = 6000;
  await resolver.find('a');
  fail(2);
  assert.is(await resolver.find('a'), '10.0.0.1');
  assert.is(resolver.queries.length, 3);
  const empty = resolver.find('b');
  resolver.answer(3);
  assert.is(await empty, 'No address: b');
});

test('a full cache evicts the oldest name without waiting callers', async () => {
  const resolver = new Resolver();
  const waiting = resolver.find('waits');
  for (let at = 0; at < 4096; at++) {
    const found = resolver.find(`name-${at}`);
    resolver.answer(at + 1, '10.0.0.1');
    await found;
  }
  assert.is(await resolver.find('name-4095'), '10.0.0.1');
  assert.is(resolver.queries.length, 4097);
  resolver.find('name-0').catch(() => {});
  assert.is(resolver.queries.at(-1)?.name, 'name-0', 'it is queried again');
  resolver.answer(0, '10.0.0.2');
  assert.is(await waiting, '10.0.0.2');
});

test.run();
