import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OutcomeDisk } from '../../../src/state/outcomes/disk.js';
import { OutcomeFile, openOutcomeFile } from '../../../src/state/outcomes/file.js';
import { GatewayOutcomes } from '../../../src/state/outcomes/gateway.js';
import { OutcomeTable } from '../../../src/state/outcomes/table.js';
import type { OutcomeAnswer, OutcomeClaim, OutcomeStore } from '../../../src/state/outcomes/types.js';
import { removeFolders, temporaryFolder } from '../../control/kit.js';
import { seededBelow } from '../../support/random.js';

test.after(removeFolders);

const SLOTS = 1024;
let wall = 1_700_000_000_000;
let ticks = 5000;
const clock = { now: () => wall, monotonic: () => ticks };
const pass = (ms: number): void => {
  wall += ms;
  ticks += ms;
};

/** A process with a table and its file. */
interface Life {
  readonly store: OutcomeStore;
  readonly file: OutcomeFile;
  readonly memory: SharedArrayBuffer;
}

function begin(path: string): Life {
  const memory = OutcomeTable.allocate({ slots: SLOTS });
  const stored = openOutcomeFile(path, SLOTS);
  OutcomeTable.restore(memory, stored, clock);
  stored.close();
  const table = new OutcomeTable(memory, 0, clock.monotonic);
  const file = new OutcomeFile(path);
  table.writeTo(file, clock);
  return { store: table.store('a'), file, memory };
}

/** The process ends, and another one begins; its monotonic clock starts anew. */
function restart(path: string, { file }: Life): Life {
  file.close();
  ticks = 100;
  return begin(path);
}

const fileIn = (): string => join(temporaryFolder(), 'outcomes');

const of = (key: string, extra: Partial<OutcomeClaim> = {}): OutcomeClaim => ({
  key,
  fingerprint: 'ab'.repeat(16),
  by: 'caller',
  ttlMs: 60_000,
  leaseMs: 1000,
  retries: false,
  ...extra,
});

async function mine(store: OutcomeStore, given: OutcomeClaim): Promise<number> {
  const answer = await store.claim(given);
  if (answer.state !== 'mine') throw new Error(`not mine but ${answer.state}`);
  return answer.claim;
}

test('records survive a restart: what was done, what is unknown, and what was running is unknown', async () => {
  const path = fileIn();
  let life = begin(path);
  const done = await mine(life.store, of('done'));
  life.store.settle(of('done'), done, { state: 'done', kept: true, status: 201 });
  life.store.settle(of('lost'), await mine(life.store, of('lost')), { state: 'unknown' });
  life.store.settle(of('free'), await mine(life.store, of('free')), { state: 'free' });
  await mine(life.store, of('running'));
  pass(400);
  life = restart(path, life);
  assert.equal(await life.store.claim(of('done')), { state: 'done', claim: done, kept: true, status: 201 });
  assert.equal(await life.store.claim(of('done', { fingerprint: 'cd'.repeat(16) })), { state: 'other' });
  assert.equal(await life.store.claim(of('lost')), { state: 'unknown', leftMs: 600 });
  assert.equal(await life.store.claim(of('running')), { state: 'unknown', leftMs: 1000 });
  assert.is((await life.store.claim(of('free'))).state, 'mine');
  pass(59_600);
  life = restart(path, life);
  assert.is((await life.store.claim(of('done'))).state, 'mine', 'its time is over');
  life.file.close();
});

test('random histories with restarts: nothing is done twice', async () => {
  const path = fileIn();
  const below = seededBelow(3);
  let life = begin(path);
  const state = new Map<string, string>();
  const claims = new Map<string, number>();
  for (let step = 0; step < 3000; step++) {
    const key = `k${below(60)}`;
    const known = state.get(key) ?? 'free';
    const what = below(10);
    if (what < 5) {
      const answer = (await life.store.claim(of(key, { ttlMs: 1e9 }))) as OutcomeAnswer;
      assert.is(answer.state, known === 'free' ? 'mine' : known, `step ${step}`);
      if (answer.state !== 'mine') continue;
      claims.set(key, answer.claim);
      state.set(key, 'running');
    } else if (what < 9 && known === 'running') {
      const outcome = (['done', 'unknown', 'free'] as const)[below(3)]!;
      const settled = outcome === 'done' ? { state: outcome, kept: false, status: 200 } : { state: outcome };
      life.store.settle(of(key, { ttlMs: 1e9 }), claims.get(key)!, settled);
      state.set(key, outcome);
    } else if (what === 9 && below(10) === 0) {
      life = restart(path, life);
      for (const [each, was] of state) if (was === 'running') state.set(each, 'unknown');
    }
  }
  life.file.close();
});

test('a clock that was set back between two lives brings no older record back', async () => {
  const path = fileIn();
  let life = begin(path);
  life.store.settle(of('k'), await mine(life.store, of('k')), { state: 'done', kept: false, status: 200 });
  for (let at = 0; at < 5; at++) await mine(life.store, of(`other ${at}`));
  pass(60_000);
  const again = await mine(life.store, of('k'));
  life.store.settle(of('k'), again, { state: 'done', kept: false, status: 409 });
  wall -= 50_000;
  life = restart(path, life);
  assert.equal(await life.store.claim(of('k')), { state: 'done', claim: again, kept: false, status: 409 });
  life.file.close();
});

