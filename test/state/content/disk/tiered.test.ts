/** Memory with the disk behind it: promotion, bounds, purges that overtake, and a store that is late, missing or replaced. */
import { MessageChannel } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DiskMemory } from '../../../../src/state/content/disk/memory.js';
import type { StoreCall } from '../../../../src/state/content/disk/protocol.js';
import { checksum } from '../../../../src/state/content/disk/record.js';
import { MemoryContents } from '../../../../src/state/content/memory/index.js';
import { ManualTime } from '../../../support/manual-time.js';
import { turn, until } from '../../../support/until.js';
import {
  FOREVER,
  factsOf,
  MIB,
  type openDatabase,
  putInto,
  readFrom,
  removeStoreFolders,
  serveStore,
  storeFolder,
  workerOf,
} from './kit.js';

const test = suite('tiered');
test.after(removeStoreFolders);

const written = (memory: DiskMemory, count = 1): Promise<unknown> =>
  until(() => memory.stats().written >= count, `${count} written`);

/** A worker with an empty memory, as after a restart. */
function freshWorker(store: ReturnType<typeof serveStore>, more: Partial<Parameters<typeof workerOf>[0]> = {}) {
  const worker = workerOf({ memory: store.memory, ...more });
  store.connect(worker.client);
  return worker;
}

test('what is put is in memory at once, on disk later, and comes back into an empty memory', async () => {
  const store = serveStore();
  const { store: first } = freshWorker(store);
  const bodies = { small: 'body', empty: '', large: 'l'.repeat(300_000) };
  for (const [key, body] of Object.entries(bodies)) assert.ok(putInto(first, key, body));
  const held = first.get('small');
  if (held instanceof Promise) assert.unreachable('it is in memory');
  else held?.release();
  await written(store.memory, 3);
  const { store: second } = freshWorker(store);
  for (const [key, body] of Object.entries(bodies)) {
    assert.ok(second.get(key) instanceof Promise, key);
    assert.is(await readFrom(second, key), body);
    assert.not.ok(second.get(key) instanceof Promise, `${key} is promoted`);
  }
  assert.is(await readFrom(second, 'other'), undefined);
  await store.close();
});

test('an owner without a disk stays in memory', async () => {
  const store = serveStore();
  const { tiered } = freshWorker(store);
  const plain = tiered.store('plain', { maxEntry: MIB, disk: false });
  assert.ok(putInto(plain, 'k', 'body'));
  assert.is(plain.get('none'), undefined);
  await turn();
  assert.is(store.memory.stats().written, 0);
  await store.close();
});

test('what memory does not take is written to the disk alone', async () => {
  const store = serveStore();
  const { store: contents, client } = freshWorker(store, {
    shared: MemoryContents.allocate({ workers: 4, bytes: 64 * 1024 }),
  });
  const body = Buffer.alloc(200_000, 'b');
  assert.ok(putInto(contents, 'k', body, factsOf({ expiresAt: FOREVER })));
  await written(store.memory);
  assert.is(await readFrom(contents, 'k'), body.toString());
  assert.is(client.writing, 0);
  const aborted = contents.put('a', factsOf(), -1);
  aborted?.write(body);
  aborted?.abort();
  assert.is(aborted?.write(body), false);
  const short = contents.put('s', factsOf(), body.length + 1);
  short?.write(body);
  short?.commit();
  const long = contents.put('l', factsOf(), 1);
  assert.is(long?.write(body), false);
  assert.is(contents.put('m', factsOf(), MIB + 1), undefined);
  for (const key of ['a', 's', 'l', 'm']) assert.is(await readFrom(contents, key), undefined, key);
  await store.close();
});

