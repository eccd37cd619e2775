import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MemoryContent } from '../../../src/state/content/memory/content.js';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { ContentLayout, Header } from '../../../src/state/content/memory/layout.js';
import { repair } from '../../../src/state/content/memory/repair.js';
import type { MemoryStore } from '../../../src/state/content/memory/store.js';
import { ContentTable } from '../../../src/state/content/memory/table.js';
import type { ContentWriter } from '../../../src/state/content/types.js';
import { seededBelow } from '../../support/random.js';
import { bodyOf, bytesOf, facts, MIB, open, put, read } from './support.js';

/** What a key must have, if it is still stored. */
interface Expected {
  readonly seed: number;
  readonly length: number;
  readonly tag: string;
  data: number;
  soft: boolean;
  readonly expiresAt: number;
}

interface Writing {
  readonly writer: ContentWriter;
  readonly key: string;
  readonly expected: Expected;
  readonly body: Buffer;
  written: number;
  spoilt: boolean;
}

/** Random operations of two workers on one table, compared with a Map. */
class Model {
  now = 1000;
  readonly below: (below: number) => number;
  readonly stored = new Map<string, Expected>();
  readonly writing: Writing[] = [];
  readonly pinned: { readonly content: MemoryContent; readonly body: Buffer }[] = [];
  readonly memory: SharedArrayBuffer;
  readonly workers: readonly MemoryContents[];
  readonly stores: readonly MemoryStore[];
  hits = 0;

  constructor(seed: number, bytes: number) {
    this.below = seededBelow(seed);
    this.memory = MemoryContents.allocate({ bytes, workers: 2 });
    this.workers = [0, 1].map((worker) => new MemoryContents(this.memory, () => this.now, worker));
    this.stores = this.workers.map((worker) => worker.store('a', { maxEntry: bytes, disk: false }));
  }

  step(): void {
    const store = this.stores[this.below(2)]!;
    const key = `key ${this.below(120)}`;
    const choice = this.below(100);
    if (choice < 30) this.#get(store, key);
    else if (choice < 55 && this.writing.length < 5) this.#begin(store, key);
    else if (choice < 80) this.#write();
    else if (choice < 85) this.#refresh(store, key);
    else if (choice < 90) this.#delete(store, key);
    else if (choice < 92) this.#purge(store);
    else if (choice < 98) this.unpin();
    else this.now += this.below(50);
    if (this.pinned.length > 12) this.unpin();
  }

  #begin(store: MemoryStore, key: string): void {
    const seed = this.below(1e6);
    const size = [1, 300, 300, 3000, 3000, 3000, 20_000, 20_000, 80_000, 400_000][this.below(10)]!;
    const length = this.below(size);
    const expiresAt = this.below(4) === 0 ? this.now + this.below(200) : Number.POSITIVE_INFINITY;
    const expected = { seed, length, tag: `t${this.below(5)}`, data: this.below(1000), soft: false, expiresAt };
    const data = 'x'.repeat(this.below(800)) + String(expected.data);
    const made = facts({ data, tags: [expected.tag], expiresAt });
    const writer = store.put(key, made, this.below(2) ? length : -1);
    if (writer === undefined) return;
    this.writing.push({ writer, key, expected, body: bodyOf(seed, length), written: 0, spoilt: false });
  }

  #write(): void {
    if (this.writing.length === 0) return;
    const at = this.below(this.writing.length);
    const one = this.writing[at]!;
    const part = one.body.subarray(one.written, one.written + 1 + this.below(100_000));
    one.written += part.length;
    const ok = one.writer.write(part);
    if (ok && one.written < one.body.length) return;
    this.writing.splice(at, 1);
    if (!ok) return;
    const whole = this.below(10) > 0;
    if (whole) one.writer.commit();
    else one.writer.abort();
    if (whole && !one.spoilt) this.stored.set(one.key, one.expected);
  }

  #get(store: MemoryStore, key: string): void {
    const content = store.get(key);
    if (content === undefined) return;
    const expected = this.stored.get(key)!;
    this.hits++;
    const body = bodyOf(expected.seed, expected.length);
    assert.ok(bytesOf(content).equals(body), `wrong bytes for ${key}`);
    assert.is(content.length, expected.length);
    assert.ok(String(content.facts.data).replaceAll('x', '') === String(expected.data));
    assert.is(content.soft, expected.soft);
    assert.ok(expected.expiresAt > this.now, 'its time is over');
    this.pinned.push({ content, body });
  }

  unpin(): void {
    const [one] = this.pinned.splice(this.below(this.pinned.length), 1);
    if (one === undefined) return;
    assert.ok(bytesOf(one.content).equals(one.body), 'a pinned view has changed');
    one.content.release();
  }

  #refresh(store: MemoryStore, key: string): void {
    const content = store.get(key);
    if (content === undefined) return;
    const expected = this.stored.get(key)!;
    if (this.below(2)) content.release();
    const data = this.below(1000);
    const more = 'x'.repeat(this.below(2000));
    const made = facts({ data: more + String(data), tags: [expected.tag], expiresAt: expected.expiresAt });
    store.refresh(content, made, store.moment());
    content.release();
    // There may have been no room; what a reader gets is one of the two.
    const now = store.get(key);
    if (now !== undefined && String(now.facts.data).replaceAll('x', '') === String(data)) {
      expected.data = data;
      expected.soft = false;
    }
    now?.release();
  }

  #delete(store: MemoryStore, key: string): void {
    store.delete(key);
    this.stored.delete(key);
    for (const one of this.writing) if (one.key === key) one.spoilt = true;
    assert.is(store.get(key), undefined);
  }

  #purge(store: MemoryStore): void {
    const tag = `t${this.below(5)}`;
    const soft = this.below(2) === 0;
    store.purge({ by: 'tag', value: tag }, soft);
    for (const [key, expected] of this.stored) {
      if (expected.tag !== tag) continue;
      if (soft) expected.soft = true;
      else this.stored.delete(key);
    }
    for (const one of this.writing) {
      if (one.expected.tag !== tag) continue;
      if (soft) one.expected.soft = true;
      else one.spoilt = true;
    }
  }

  /** Ends everything: then all memory must be free. */
  end(): void {
    while (this.pinned.length > 0) this.unpin();
    for (const { writer } of this.writing) writer.abort();
    this.stores[0]!.purge({ by: 'all' }, false);
    const { bytes, freeBytes, identities } = this.workers[1]!.health();
    assert.is(freeBytes, bytes);
    assert.equal([identities[0]?.entries, identities[0]?.bytes, identities[0]?.pinnedBytes], [0, 0, 0]);
  }
}

