/** Contents in an lmdb file: what is stored, purged, evicted, and what a reopened store has. */
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checksum } from '../../../../src/state/content/disk/record.js';
import { FormatError } from '../../../../src/state/content/disk/tables.js';
import { seededBelow } from '../../../support/random.js';
import { FOREVER, factsOf, MIB, openDatabase, removeStoreFolders, storeFolder } from './kit.js';

const test = suite('database');
test.after(removeStoreFolders);

test('a content comes back with its facts, for its owner and key, and after a restart', async () => {
  const path = storeFolder();
  const { put, get, database } = openDatabase({ path });
  const large = 'x'.repeat(200_000);
  assert.is(put('k', 'body'), 'written');
  assert.is(put('large', large, factsOf({ expiresAt: FOREVER })), 'written');
  assert.is(put('empty', ''), 'written');
  assert.is(get('k'), 'body');
  assert.is(get('k', 'b'), undefined);
  assert.is(get('other'), undefined);
  assert.is(put('k', 'newer body'), 'written');
  await database.close();
  const again = openDatabase({ path });
  assert.is(again.get('k'), 'newer body');
  assert.is(again.get('large'), large);
  assert.is(again.get('empty'), '');
  const found = again.database.get({ owner: 'a', key: 'large' });
  assert.equal(found?.facts, factsOf({ expiresAt: FOREVER }));
  const { entries, forever } = again.memory.stats();
  assert.equal({ entries, forever }, { entries: 3, forever: 1 });
  await again.database.close();
});

test('names that are alike are kept apart', async () => {
  const { put, get, database } = openDatabase();
  put('bc', '1', factsOf(), 'a');
  put('c', '2', factsOf(), 'ab');
  assert.is(get('bc', 'a'), '1');
  assert.is(get('c', 'ab'), '2');
  await database.close();
});

test('a content whose time is over is missing, and removed', async () => {
  let now = 1_000_000;
  const { put, get, memory, database } = openDatabase({ now: () => now });
  put('k', 'body', factsOf({ expiresAt: 1_000_100 }));
  now += 99;
  assert.is(get('k'), 'body');
  now += 1;
  assert.is(get('k'), undefined);
  assert.is(memory.stats().expired, 1);
  assert.is(memory.stats().entries, 0);
  await database.close();
});

test('what is not what its checksum says is not written', async () => {
  const { database } = openDatabase();
  const body = Buffer.from('body');
  const of = { owner: 'a', key: 'k', facts: factsOf(), parts: [body] };
  database.batch(() => {
    assert.is(database.put({ ...of, length: 4, crc: checksum(body) + 1 }), 'damaged');
    assert.is(database.put({ ...of, length: 5, crc: checksum(body) }), 'damaged');
    assert.is(database.put({ ...of, length: 3, crc: checksum(body) }), 'damaged');
  });
  assert.is(database.get({ owner: 'a', key: 'k' }), undefined);
  await database.close();
});

test('a purge finds by URL, beginning of a URL, route, tag and owner', async () => {
  const { put, get, database } = openDatabase();
  const long = `https://a.example/${'y'.repeat(1500)}`;
  put('1', '1', factsOf({ url: 'https://a.example/x/1', route: 'one', tags: ['a', 'a', 'b'] }));
  put('2', '2', factsOf({ url: 'https://a.example/x/12', route: 'one', tags: ['b'] }));
  put('3', '3', factsOf({ url: `${long}3`, route: 'two', tags: [] }));
  put('4', '4', factsOf({ url: `${long}4`, route: 'two', tags: [] }));
  put('5', '5', factsOf({ url: '', route: '', tags: [] }));
  put('6', '6', factsOf({ url: 'https://a.example/x/1', route: 'one', tags: ['a'] }), 'b');
  const purge = (kind: 'o' | 'u' | 'r' | 't', text: string, whole = true): number =>
    database.purgeStep({ owner: 'a', kind, text, whole }, false).count;
  assert.is(purge('u', 'https://a.example/x/'), 0);
  assert.is(purge('u', `${long}3`), 1);
  assert.is(get('4'), '4');
  assert.is(purge('t', 'a'), 1);
  assert.is(purge('u', 'https://a.example/x/1', false), 1);
  assert.is(purge('r', 'two'), 1);
  assert.is(purge('o', ''), 1);
  assert.is(get('6', 'b'), '6');
  await database.close();
});