test('memory keeps the bytes until they are written', async () => {
  const time = new ManualTime();
  const memory = new DiskMemory(DiskMemory.allocate());
  const shared = MemoryContents.allocate({ workers: 4, bytes: 256 * 1024 });
  const { client, store } = workerOf({ memory, shared, after: time.after });
  const body = 'x'.repeat(100_000);
  assert.ok(putInto(store, 'k', body));
  assert.is(client.writing, 100_000);
  // Further contents push it out of memory, but its bytes stay.
  for (let at = 0; at < 50; at++) putInto(workerOf({ memory, shared, worker: 1 }).store, `o${at}`, 'o'.repeat(40_000));
  const served = serveStore({ memory });
  served.connect(client);
  await until(() => client.writing === 0, 'the write');
  assert.is(served.get('k'), body);
  await served.close();
});

test('writes beyond the bounds are skipped and counted, and no older content comes back', async () => {
  const store = serveStore();
  const path = freshWorker(store, { limits: { writes: 1 } });
  putInto(path.store, 'k', 'old');
  await until(() => path.client.writing === 0, 'the write');
  putInto(path.store, 'other', 'first');
  putInto(path.store, 'k', 'newer');
  assert.is(store.memory.stats().skipped, 1);
  await until(() => store.memory.stats().deleted === 1, 'the delete');
  assert.is(await readFrom(path.store, 'k'), 'newer');
  assert.is(await readFrom(freshWorker(store).store, 'k'), undefined);
  const small = freshWorker(store, { limits: { writeBytes: 10 } });
  putInto(small.store, 'large', 'more than ten bytes');
  assert.is(small.client.writing, 0);
  assert.is(store.memory.stats().skipped, 2);
  await store.close();
});

test('refresh, delete and purge reach both tiers', async () => {
  const store = serveStore();
  const { store: contents } = freshWorker(store);
  for (const key of ['1', '2', '3', '4']) putInto(contents, key, key, factsOf({ tags: [`t${key}`], url: `u:${key}` }));
  await written(store.memory, 4);
  const content = await contents.get('1');
  assert.ok(content);
  await contents.refresh(content, factsOf({ tags: ['fresh'] }), contents.moment());
  content.release();
  await contents.delete('2');
  assert.is(await contents.purge({ by: 'tag', value: 't3' }, false), 1);
  assert.is(await contents.purge({ by: 'url', value: 'u:4' }, true), 1);
  const { store: other } = freshWorker(store);
  const found = await other.get('1');
  assert.equal(found?.facts.tags, ['fresh']);
  found?.release();
  assert.is(await readFrom(other, '2'), undefined);
  assert.is(await readFrom(other, '3'), undefined);
  assert.is((await other.get('4'))?.soft, true);
  assert.is(await contents.purge({ by: 'url', value: 'u:*' }, false), 1);
  assert.is(await contents.purge({ by: 'all' }, false), 1);
  assert.is(store.memory.stats().entries, 0);
  await store.close();
});

test('a purge of more contents than one step removes or marks all of them', async () => {
  const store = serveStore();
  store.database.batch(() => {
    for (let at = 0; at < 1200; at++) {
      const body = Buffer.from('x');
      store.database.put({ owner: 'a', key: `${at}`, facts: factsOf(), parts: [body], length: 1, crc: checksum(body) });
    }
  });
  const { store: contents } = freshWorker(store);
  assert.is(await contents.purge({ by: 'route', value: 'r' }, true), 1200);
  assert.is(await contents.purge({ by: 'tag', value: 't' }, false), 1200);
  await store.close();
});

/** A store that hands its messages out one by one, so that a test decides about their order. */
function heldStore(memory: DiskMemory, options: Parameters<typeof openDatabase>[0] = {}) {
  const served = serveStore({ ...options, memory });
  const held: StoreCall[] = [];
  return {
    served,
    held,
    connect(client: ReturnType<typeof workerOf>['client']) {
      const outer = new MessageChannel();
      const inner = new MessageChannel();
      served.server.connect(inner.port2);
      outer.port2.on('message', (call: StoreCall) => {
        if (call.op === 'hello') inner.port1.postMessage(call);
        else held.push(call);
      });
      inner.port1.on('message', (answer) => outer.port2.postMessage(answer));
      client.connect(outer.port1);
      return {
        let: (call: StoreCall) => inner.port1.postMessage(call),
        close: () => {
          inner.port1.close();
          outer.port2.close();
        },
      };
    },
  };
}

