/** Who may use a folder of contents, and what is moved aside before lmdb sees it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { damageOf, StorePlace } from '../../../../src/state/content/disk/place.js';
import { checksum } from '../../../../src/state/content/disk/record.js';
import { OWNER_STALE_MS } from '../../../../src/state/folder-lock.js';
import { seededBelow } from '../../../support/random.js';
import { factsOf, MIB, openDatabase, removeStoreFolders, storeFolder } from './kit.js';

const test = suite('place');
test.after(removeStoreFolders);

const owner = (path: string): string => join(path, 'owner.json');

test('one gateway has a folder, also if its thread is replaced; another one gets it afterwards', () => {
  const path = join(storeFolder(), 'new');
  const [one, two] = [new StorePlace(path, 'one'), new StorePlace(path, 'two')];
  assert.is(one.claim(), undefined);
  assert.is(statSync(path).mode & 0o777, 0o700);
  assert.is(new StorePlace(path, 'one').claim(), undefined);
  assert.is(two.claim(), `process ${process.pid} on ${hostname()}`);
  assert.is(one.renew(), true);
  two.release();
  assert.is(existsSync(owner(path)), true);
  one.release();
  assert.is(one.renew(), false);
  assert.is(two.claim(), undefined);
  assert.is(one.renew(), false);
});

test('a folder of a process that has ended is free at once, one of another machine after a while', async () => {
  const path = storeFolder();
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  const write = (of: object): void =>
    writeFileSync(owner(path), JSON.stringify({ pid: child.pid, host: hostname(), started: '1', token: 't', ...of }));
  const place = new StorePlace(path, 'mine');
  write({});
  assert.is(place.claim(), undefined);
  // The number belongs to a later process.
  write({ pid: process.pid });
  if (existsSync('/proc/self/stat')) assert.is(place.claim(), undefined);
  write({ host: 'elsewhere' });
  assert.is(place.claim(), `process ${child.pid} on elsewhere`);
  const before = new Date(Date.now() - OWNER_STALE_MS);
  utimesSync(owner(path), before, before);
  assert.is(place.claim(), undefined);
  for (const text of ['', '{', '7', '{"pid":1}']) {
    writeFileSync(owner(path), text);
    assert.is(place.claim(), undefined, text);
  }
  assert.match(readFileSync(owner(path), 'utf8'), /"token":"mine"/);
});

test('a file that lmdb must not map is moved aside', async () => {
  const path = storeFolder();
  const file = join(path, 'data.mdb');
  const place = new StorePlace(path, 'one');
  assert.is(place.begin(), undefined);
  const { put, database } = openDatabase({ path });
  put('k', 'x'.repeat(100_000));
  await database.close();
  place.opened();
  assert.is(damageOf(file), undefined);
  const whole = readFileSync(file);
  for (const [at, byte, why] of [
    [24, 0, 'it does not begin like a store'],
    [50, 1, 'its page size is wrong'],
    [4096 + 24, 0, 'it does not begin like a store'],
  ] as const) {
    const bytes = Buffer.from(whole);
    bytes[at] = byte;
    writeFileSync(file, bytes);
    assert.is(damageOf(file), why);
  }
  const used = 4096 * (1 + Math.max(...[144, 4096 + 144].map((at) => Number(whole.readBigUInt64LE(at)))));
  for (const size of [used - 8192, used - 1, 5000, 100]) {
    writeFileSync(file, whole);
    truncateSync(file, size);
    assert.is(damageOf(file), 'it is cut');
  }
  assert.is(place.begin(), 'it is cut');
  assert.is(existsSync(file), false);
  assert.is(existsSync(`${file}.damaged`), true);
});

test('a store that is killed after any transaction is not taken for one that was cut', async () => {
  const path = storeFolder();
  const { database, memory } = openDatabase({ path, size: 32 * MIB });
  const file = join(path, 'data.mdb');
  const below = seededBelow(7);
  for (let round = 0; round < 60; round++) {
    database.batch(() => {
      // Pages of the tables are taken for some, and given back for others, which lmdb does not write.
      for (let count = below(60); count > 0; count--) {
        const name = { owner: 'a', key: `k${below(150)}` };
        const body = Buffer.alloc(below(20_000), 1);
        const facts = factsOf({ tags: [`t${below(7)}`] });
        if (below(5) === 0) database.delete(name);
        else database.put({ ...name, facts, parts: [body], length: body.length, crc: checksum(body) });
      }
    });
    if (below(6) === 0) database.purgeStep({ owner: 'a', kind: 't', text: `t${below(7)}`, whole: true }, false);
    assert.is(damageOf(file), undefined, `round ${round}`);
  }
  const { entries } = memory.stats();
  // As a kill would leave it.
  const copy = storeFolder();
  copyFileSync(file, join(copy, 'data.mdb'));
  await database.close();
  const again = openDatabase({ path: copy, size: 32 * MIB });
  assert.is(again.memory.stats().entries, entries);
  await again.database.close();
  assert.ok(statSync(file).size <= 32 * MIB);
});

test('a file that ended the process twice while it was opened is moved aside', () => {
  const path = storeFolder();
  const place = new StorePlace(path, 'one');
  writeFileSync(join(path, 'data.mdb'), '');
  assert.is(place.begin(), undefined);
  assert.is(place.begin(), undefined);
  assert.is(place.begin(), 'the last opens of it did not end');
  assert.is(existsSync(join(path, 'data.mdb')), false);
  place.opened();
  assert.is(place.begin(), undefined);
});

test.run();