test('a soft purge marks, and new facts for the same body remove the mark', async () => {
  const { put, database } = openDatabase();
  put('k', 'body');
  const name = { owner: 'a', key: 'k' };
  assert.is(database.purgeStep({ owner: 'a', kind: 't', text: 't', whole: true }, true).count, 1);
  assert.is(database.get(name)?.soft, true);
  const same = { ...name, length: 4, crc: checksum(Buffer.from('body')) };
  database.batch(() => {
    assert.is(database.refresh({ ...same, crc: 1 }, factsOf()), false);
    assert.is(database.refresh(same, factsOf({ tags: ['new'], expiresAt: FOREVER })), true);
    assert.is(database.refresh({ ...same, key: 'other' }, factsOf()), false);
  });
  const found = database.get(name);
  assert.is(found?.soft, false);
  assert.equal(found?.facts.tags, ['new']);
  const purge = (text: string): number => database.purgeStep({ owner: 'a', kind: 't', text, whole: true }, false).count;
  assert.is(purge('t'), 0);
  assert.is(purge('new'), 1);
  await database.close();
});

test('the oldest are evicted first, those that were read later, and those kept forever never', async () => {
  const { put, get, memory, database } = openDatabase({ size: 4 * MIB });
  const body = (letter: string): string => letter.repeat(300_000);
  put('forever', body('f'), factsOf({ expiresAt: FOREVER }));
  put('read', body('r'));
  put('old', body('o'));
  for (let at = 0; at < 20; at++) {
    assert.is(put(`k${at}`, body('k')), 'written');
    assert.is(get('read'), body('r'), String(at));
  }
  assert.is(get('old'), undefined);
  assert.is(get('forever'), body('f'));
  assert.ok(memory.stats().evicted >= 12);
  await database.close();
});

test('when all room is taken by what is kept forever, more is refused, and nothing of it is lost', async () => {
  const { put, get, memory, database } = openDatabase({ size: 4 * MIB });
  const forever = factsOf({ expiresAt: FOREVER });
  put('evictable', 'x'.repeat(100_000));
  let stored = 0;
  while (put(`k${stored}`, 'y'.repeat(200_000), forever) === 'written') stored++;
  assert.ok(stored >= 10, String(stored));
  assert.is(put('more', 'y'.repeat(200_000), forever), 'full');
  for (let at = 0; at < stored; at++) assert.ok(get(`k${at}`) !== undefined);
  // A part of the room is for others.
  for (let at = 0; at < 5; at++) assert.is(put(`u${at}`, 'x'.repeat(200_000)), 'written');
  assert.is(get('evictable'), undefined);
  assert.is(memory.stats().forever, stored);
  await database.close();
});

test('what is kept until it expires is displaced by nothing, has a part of its own, and leaves the rest', async () => {
  let now = 1_000_000;
  const { put, get, memory, database } = openDatabase({ size: 16 * MIB, now: () => now });
  const body = 'b'.repeat(100_000);
  const keep = (key: string, expiresAt: number): string => put(key, body, factsOf({ expiresAt }), 'kept', true);
  assert.is(put('large', 'x'.repeat(1.6 * MIB), factsOf(), 'kept', true), 'tooLarge');
  // Before the first one is there, others have taken all of the room.
  for (let at = 0; at < 200; at++) put(`f${at}`, body, factsOf({ expiresAt: FOREVER }));
  for (let at = 0; at < 200; at++) put(`c${at}`, body);
  let kept = 0;
  while (keep(`k${kept}`, now + 1000 + kept) === 'written') kept++;
  assert.is(kept, 15);
  for (let at = 0; at < 200; at++) {
    put(`g${at}`, body, factsOf({ expiresAt: FOREVER }));
    put(`d${at}`, body);
  }
  for (let at = 0; at < kept; at++) assert.is(get(`k${at}`, 'kept'), body, String(at));
  const { keptBytes, bytes, forever } = memory.stats();
  assert.ok(keptBytes > 15 * 100_000 && keptBytes <= 1.5 * MIB, String(keptBytes));
  assert.ok(bytes <= 12 * MIB && forever > 100);
  // Those whose time is over make room, the first ones first.
  now += 1001;
  assert.equal(
    [keep('n1', now + 5000), keep('n2', now + 5000), keep('n3', now + 5000)],
    ['written', 'written', 'full'],
  );
  assert.equal([get('k1', 'kept'), get('k2', 'kept')], [undefined, body]);
  assert.is(memory.stats().expired, 2);
  await database.close();
});