test('a purge that the store sees before an older write is not undone by it', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const slow = heldStore(memory);
  const writer = workerOf({ memory });
  const link = slow.connect(writer.client);
  putInto(writer.store, 'k', 'body');
  await until(() => slow.held.length === 1, 'the write');
  const other = workerOf({ memory });
  slow.served.connect(other.client);
  await other.store.purge({ by: 'tag', value: 't' }, false);
  link.let(slow.held[0]!);
  await until(() => memory.stats().outrun === 1, 'the write');
  assert.is(slow.served.get('k'), undefined);
  link.close();
  await slow.served.close();
});

test('what was read before a purge is not used after it, nor promoted', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const slow = heldStore(memory);
  slow.served.put('k', 'body');
  const reader = workerOf({ memory });
  const link = slow.connect(reader.client);
  const got = readFrom(reader.store, 'k');
  await until(() => slow.held.length === 1, 'the question');
  // The store answers, but the answer arrives after the purge.
  link.let(slow.held[0]!);
  const other = workerOf({ memory });
  slow.served.connect(other.client);
  const purged = other.store.purge({ by: 'url', value: 'https://a.example/x' }, false);
  assert.is(await got, undefined);
  await purged;
  assert.is(await other.store.get('k'), undefined);
  link.close();
  await slow.served.close();
});

test('what the disk answers late does not take the place of what was put meanwhile', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const shared = MemoryContents.allocate({ workers: 4, bytes: 4 * MIB });
  const slow = heldStore(memory);
  slow.served.put('k', 'old');
  const reader = workerOf({ memory, shared });
  const link = slow.connect(reader.client);
  const reading = readFrom(reader.store, 'k');
  await until(() => slow.held.length === 1, 'the question');
  const other = workerOf({ memory, shared, worker: 1 });
  putInto(other.store, 'k', 'new');
  link.let(slow.held[0]!);
  assert.is(await reading, 'new');
  assert.is(await readFrom(reader.store, 'k'), 'new');
  assert.is(await readFrom(other.store, 'k'), 'new');
  link.close();
  await slow.served.close();
});

test('while a purge waits for the store, what it selects is not used', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const slow = heldStore(memory);
  slow.served.put('k', 'body');
  slow.served.put('l', 'other', factsOf({ tags: [], url: 'u', route: 'other' }));
  const purger = workerOf({ memory });
  const link = slow.connect(purger.client);
  const purged = purger.store.purge({ by: 'tag', value: 't' }, false);
  await until(() => slow.held.length === 1, 'the purge');
  const reader = workerOf({ memory });
  slow.served.connect(reader.client);
  assert.is(await readFrom(reader.store, 'k'), undefined);
  assert.is(await readFrom(reader.store, 'l'), 'other');
  link.let(slow.held[0]!);
  assert.is(await purged, 1);
  slow.served.put('k', 'new');
  assert.is(await readFrom(reader.store, 'k'), 'new');
  link.close();
  await slow.served.close();
});

test('what a thread that ends has begun blocks nothing for ever', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const store = serveStore({ memory });
  const dying = workerOf({ memory });
  store.connect(dying.client);
  dying.client.beginPurge('a', { by: 'all' }, false, false);
  store.put('k', 'body');
  const reader = workerOf({ memory });
  store.connect(reader.client);
  assert.is(await readFrom(reader.store, 'k'), undefined);
  dying.client.close();
  await until(async () => (await readFrom(reader.store, 'k')) === 'body', 'the content');
  await store.close();
});

test('a thread that goes on with another port has its purges applied when they are done, not when the old port closes', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const store = serveStore({ memory });
  const worker = workerOf({ memory });
  store.connect(worker.client);
  const purge = worker.client.beginPurge('a', { by: 'all' }, false, false);
  store.put('k', 'body');
  store.connect(worker.client);
  const reader = freshWorker(store);
  for (let at = 0; at < 5; at++) {
    assert.is(await readFrom(reader.store, 'k'), undefined);
    await turn();
  }
  assert.is(await worker.client.end(purge), 1);
  store.put('k', 'new');
  assert.is(await readFrom(reader.store, 'k'), 'new');
  await store.close();
});

