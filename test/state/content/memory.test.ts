import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { ContentLayout, Entry, Header, WAYS } from '../../../src/state/content/memory/layout.js';
import { ContentTable } from '../../../src/state/content/memory/table.js';
import { TextHash } from '../../../src/state/hash.js';
import { bodyOf, bytesOf, facts, fill, MIB, open, put, read } from './support.js';

test('a content is there once it is whole, for its identity only, until it is deleted', () => {
  const { contents, store } = open();
  const body = bodyOf(1, 5000);
  const known = { url: 'http://shop.test/a', route: 'r', tags: ['x'], data: { status: 200 }, expiresAt: 50 };
  const writer = store.put('k', known, body.length)!;
  assert.ok(writer.write(body.subarray(0, 3000)));
  assert.is(store.get('k'), undefined, 'half-written');
  assert.ok(writer.write(body.subarray(3000)));
  assert.is(store.get('k'), undefined, 'not committed');
  writer.commit();
  const content = store.get('k')!;
  assert.equal([content.key, content.length, content.soft], ['k', 5000, false]);
  assert.equal(content.facts, known);
  assert.equal(bytesOf(content), body);
  assert.is(content.parts.length, 1);
  content.release();
  assert.is(contents.store('b', { maxEntry: 1e6, disk: false }).get('k'), undefined);
  assert.is(store.get('K'), undefined);
  store.delete('k');
  assert.is(store.get('k'), undefined);
});

test('keys of any text, and contents without a body', () => {
  const { store } = open();
  const keys = ['', 'GET\0http://shop.test/', 'é\xff', 'Ω 漢字 🙂', '\ud800', 'x'.repeat(4000)];
  for (const [at, key] of keys.entries()) assert.ok(put(store, key, bodyOf(at, at * 100)));
  for (const [at, key] of keys.entries()) assert.equal(read(store, key), bodyOf(at, at * 100));
  const empty = store.get('')!;
  assert.equal([empty.length, empty.parts], [0, []]);
});

test('a body that is given up, too long or too short is not stored', () => {
  const { contents, store } = open({ maxEntry: 1000 });
  assert.is(store.put('large', facts(), 1001), undefined);
  store.put('aborted', facts(), 10)!.abort();
  const short = store.put('short', facts(), 10)!;
  assert.ok(short.write(bodyOf(1, 9)));
  short.commit();
  const long = store.put('long', facts(), 10)!;
  assert.not.ok(long.write(bodyOf(1, 11)));
  assert.not.ok(long.write(bodyOf(1, 1)), 'it was given up');
  long.commit();
  const unknown = store.put('unknown', facts(), -1)!;
  assert.ok(unknown.write(bodyOf(1, 1000)));
  assert.not.ok(unknown.write(bodyOf(1, 1)));
  for (const key of ['large', 'aborted', 'short', 'long', 'unknown']) assert.is(store.get(key), undefined, key);
  const { bytes, freeBytes, identities } = contents.health();
  assert.is(freeBytes, bytes);
  assert.equal(identities[0]?.refused, { admission: 0, size: 3, room: 0 });
});

test('100 KiB and 1 MiB come in one piece, of known length or not; larger bodies in few', () => {
  for (const length of [100 * 1024, MIB, 9 * MIB + 5])
    for (const known of [true, false]) {
      const { store } = open({ bytes: 32 * MIB, maxEntry: 16 * MIB });
      const body = bodyOf(length, length);
      assert.ok(fill(store.put('k', facts(), known ? length : -1), body));
      const content = store.get('k')!;
      assert.equal(bytesOf(content), body);
      if (length <= MIB) assert.is(content.parts.length, 1);
      else assert.ok(content.parts.length <= 6, `${content.parts.length} parts`);
    }
});

test('also in memory that is full of small contents, which give way', () => {
  const { store } = open({ bytes: 16 * MIB });
  for (let at = 0; at < 12_000; at++) assert.ok(put(store, `small ${at}`, bodyOf(at, 100 + ((at * 37) % 4000))));
  for (const length of [100 * 1024, MIB])
    for (const known of [true, false]) {
      const body = bodyOf(length, length);
      assert.ok(fill(store.put(`large ${length}`, facts(), known ? length : -1), body));
      const content = store.get(`large ${length}`)!;
      assert.equal(bytesOf(content), body);
      assert.is(content.parts.length, 1);
      content.release();
    }
});