test('contents that stay until they expire do so after a restart, also one after an end without close', async () => {
  const path = storeFolder();
  const first = openDatabase({ path });
  first.put('k', 'reply', factsOf(), 'kept', true);
  first.put('c', 'cached');
  const second = openDatabase({ path });
  const { entries, keptBytes } = second.memory.stats();
  assert.equal([entries, keptBytes], [2, first.memory.stats().keptBytes]);
  assert.is(second.database.clearStep().count, 1);
  assert.equal([second.get('k', 'kept'), second.get('c')], ['reply', undefined]);
  assert.is(
    second.database.refresh(
      { owner: 'kept', key: 'k', length: 5, crc: checksum(Buffer.from('reply')) },
      factsOf({ expiresAt: 3_000_000 }),
    ),
    true,
  );
  assert.is(second.memory.stats().keptBytes, keptBytes);
  second.database.setOwners(['a']);
  assert.is(second.database.delete({ owner: 'kept', key: 'k' }), true);
  second.put('c', 'cached');
  assert.is(second.memory.stats().keptBytes, 0);
  await second.database.close();
});

test('what an owner that is not in use any more has kept forever makes room when nothing else can', async () => {
  const { put, get, database } = openDatabase({ size: 4 * MIB });
  const forever = factsOf({ expiresAt: FOREVER });
  const body = 'y'.repeat(200_000);
  const fill = (owner: string): number => {
    let stored = 0;
    while (stored < 100 && put(`k${stored}`, body, forever, owner) === 'written') stored++;
    return stored;
  };
  put('first', body, forever, 'a');
  const old = fill('old');
  put('more', body, forever, 'a');
  assert.is(get('more'), undefined);
  database.setOwners(['a', 'b']);
  assert.is(fill('a'), old);
  assert.is(get('first'), body);
  assert.is(get('k0', 'old'), undefined);
  database.setOwners(['a', 'old', 'b']);
  assert.is(put('more', body, forever, 'b'), 'full');
  await database.close();
});

test('the number of contents is bounded, and so are one and its facts', async () => {
  const { put, get, memory, database } = openDatabase({ entries: 3, size: 4 * MIB });
  for (const key of ['1', '2', '3', '4']) put(key, key);
  assert.is(get('1'), undefined);
  assert.is(memory.stats().entries, 3);
  assert.is(put('large', 'x'.repeat(3 * MIB)), 'tooLarge');
  assert.is(put('facts', 'x', factsOf({ data: 'x'.repeat(300_000) })), 'tooLarge');
  await database.close();
});

test('the file stays near its size, whatever is written over and evicted', async () => {
  const size = 16 * MIB;
  const { memory, database } = openDatabase({ size });
  const below = seededBelow(7);
  const write = (at: number): void => {
    const body = Buffer.alloc(below(10) === 0 ? below(600_000) : below(30_000), at);
    const facts = factsOf({ url: `https://a.example/${at}`, tags: [`t${below(20)}`] });
    const crc = checksum(body);
    database.put({ owner: 'a', key: `k${below(800)}`, facts, parts: [body], length: body.length, crc });
  };
  for (let at = 0; at < 3000; at += 10) {
    database.batch(() => {
      for (let one = 0; one < 10; one++) write(at + one);
    });
  }
  const { bytes, fileBytes, evicted } = memory.stats();
  assert.ok(evicted > 50, String(evicted));
  assert.ok(bytes <= size * 0.75, `${bytes} bytes`);
  assert.ok(fileBytes <= size, `${fileBytes} bytes of file`);
  await database.close();
});

test('after an end without close the totals are counted anew', async () => {
  const path = storeFolder();
  const { put, memory } = openDatabase({ path });
  for (let at = 0; at < 20; at++) put(`k${at}`, 'x'.repeat(at * 1000), factsOf(at % 2 ? { expiresAt: FOREVER } : {}));
  const before = memory.stats();
  const again = openDatabase({ path });
  const after = again.memory.stats();
  assert.equal([after.entries, after.forever, after.bytes], [before.entries, before.forever, before.bytes]);
  await again.database.close();
});