test('a purge that a store has not applied is done by the next one', async () => {
  const path = storeFolder();
  const memory = new DiskMemory(DiskMemory.allocate());
  const slow = heldStore(memory, { path });
  slow.served.put('k', 'body');
  slow.served.put('d', 'body', factsOf({ tags: [], url: '', route: 'd' }));
  const time = new ManualTime();
  const worker = workerOf({ memory, after: time.after });
  const link = slow.connect(worker.client);
  const purged = worker.store.purge({ by: 'tag', value: 't' }, false);
  const deleted = worker.store.delete('d');
  await until(() => slow.held.length === 2, 'the changes');
  link.close();
  assert.is(await purged, 0);
  await deleted;
  await slow.served.close();
  const next = serveStore({ path, memory });
  assert.is(next.get('k'), 'body');
  next.connect(worker.client);
  await until(() => memory.stats().deleted === 2, 'both');
  assert.is(next.get('k'), undefined);
  assert.is(next.get('d'), undefined);
  await next.close();
});

test('changes beyond the bound become one purge of everything', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const worker = workerOf({ memory, limits: { changes: 2 } });
  for (const key of ['1', '2', '3', '4']) await worker.store.delete(key);
  assert.is(memory.stats().collapsed, 1);
  const store = serveStore({ memory });
  store.put('k', 'body');
  store.connect(worker.client);
  await until(() => memory.stats().entries === 0, 'the purge');
  store.put('k', 'new');
  await until(async () => (await readFrom(worker.store, 'k')) === 'new', 'the content');
  await store.close();
});

test('a purge of everything in place of too many changes leaves what stays until it expires', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const worker = workerOf({ memory, limits: { changes: 4 } });
  const keeping = worker.tiered.store('kept', { maxEntry: MIB, disk: true, keeps: true });
  await keeping.delete('gone');
  for (const key of ['1', '2', '3', '4', '5']) await worker.store.delete(key);
  assert.is(memory.stats().collapsed, 1);
  const store = serveStore({ memory });
  store.put('gone', 'body', factsOf(), 'kept', true);
  for (let at = 0; at < 600; at++) store.put(`r${at}`, 'reply', factsOf(), 'kept', true);
  for (let at = 0; at < 600; at++) store.put(`c${at}`, 'cached');
  store.connect(worker.client);
  await until(() => memory.stats().deleted === 601, 'the deletes and the purge');
  assert.equal([store.get('c1'), store.get('gone', 'kept')], [undefined, undefined]);
  const late = freshWorker(store).tiered.store('kept', { maxEntry: MIB, disk: true, keeps: true });
  for (const key of ['r0', 'r599']) assert.is(await readFrom(late, key), 'reply');
  await store.close();
});

test('writes of a cache leave room for those of contents that stay until they expire', async () => {
  const memory = new DiskMemory(DiskMemory.allocate());
  const worker = workerOf({ memory, limits: { writes: 2, keptWrites: 1, writeBytes: 10, keptBytes: 10 } });
  const keeping = worker.tiered.store('kept', { maxEntry: MIB, disk: true, keeps: true });
  for (const key of ['1', '2', '3']) putInto(worker.store, key, 'cache');
  assert.is(memory.stats().skipped, 1);
  putInto(keeping, 'r', 'reply');
  putInto(keeping, 's', 'beyond');
  assert.is(memory.stats().skipped, 2);
  const store = serveStore({ memory });
  store.connect(worker.client);
  await written(memory, 3);
  assert.equal([store.get('r', 'kept'), store.get('s', 'kept')], ['reply', undefined]);
  await store.close();
});