test('a view does not change while it is pinned, whatever happens to its content', () => {
  const { contents, store } = open({ bytes: 2 * MIB });
  const body = bodyOf(1, 100_000);
  for (const [at, end] of [
    () => void put(store, 'k', bodyOf(2, 100_000)),
    () => store.delete('k'),
    () => void store.purge({ by: 'all' }, false),
    () => {},
  ].entries()) {
    assert.ok(put(store, 'k', body));
    const content = store.get('k')!;
    end();
    for (let other = 0; other < 200; other++) assert.ok(put(store, `other ${other}`, bodyOf(other, 50_000)));
    assert.equal(bytesOf(content), body);
    assert.is(contents.health().identities[0]?.pinnedBytes !== 0, at < 3);
    content.release();
    content.release();
    assert.is(contents.health().identities[0]?.pinnedBytes, 0);
    store.purge({ by: 'all' }, false);
    assert.is(contents.health().freeBytes, contents.health().bytes);
  }
});

test('no room: pinned contents keep theirs, and put() refuses', () => {
  const { contents, store } = open({ bytes: 2 * MIB });
  const pinned = [];
  for (let at = 0; put(store, `k ${at}`, bodyOf(at, 100_000)); at++) pinned.push(store.get(`k ${at}`)!);
  assert.ok(pinned.length >= 18);
  assert.is(contents.health().identities[0]?.refused.room, 1);
  for (const [at, content] of pinned.entries()) assert.equal(bytesOf(content), bodyOf(at, 100_000));
  for (const content of pinned) content.release();
  assert.ok(put(store, 'again', bodyOf(0, 100_000)));
});

test('a content whose time is over is a miss, and its room is free', () => {
  let now = 1000;
  const { contents, store } = open({ now: () => now });
  put(store, 'k', bodyOf(1, 1000), { expiresAt: 2000 });
  now = 1999;
  assert.ok(read(store, 'k'));
  now = 2000;
  assert.is(read(store, 'k'), undefined);
  const { bytes, freeBytes, identities } = contents.health();
  assert.is(freeBytes, bytes);
  assert.equal([identities[0]?.expired, identities[0]?.hits, identities[0]?.misses], [1, 1, 1]);
});

test('refresh: new facts for the same body, unless the content has been replaced', () => {
  const { contents, store } = open();
  put(store, 'k', bodyOf(1, 3000), { data: 'one', url: 'http://shop.test/1' });
  store.purge({ by: 'all' }, true);
  const content = store.get('k')!;
  assert.ok(content.soft);
  store.refresh(content, facts({ data: 'x'.repeat(3000), url: 'http://shop.test/2' }), store.moment());
  assert.equal([content.facts.data, bytesOf(content)], ['one', bodyOf(1, 3000)], 'what a reader has stays');
  content.release();
  const fresh = store.get('k')!;
  assert.equal([fresh.facts.data, fresh.soft, bytesOf(fresh)], ['x'.repeat(3000), false, bodyOf(1, 3000)]);
  assert.is(store.purge({ by: 'url', value: 'http://shop.test/1' }, false), 0);
  put(store, 'k', bodyOf(2, 3000), { data: 'two' });
  store.refresh(fresh, facts({ data: 'late' }), store.moment());
  fresh.release();
  const now = store.get('k')!;
  assert.equal([now.facts.data, bytesOf(now)], ['two', bodyOf(2, 3000)]);
  now.release();
  store.delete('k');
  assert.is(contents.health().freeBytes, contents.health().bytes);
});

test('purge by URL, prefix, route, tag and all; contents of other identities stay', () => {
  const { contents, store } = open();
  const other = contents.store('b', { maxEntry: 1e6, disk: false });
  const fillAll = (): void => {
    put(store, 'a', bodyOf(1, 10), { url: 'http://shop.test/a', route: 'r1', tags: ['one', 'two'] });
    put(store, 'b', bodyOf(2, 10), { url: 'http://shop.test/a?x=1', route: 'r2', tags: ['"one"', 'tw'] });
    put(store, 'c', bodyOf(3, 10), { url: 'http://shop.test/c', route: 'r1', tags: [] });
    put(other, 'a', bodyOf(4, 10), { url: 'http://shop.test/a', route: 'r1', tags: ['one'] });
  };
  const cases = [
    [{ by: 'all' }, 'abc'],
    [{ by: 'url', value: 'http://shop.test/a' }, 'a'],
    [{ by: 'url', value: 'http://shop.test/a*' }, 'ab'],
    [{ by: 'url', value: 'http://shop.test*' }, 'abc'],
    [{ by: 'url', value: 'http://shop.test' }, ''],
    [{ by: 'route', value: 'r1' }, 'ac'],
    [{ by: 'tag', value: 'one' }, 'a'],
    [{ by: 'tag', value: '"one"' }, 'b'],
    [{ by: 'tag', value: 'tw' }, 'b'],
  ] as const;
  for (const [selector, keys] of cases) {
    fillAll();
    assert.is(store.purge(selector, true), keys.length);
    for (const key of 'abc') {
      const content = store.get(key)!;
      assert.is(content.soft, keys.includes(key), JSON.stringify([selector, key]));
      content.release();
    }
    assert.is(store.purge(selector, false), keys.length);
    for (const key of 'abc') assert.is(store.get(key) === undefined, keys.includes(key));
    assert.ok(read(other, 'a'));
    store.purge({ by: 'all' }, false);
  }
});