test('random histories: what is counted as it happens is what a check counts, and bounds hold', async () => {
  for (const seed of [1, 2]) {
    const below = seededBelow(seed);
    const path = storeFolder();
    let now = 1_000_000;
    const first = openDatabase({ path, size: 4 * MIB, entries: 60, now: () => now });
    const owners = ['a', 'b', 'kept', 'other'];
    first.database.setOwners(['a', 'b', 'kept']);
    for (let step = 0; step < 400; step++) {
      const owner = owners[below(4)]!;
      const key = `k${below(30)}`;
      const body = 'x'.repeat(below(8) === 0 ? below(300_000) : below(9000));
      const expiresAt = owner === 'b' && below(2) === 0 ? FOREVER : now + below(2000);
      const facts = factsOf({ expiresAt, tags: [`t${below(3)}`], url: `u:${below(5)}` });
      const what = below(12);
      if (what < 7) first.put(key, body, facts, owner, owner === 'kept');
      else if (what === 7) first.database.batch(() => void first.database.delete({ owner, key }));
      else if (what === 8) {
        const found = first.database.get({ owner, key });
        if (found !== undefined)
          first.database.batch(() => void first.database.refresh({ owner, key, ...found }, facts));
      } else if (what === 9 && below(10) === 0) first.database.clearStep();
      else if (what === 10)
        first.database.purgeStep({ owner, kind: 't', text: `t${below(3)}`, whole: true }, below(2) === 0);
      else first.get(key, owner);
      now += below(50);
      const { bytes, keptBytes, entries } = first.memory.stats();
      assert.ok(bytes <= 3 * MIB && keptBytes <= (3 * MIB) / 8 && entries <= 60, `${seed}: ${bytes} ${keptBytes}`);
    }
    const second = openDatabase({ path, size: 4 * MIB, entries: 60, now: () => now });
    for (const name of ['bytes', 'entries', 'forever', 'keptBytes'] as const)
      assert.is(second.memory.stats()[name], first.memory.stats()[name], `${seed}: ${name}`);
    assert.is(second.memory.stats().damaged, 0);
    await second.database.close();
  }
});

test('a record that does not verify is a miss, and removed', async () => {
  const path = storeFolder();
  const { put, database } = openDatabase({ path });
  const mark = 'MARKED BODY'.repeat(300);
  put('k', mark);
  put('other', 'x'.repeat(5000));
  await database.close();
  overwrite(join(path, 'data.mdb'), 'MARKED BODY', 'mArked body');
  const again = openDatabase({ path });
  assert.is(again.get('k'), undefined);
  assert.is(again.memory.stats().damaged, 1);
  assert.is(again.memory.stats().entries, 1);
  assert.is(again.get('other'), 'x'.repeat(5000));
  await again.database.close();
});

test('a record whose facts do not verify is a miss, and the check removes it', async () => {
  const path = storeFolder();
  const { put } = openDatabase({ path });
  put('k', 'body', factsOf({ data: 'MARKED FACTS' }));
  put('other', 'body');
  overwrite(join(path, 'data.mdb'), 'MARKED FACTS', 'mArked facts');
  const again = openDatabase({ path });
  assert.is(again.memory.stats().damaged, 1);
  assert.is(again.memory.stats().entries, 1);
  assert.is(again.get('k'), undefined);
  await again.database.close();
});

test('a store of another format is not used', async () => {
  const path = storeFolder();
  const { put, database } = openDatabase({ path });
  put('k', 'body');
  await database.close();
  overwrite(join(path, 'data.mdb'), '"format":2', '"format":7');
  assert.throws(
    () => openDatabase({ path }),
    (error: unknown) => error instanceof FormatError,
  );
});

/** Replaces each occurrence in the file. */
function overwrite(file: string, from: string, to: string): void {
  const bytes = Buffer.alloc(statSync(file).size);
  const descriptor = openSync(file, 'r+');
  try {
    readAll(descriptor, bytes);
    let found = 0;
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) {
      writeSync(descriptor, to, at);
      found++;
    }
    assert.ok(found > 0);
  } finally {
    closeSync(descriptor);
  }
}

function readAll(descriptor: number, into: Buffer): void {
  let at = 0;
  while (at < into.length) at += readSync(descriptor, into, at, into.length - at, at);
}

test.run();
