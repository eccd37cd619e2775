import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ADDRESS_FULL, addressKey, ConnectionTable, LISTENER_FULL } from '../../src/state/connection-table.js';
import type { ConnectionHammerResult, ConnectionHammerTask } from './connection-hammer.js';

const tables = (workers: number, slots = 1024): ConnectionTable[] => {
  const memory = ConnectionTable.allocate({ workers, slots });
  return Array.from({ length: workers }, (_, worker) => new ConnectionTable(memory, worker));
};

test('a listener’s bound holds over all workers, and what goes makes room', () => {
  const [one, two] = tables(2) as [ConnectionTable, ConnectionTable];
  const places = [one.enter('a', '', 3, 9), two.enter('a', '', 3, 9), two.enter('a', '', 3, 9)];
  assert.ok(places.every((place) => place >= 0));
  assert.is(one.enter('a', '', 3, 9), LISTENER_FULL);
  assert.is(two.enter('a', '', 3, 9), LISTENER_FULL);
  assert.is(one.total('a'), 3);
  two.leave('a', places[1]!);
  assert.is(one.total('a'), 2);
  assert.ok(one.enter('a', '', 3, 9) >= 0);
  assert.is(two.enter('a', '', 3, 9), LISTENER_FULL);
});

test('an address’s bound holds over all workers, for each listener apart, and leaves others alone', () => {
  const [one, two] = tables(2) as [ConnectionTable, ConnectionTable];
  const first = one.enter('a', '10.0.0.1', 99, 2);
  assert.ok(first > 0);
  assert.is(two.enter('a', '10.0.0.1', 99, 2), first, 'one slot for one address');
  assert.is(one.enter('a', '10.0.0.1', 99, 2), ADDRESS_FULL);
  assert.is(two.enter('a', '10.0.0.1', 99, 2), ADDRESS_FULL);
  assert.is(one.total('a'), 2, 'a refused connection counts nowhere');
  assert.ok(one.enter('a', '10.0.0.2', 99, 2) > 0);
  assert.ok(one.enter('b', '10.0.0.1', 99, 2) > 0);
  one.leave('a', first);
  assert.ok(two.enter('a', '10.0.0.1', 99, 2) > 0);
  assert.is(one.enter('a', '10.0.0.1', 99, 2), ADDRESS_FULL);
});

test('a full listener is told before a full address', () => {
  const [one] = tables(1) as [ConnectionTable];
  one.enter('a', '10.0.0.1', 1, 1);
  assert.is(one.enter('a', '10.0.0.1', 1, 1), LISTENER_FULL);
});

test('slots of addresses that are gone are free for others', () => {
  const [one] = tables(1, 16) as [ConnectionTable];
  for (let at = 0; at < 200; at++) {
    const place = one.enter('a', `10.0.0.${at}`, 99, 1);
    assert.ok(place > 0, String(at));
    one.leave('a', place);
  }
  assert.is(one.overflows, 0);
  assert.is(one.total('a'), 0);
});

test('with more addresses than slots, further ones count for their listener alone', () => {
  const [one] = tables(1, 16) as [ConnectionTable];
  const places = Array.from({ length: 20 }, (_, at) => one.enter('a', `10.0.0.${at}`, 99, 1));
  assert.is(places.filter((place) => place === 0).length, 4);
  assert.is(one.overflows, 4);
  assert.is(one.total('a'), 20);
  for (const place of places) one.leave('a', place);
  assert.is(one.total('a'), 0);
});