test('contents that are being written when a purge or a deletion comes are not stored', () => {
  const { contents, store } = open();
  const begin = (): ReturnType<typeof store.put> => store.put('k', facts({ tags: ['t'], route: 'r' }), 3);
  const [purged, kept, soft, deleted] = [begin()!, begin()!, begin()!, begin()!];
  for (const writer of [purged, kept, soft, deleted]) writer.write(Buffer.from('new'));
  kept.commit();
  assert.is(store.purge({ by: 'tag', value: 'other' }, false), 0);
  store.purge({ by: 'tag', value: 't' }, true);
  soft.commit();
  assert.ok(store.get('k')?.soft);
  store.purge({ by: 'tag', value: 't' }, false);
  purged.commit();
  assert.is(store.get('k'), undefined);
  const late = begin()!;
  store.delete('other');
  store.delete('k');
  late.write(Buffer.from('new'));
  late.commit();
  deleted.commit();
  assert.is(store.get('k'), undefined);
  assert.ok(fill(begin(), Buffer.from('new')));
  assert.equal(read(store, 'k'), Buffer.from('new'));
  assert.is(contents.health().identities[0]?.entries, 1);
});

test('what is kept until it expires: the oldest makes room once its time is over, wherever the last search ended', () => {
  let now = 0;
  const contents = new MemoryContents(MemoryContents.allocate({ bytes: 32 * MIB, workers: 1 }), () => now, 0, {
    keeps: true,
  });
  const store = contents.store('a', { maxEntry: MIB, disk: false });
  let kept = 0;
  // Now and then, contents are moved together, and one more fits.
  for (let refused = 0; refused < 10; )
    if (put(store, `k${kept}`, bodyOf(kept, 700), { expiresAt: 1000 + kept })) kept++;
    else refused++;
  assert.ok(kept > 16_384, 'more than some searches look at');
  for (let expired = 0; expired < 20; expired++) {
    now = 1000 + expired;
    assert.is(put(store, `n${expired}`, bodyOf(expired, 700), { expiresAt: 1_000_000 }), true, String(expired));
  }
  for (const at of [20, 21, kept - 1]) assert.equal(read(store, `k${at}`), bodyOf(at, 700));
  assert.is(contents.health().identities[0]?.evicted, 0);
});

test('a full memory of what is kept is not searched again at once', () => {
  let now = 0;
  const contents = new MemoryContents(MemoryContents.allocate({ bytes: 64 * 1024, workers: 1 }), () => now, 0, {
    keeps: true,
  });
  const store = contents.store('a', { maxEntry: MIB, disk: false });
  let kept = 0;
  // The second one ends before the oldest does.
  while (put(store, `k${kept}`, bodyOf(kept, 700), { expiresAt: kept === 1 ? 101 : 1000 })) kept++;
  assert.ok(kept > 10);
  now = 100;
  assert.not.ok(put(store, 'late', bodyOf(1, 700), { expiresAt: 1000 }));
  now = 104;
  assert.not.ok(put(store, 'late', bodyOf(1, 700), { expiresAt: 1000 }), 'no search');
  now = 105;
  assert.ok(put(store, 'late', bodyOf(1, 700), { expiresAt: 1000 }));
  now = 110;
  assert.not.ok(put(store, 'next', bodyOf(1, 700), { expiresAt: 1000 }));
  store.delete('k2');
  assert.ok(put(store, 'next', bodyOf(1, 700), { expiresAt: 1000 }), 'room that needs no search');
});