test('a late answer is a miss, and after some of them nothing waits until the store answers again', async () => {
  const time = new ManualTime();
  const memory = new DiskMemory(DiskMemory.allocate());
  const slow = heldStore(memory);
  slow.served.put('k', 'body');
  const { client, store } = workerOf({ memory, after: time.after, limits: { late: 2, gets: 3 } });
  const link = slow.connect(client);
  for (let at = 0; at < 2; at++) {
    const got = readFrom(store, 'k');
    await time.pass(249);
    let ended = false;
    void got.then(() => {
      ended = true;
    });
    await turn();
    assert.is(ended, false);
    await time.pass(1);
    assert.is(await got, undefined);
  }
  assert.is(store.get('k'), undefined, 'at once');
  assert.is(store.answers?.(), false);
  await until(() => slow.held.length === 2, 'the questions');
  for (const call of slow.held) link.let(call);
  const { again } = await until(() => {
    const got = store.get('k');
    // Not awaited yet: its question is held.
    return got && { again: got };
  }, 'the store to answer');
  await until(() => slow.held.length === 3, 'the question');
  link.let(slow.held[2]!);
  assert.is((await again)?.length, 4);
  assert.is(store.answers?.(), true);
  assert.ok(memory.stats().late >= 3);
  link.close();
  await slow.served.close();
});

test('questions on their way are bounded', async () => {
  const time = new ManualTime();
  const memory = new DiskMemory(DiskMemory.allocate());
  const slow = heldStore(memory);
  const { client, store } = workerOf({ memory, after: time.after, limits: { gets: 2 } });
  const link = slow.connect(client);
  const all = [store.get('1'), store.get('2')];
  assert.is(store.get('3'), undefined);
  assert.is(store.answers?.(), false, 'what it does not find may be there');
  assert.is(memory.stats().skipped, 1);
  link.close();
  client.close();
  assert.equal(await Promise.all(all), [undefined, undefined]);
  await slow.served.close();
});

test('without a store, contents are missing at once; writes wait a while for one that starts', async () => {
  const time = new ManualTime();
  const memory = new DiskMemory(DiskMemory.allocate());
  const { client, store } = workerOf({ memory, after: time.after });
  assert.is(store.get('k'), undefined);
  putInto(store, 'k', 'body');
  assert.is(client.writing, 4);
  await time.pass(9999);
  assert.is(client.writing, 4);
  await time.pass(1);
  assert.is(client.writing, 0);
  putInto(store, 'l', 'body');
  assert.is(client.writing, 0);
  assert.is(memory.stats().skipped, 2);
  assert.is(await readFrom(store, 'k'), 'body', 'from memory');
  assert.is(await store.purge({ by: 'all' }, false), 2);
  const content = store.get('k');
  assert.is(content, undefined);
});

test('a full disk: the content that could not be written leaves no older one behind', async () => {
  const store = serveStore();
  store.put('k', 'old');
  store.put('other', 'kept');
  const { store: contents } = freshWorker(store);
  const { put } = store.database;
  store.database.put = () => {
    throw new Error('Input/output error');
  };
  putInto(contents, 'k', 'new');
  await until(() => store.get('k') === undefined, 'the removal');
  assert.ok(store.memory.stats().errors > 0);
  assert.equal([store.get('other'), await readFrom(contents, 'k')], ['kept', 'new']);
  assert.equal([...new Set(store.trouble.map(({ kind }) => kind))], ['lost']);
  store.database.put = put;
  await store.close();
});

test('an error of lmdb is a miss, and is counted', async () => {
  const path = storeFolder();
  const store = serveStore({ path });
  const { store: contents } = freshWorker(store);
  await store.database.close();
  assert.is(await readFrom(contents, 'k'), undefined);
  const undone = (count: number): Promise<unknown> =>
    until(() => store.trouble.filter(({ kind }) => kind === 'undone').length === count, `trouble ${count}`);
  putInto(contents, 'k', 'body');
  await until(() => store.memory.stats().errors >= 2, 'the errors');
  // An older content with the key could not be removed.
  await undone(1);
  void contents.delete('k');
  await undone(2);
  void contents.purge({ by: 'all' }, false);
  await undone(3);
  await store.server.close();
});

test.run();