test('what a dead worker counted is forgotten, of no other', () => {
  const [one, two] = tables(2) as [ConnectionTable, ConnectionTable];
  const kept = one.enter('a', '10.0.0.1', 99, 3);
  two.enter('a', '10.0.0.1', 99, 3);
  two.enter('a', '10.0.0.1', 99, 3);
  two.enter('b', '10.0.0.9', 99, 1);
  assert.is(one.enter('a', '10.0.0.1', 99, 3), ADDRESS_FULL);
  one.forget(1);
  assert.equal([one.total('a'), one.total('b')], [1, 0]);
  assert.ok(one.enter('a', '10.0.0.1', 99, 2) > 0);
  assert.is(one.enter('a', '10.0.0.1', 99, 2), ADDRESS_FULL);
  assert.ok(one.enter('b', '10.0.0.9', 99, 1) > 0);
  one.leave('a', kept);
  assert.is(two.total('a'), 1);
});

test('a place that was forgotten is not given up twice', () => {
  const [one, two] = tables(2) as [ConnectionTable, ConnectionTable];
  const place = one.enter('a', '10.0.0.1', 99, 9);
  two.enter('a', '10.0.0.1', 99, 9);
  two.forget(0);
  one.leave('a', place);
  assert.is(two.total('a'), 1);
});

test('more listeners than there are entries: the others still count right', () => {
  const [one] = tables(1, 16) as [ConnectionTable];
  for (let at = 0; at < 1100; at++) assert.ok(one.enter(`listener ${at}`, '', 1, 1) >= 0);
  assert.is(one.total('listener 0'), 1);
  assert.is(one.total('listener 1099'), 0);
  assert.is(one.enter('listener 1023', '', 1, 1), LISTENER_FULL);
  one.leave('listener 5', 0);
  assert.ok(one.enter('listener 1099', '', 1, 1) >= 0);
  assert.is(one.enter('listener 1099', '', 1, 1), LISTENER_FULL);
});

test('memory of something else, and workers without a column, are refused', () => {
  assert.throws(() => new ConnectionTable(new SharedArrayBuffer(64), 0), /Not the memory/);
  const memory = ConnectionTable.allocate({ workers: 2 });
  assert.throws(() => new ConnectionTable(memory, 2), /no column for worker 2/);
  assert.throws(() => new ConnectionTable(memory, -1), /no column/);
});

test('four workers at once: no bound is ever passed, and nothing is lost', async () => {
  const memory = ConnectionTable.allocate({ workers: 4, slots: 64 });
  const gate = new SharedArrayBuffer(4);
  const addresses = Array.from({ length: 8 }, (_, at) => `10.0.0.${at}`);
  const shared = { memory, gate, rounds: 30_000, max: 60, maxOfAddress: 9, addresses };
  const workers = [0, 1, 2, 3].map(
    (worker) =>
      new Worker(new URL('./connection-hammer.js', import.meta.url), {
        workerData: { ...shared, worker } satisfies ConnectionHammerTask,
      }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'online')));
  const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
  Atomics.store(new Int32Array(gate), 0, 1);
  Atomics.notify(new Int32Array(gate), 0);
  const results = (await answers).map(([result]) => result as ConnectionHammerResult);
  await Promise.all(workers.map((worker) => worker.terminate()));
  let open = 0;
  for (const address of addresses) {
    const here = results.reduce((sum, result) => sum + (result.open[address] ?? 0), 0);
    assert.ok(here <= 9, `${address}: ${here}`);
    open += here;
  }
  for (const { most, refused } of results) {
    assert.ok(most <= 60, String(most));
    assert.ok(refused > 0);
  }
  const table = new ConnectionTable(memory, 0);
  assert.is(table.total('main'), open);
  for (const worker of [0, 1, 2, 3]) table.forget(worker);
  assert.is(table.total('main'), 0);
});

test('an IPv4 address counts for itself, an IPv6 address with its /64', () => {
  const keys: readonly (readonly [string, string])[] = [
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::6', '2001:db8:1:3::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001::1.2.3.4', '2001:0:0:0::/64'],
    ['1::2:3:4:1.2.3.4', '1:0:0:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ];
  assert.equal(
    keys.map(([address]) => [address, addressKey(address)]),
    keys.map(([address, key]) => [address, key]),
  );
});

test.run();