test('work does not begin if its record cannot be written: the key stays as it was', async () => {
  const path = fileIn();
  const life = begin(path);
  const lost = await mine(life.store, of('lost'));
  life.store.settle(of('lost'), lost, { state: 'unknown' });
  pass(2000);
  life.file.close();
  for (const given of [of('new'), of('lost', { retries: true })]) {
    let failed: unknown;
    try {
      await life.store.claim(given);
    } catch (error) {
      failed = error;
    }
    assert.match(String(failed), /EBADF/);
  }
  const next = begin(path);
  assert.is((await next.store.claim(of('new'))).state, 'mine');
  assert.is((await next.store.claim(of('lost'))).state, 'unknown');
  next.file.close();
});

test('syncs at the same time are shared, and each caller waits for a sync that began after its write', async () => {
  const { file } = begin(fileIn());
  const calls = Array.from({ length: 50 }, () => file.sync());
  assert.ok(new Set(calls).size <= 2);
  await Promise.all(calls);
  await file.sync();
  file.close();
});

test('a file whose creation did not end is created anew; one that lost its header is refused', () => {
  const path = fileIn();
  writeFileSync(path, '');
  truncateSync(path, 4096 + SLOTS * 64);
  openOutcomeFile(path, SLOTS).close();
  const { identity, close } = openOutcomeFile(path, SLOTS);
  close();
  assert.ok(identity.some((byte) => byte !== 0));
  const bytes = Buffer.alloc(4096 + SLOTS * 64);
  bytes[4096 + 64 * 7 + 5] = 1;
  writeFileSync(path, bytes);
  assert.throws(() => openOutcomeFile(path, SLOTS), /does not hold outcomes/);
});

test('another file, and one of a table of another size, are refused', () => {
  const path = fileIn();
  writeFileSync(path, 'something else');
  assert.throws(() => openOutcomeFile(path, SLOTS), /does not hold outcomes/);
  rmSync(path);
  openOutcomeFile(path, SLOTS).close();
  assert.throws(() => openOutcomeFile(path, SLOTS * 2), /does not hold outcomes/);
});

test('a file that is cut is refused: work whose record is missing would be done again', () => {
  const path = fileIn();
  openOutcomeFile(path, SLOTS).close();
  for (const size of [4096 + SLOTS * 64 - 1, 8192, 4096]) {
    truncateSync(path, size);
    assert.throws(() => openOutcomeFile(path, SLOTS), /is cut/, String(size));
  }
});

test('while another gateway may use the folder, nothing is written over its records', async () => {
  const path = fileIn();
  const life = begin(path);
  const claim = await mine(life.store, of('k'));
  OutcomeTable.suspend(life.memory, true);
  const before = readFileSync(path);
  life.store.settle(of('k'), claim, { state: 'done', kept: true, status: 201 });
  assert.ok(readFileSync(path).equals(before));
  OutcomeTable.suspend(life.memory, false);
  // It is known here, and unknown to the next process.
  assert.equal(await life.store.claim(of('k')), { state: 'done', claim, kept: true, status: 201 });
});

test('a gateway: the folder is created; one that cannot be used is a fault, not an exception', async () => {
  const folder = join(temporaryFolder(), 'a', 'b');
  const disk = new OutcomeDisk(folder);
  assert.is(disk.outcomes.fault, undefined);
  assert.match(disk.for('other').fault ?? '', /needs a restart/);
  assert.is(disk.for(`${folder}/../b/`).fault, undefined, 'the same folder, written otherwise');
  assert.match(new OutcomeDisk(folder).outcomes.fault ?? '', /cannot be used: process \d+ on .+ uses it/);
  const open = (options = {}) => new GatewayOutcomes(OutcomeTable.allocate({ slots: SLOTS }), 0, clock, options);
  const used = open();
  assert.throws(() => used.diskStore('a'), /there is no folder/);
  used.use(undefined);
  used.use(disk.for(folder));
  used.use(disk.for(folder));
  assert.is((await used.diskStore('a').claim(of('k'))).state, 'mine');
  assert.is((await used.store('a').claim(of('k'))).state, 'mine', 'memory is another place');
  disk.forget(0);
  assert.is((await used.diskStore('a').claim(of('k'))).state, 'unknown');
  writeFileSync(join(folder, 'owner.json'), '{"another":"gateway"}');
  disk.renew();
  assert.throws(() => used.diskStore('a').claim(of('new')), /another gateway may use the folder/);
  assert.throws(() => open().use({ ...disk.outcomes, fault: 'broken' }), /broken/);
  assert.is((await open({ offline: true }).diskStore('a').claim(of('k'))).state, 'mine');
  used.close();
  disk.close();
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  assert.match(new OutcomeDisk(file).outcomes.fault ?? '', /cannot be used/);
});

test.run();