test('what is kept until it expires is not pushed out of a full group of the index', () => {
  const memory = MemoryContents.allocate({ bytes: 16 * MIB, workers: 1 });
  const contents = new MemoryContents(memory, () => 0, 0, { keeps: true });
  const store = contents.store('a', { maxEntry: MIB, disk: false });
  const layout = new ContentLayout(memory);
  const table = new ContentTable(layout, 0, () => {});
  const crowd: string[] = [];
  const seed = new TextHash().update(layout.words[Header.SeedLow]!, layout.words[Header.SeedHigh]!, 'a');
  const [low, high] = [seed.low, seed.high];
  for (let at = 0; crowd.length < WAYS + 1; at++) {
    const hash = new TextHash().update(low, high, `k${at}`);
    if ((hash.high & layout.groupMask) === 0) crowd.push(`k${at}`);
  }
  const last = crowd.pop()!;
  for (const key of crowd) assert.ok(put(store, key, bodyOf(1, 10)), key);
  assert.ok(table.isCrowded({ high: 0 }));
  assert.is(put(store, last, bodyOf(1, 10)), false);
  for (const key of crowd) assert.ok(read(store, key), key);
  assert.equal(contents.health().identities[0]?.refused, { admission: 0, size: 0, room: 1 });
});

test('facts that another thread has written over are a miss, and the content goes', () => {
  const { memory, contents, store } = open();
  put(store, 'k', bodyOf(1, 10), { data: { status: 200 } });
  const layout = new ContentLayout(memory);
  const facts = layout.byteAt(layout.words[layout.entryAt(0) + Entry.Facts]!);
  const at = layout.bytes.indexOf('{"status"', facts);
  layout.bytes.write('xx', at);
  assert.is(store.get('k'), undefined);
  const [{ entries, pinnedBytes } = { entries: -1, pinnedBytes: -1 }] = contents.health().identities;
  assert.equal([entries, pinnedBytes], [0, 0]);
  assert.ok(put(store, 'k', bodyOf(1, 10)));
  assert.ok(read(store, 'k'));
});

test('the order of contents survives the end of the count of births', () => {
  const { memory, store } = open();
  const layout = new ContentLayout(memory);
  layout.words[Header.Born] = 0x7fff_fffe;
  for (const key of ['first', 'second', 'third']) put(store, key, bodyOf(1, 10));
  const table = new ContentTable(layout, 0, () => {});
  assert.ok(layout.words[Header.Born]! < 0);
  assert.ok(table.age(0, 1) < 0 && table.age(1, 2) < 0 && table.age(2, 0) > 0);
});

test('admission: with full memory, only what was asked for twice, or is stored already, takes the place of others', () => {
  let now = 0;
  const { contents, store } = open({ bytes: MIB, admission: true, now: () => now });
  const ask = (key: string, extra = {}): boolean => {
    const content = store.get(key);
    content?.release();
    return content !== undefined || put(store, key, bodyOf(1, 5000), extra);
  };
  let filled = 0;
  while (put(store, `first ${filled}`, bodyOf(1, 5000))) filled++;
  assert.ok(filled > 150, 'what fits is stored without a question');
  for (let at = 0; at < 500; at++) assert.not.ok(ask(`flood ${at}`));
  assert.is(contents.health().identities[0]?.refused.admission, 501);
  assert.is(contents.health().identities[0]?.evicted, 0);
  assert.not.ok(ask('twice'));
  assert.ok(ask('twice', { expiresAt: 100 }));
  assert.ok(read(store, 'twice'));
  assert.ok(put(store, 'first 100', bodyOf(2, 5000)), 'a newer version');
  now = 100;
  for (let at = 0; at < 9; at++) put(store, `first ${filled - 1 - at}`, bodyOf(2, 9000));
  assert.ok(ask('twice'), 'its time is over, and it was stored');
  for (let at = 0; at < 2000; at++) ask(`other ${at}`);
  assert.not.ok(ask('flood 1'), 'long ago is forgotten');
});

test('more identities than places: one without contents gives its place away, and counts go on', () => {
  const { contents, store } = open();
  put(store, 'k', bodyOf(1, 10));
  for (let at = 0; at < 600; at++) contents.store(`other ${at}`, { maxEntry: 1000, disk: false });
  const late = contents.store('late', { maxEntry: 1000, disk: false });
  put(late, 'k', bodyOf(2, 10));
  assert.equal([read(store, 'k'), read(late, 'k')], [bodyOf(1, 10), bodyOf(2, 10)]);
  assert.is(contents.health().identities.find(({ identity }) => identity === 'late')?.hits, 1);
});

test.run();