for (const [seed, bytes] of [
  [1, MIB],
  [2, 4 * MIB],
  [3, 200 * 1024],
] as const)
  test(`never other bytes than those that were put, and no byte lost (seed ${seed}, ${bytes} bytes)`, () => {
    const model = new Model(seed, bytes);
    for (let step = 0; step < 8000; step++) model.step();
    assert.ok(model.hits > 100, `${model.hits} hits`);
    model.end();
  });

/** The lock as a thread leaves it that ends inside of a section. */
const leaveLocked = (memory: SharedArrayBuffer): void => {
  new Int32Array(memory)[Header.Lock] = 1;
};

test('a lock that is taken over: index, order and map of units are built anew, and nothing is lost', () => {
  for (const seed of [4, 5]) {
    const model = new Model(seed, 2 * MIB);
    for (let step = 0; step < 2000; step++) model.step();
    const before = [...model.stored].filter(([key]) => {
      const content = model.stores[0]!.get(key);
      content?.release();
      return content !== undefined;
    });
    // What follows from the entries can be in any state.
    const layout = new ContentLayout(model.memory);
    for (let unit = 0; unit < layout.units; unit += 3) layout.words[layout.unitAt(unit)] = model.below(99) - 50;
    for (let group = 0; group <= layout.groupMask; group++) layout.words[layout.groupAt(group)] = model.below(1 << 30);
    for (let list = Header.FreeRuns; list < Header.FreeRuns + 100; list++) layout.words[list] = model.below(1000);
    layout.words[Header.Hand] = 1;
    layout.words[Header.FreeUnits] = 12_345;
    leaveLocked(model.memory);
    assert.ok(before.length > 10);
    model.stores[0]!.delete('takes the lock');
    assert.is(model.workers[0]!.health().takeOvers, 1);
    for (const [key] of before) {
      const content = model.stores[1]!.get(key);
      assert.ok(content, `${key} is gone`);
      content.release();
    }
    for (let step = 0; step < 3000; step++) model.step();
    model.end();
  }
});

test('a lock that was left anywhere in a change: the content is there as it was, or not at all', () => {
  const { memory, store, contents } = open({ bytes: MIB });
  const body = bodyOf(1, 10_000);
  for (const entry of [0, 1, 2]) {
    const writer = store.put(`k ${entry}`, facts(), body.length)!;
    writer.write(body);
    writer.commit();
  }
  const layout = new ContentLayout(memory);
  const pinned = store.get('k 1')!;
  // Removed, and nothing else done yet: as in remove() and refresh().
  for (const entry of [0, 1]) layout.words[layout.entryAt(entry)]! |= 3;
  leaveLocked(memory);
  store.delete('takes the lock');
  assert.equal(
    ['k 0', 'k 1'].map((key) => store.get(key)),
    [undefined, undefined],
  );
  assert.ok(bytesOf(pinned).equals(body));
  pinned.release();
  assert.is(contents.health().identities[0]?.pinnedBytes, 0);
  assert.is(contents.health().identities[0]?.entries, 1);
  store.purge({ by: 'all' }, false);
  assert.is(contents.health().freeBytes, contents.health().bytes);
});

test('a thread that had the lock taken from it builds all anew before it goes on', () => {
  const { memory, store, contents } = open({ bytes: MIB });
  assert.ok(put(store, 'k', bodyOf(1, 5000)));
  const layout = new ContentLayout(memory);
  const table = new ContentTable(layout, 1, repair);
  table.locked(() => {
    // Another one has the lock now, and changes what follows from the entries.
    leaveLocked(memory);
    layout.words[Header.FreeUnits] = 1;
    layout.words.fill(0, layout.groupAt(0), layout.groupAt(0) + 99);
  });
  assert.is(contents.health().takeOvers, 1);
  assert.equal(read(store, 'k'), bodyOf(1, 5000));
  store.delete('k');
  assert.is(contents.health().freeBytes, contents.health().bytes);
});

test('two entries with the same units, after two threads had the lock: neither is served', () => {
  const { memory, store } = open({ bytes: MIB });
  const layout = new ContentLayout(memory);
  for (const entry of [0, 1, 2]) {
    const writer = store.put(`k ${entry}`, facts(), 1000)!;
    writer.write(bodyOf(entry, 1000));
    writer.commit();
  }
  const extent = (entry: number): number => layout.entryAt(entry) + 24;
  layout.words[extent(1)] = layout.words[extent(0)]! + 1;
  leaveLocked(memory);
  store.delete('takes the lock');
  assert.equal(
    [0, 1, 2].map((entry) => store.get(`k ${entry}`) !== undefined),
    [false, false, true],
  );
});

test.run();
