/** Keys in files: created, rotated and revoked with an injected clock, by one writer at a time. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KeysError } from '../../../src/control/consumers/keys.js';
import { LockedError, withLock } from '../../../src/control/consumers/lock.js';
import { addKey, listed, removeKey, replaceKey } from '../../../src/control/consumers/service.js';
import { createKeysPlaces } from '../../../src/control/consumers/spec-places.js';
import { isKey, keyHash } from '../../../src/key-format.js';

const folders: string[] = [];
test.after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const DAY = 86_400_000;
const START = Date.parse('2026-11-29T12:00:00Z');
const HASH = (digit: string): string => `sha256:${digit.repeat(64)}`;

function place(spec: string, files: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'gw-keys-'));
  folders.push(folder);
  mkdirSync(join(folder, 'consumers'));
  writeFileSync(join(folder, 'gateway.toml'), `spec = 1\n${spec}`);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'consumers', name), text);
  let now = START;
  const places = () => {
    const found = createKeysPlaces(join(folder, 'gateway.toml'), []);
    if (typeof found === 'string') throw new Error(found);
    return found;
  };
  return {
    folder,
    places,
    tools: { now: () => now },
    wait: (ms: number) => {
      now += ms;
    },
    read: (name: string): string => readFileSync(join(folder, name), 'utf8'),
    keys: (consumer: string): readonly string[] =>
      listed(places().find(consumer)!.entry, now).credentials.map(({ name, state }) => `${name} ${state}`),
    ids: (consumer: string): readonly unknown[] =>
      places()
        .find(consumer)!
        .entry.credentials.map(({ id }) => id),
  };
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof KeysError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  return 'no refusal';
}

for (const [file, text] of [
  ['acme.toml', '[consumer.acme]\nplan = "pro"\n'],
  ['all.jsonl', '{"name":"acme","plan":"pro"}\n'],
] as const) {
  test(`a key is created, rotated and revoked in ${file}`, async () => {
    const { places, tools, keys, ids, wait, read } = place('consumers = "consumers/*"\n[plan.pro]\n', { [file]: text });
    const made = await addKey(places(), { consumer: 'acme', name: 'ci', expires: '90d' }, tools);
    assert.ok(isKey(made.key));
    assert.is(made.expires, START + 90 * DAY);
    assert.equal(ids('acme'), [keyHash(made.key)]);
    assert.not.match(read(`consumers/${file}`), made.key);
    wait(DAY);
    const rotated = await replaceKey(places(), { consumer: 'acme', name: 'ci', overlap: '24h', expires: '90d' }, tools);
    assert.equal(rotated.old, { name: 'ci-old', expires: START + 2 * DAY });
    assert.equal(keys('acme'), ['ci-old active', 'ci active']);
    assert.equal(ids('acme'), [keyHash(made.key), keyHash(rotated.key)]);
    wait(DAY + 1);
    assert.equal(keys('acme'), ['ci-old expired', 'ci active']);
    // The next rotation removes the expired one.
    await replaceKey(places(), { consumer: 'acme', name: 'ci', overlap: '1h', expires: 'never' }, tools);
    assert.equal(keys('acme'), ['ci-old active', 'ci active']);
    await replaceKey(places(), { consumer: 'acme', name: 'ci', overlap: '0' }, tools);
    assert.equal(keys('acme'), ['ci active']);
    await removeKey(places(), 'acme', 'ci', tools);
    assert.equal(keys('acme'), []);
    if (file === 'acme.toml') assert.is(read(`consumers/${file}`), text);
  });
}

test('keys without names keep the names that they are listed with', async () => {
  const spec = `[consumer.acme]\napi_keys = ["${HASH('a')}", "${HASH('b')}", "${HASH('c')}"]\n`;
  const { places, tools, keys, ids } = place(spec);
  await removeKey(places(), 'acme', 'key-1', tools);
  assert.equal(keys('acme'), ['key-2 active', 'key-3 active']);
  assert.equal(ids('acme'), [HASH('b'), HASH('c')]);
  await replaceKey(places(), { consumer: 'acme', name: 'key-2' }, tools);
  assert.equal(keys('acme'), ['key-2-old active', 'key-3 active', 'key-2 active']);
  const made = await addKey(places(), { consumer: 'acme' }, tools);
  assert.is(made.name, 'key-4');
});

test('a consumer is created where it belongs', async () => {
  const create = { consumer: 'bolt', name: 'ci', create: true, plan: 'pro', groups: ['partners'] };
  const own = place('consumers = "consumers/*.toml"\n[plan.pro]\n');
  await addKey(own.places(), create, own.tools);
  assert.match(own.read('consumers/bolt.toml'), /^\[consumer\.bolt\]\nplan = "pro"\ngroups = \["partners"\]\n\n\[\[/);
  const lines = place('consumers = "consumers/*"\n[plan.pro]\n', { 'a.jsonl': '', 'b.toml': '' });
  await addKey(lines.places(), create, lines.tools);
  assert.equal(lines.keys('bolt'), ['ci active']);
  assert.match(lines.read('consumers/a.jsonl'), '{"name":"bolt","plan":"pro","groups":["partners"],');
  const spec = place('[plan.pro]\n');
  await addKey(spec.places(), create, spec.tools);
  assert.match(spec.read('gateway.toml'), '[consumer.bolt]');
  const unclear = place('consumers = "consumers/**/*.toml"\n[plan.pro]\n');
  await addKey(unclear.places(), create, unclear.tools);
  assert.ok(existsSync(join(unclear.folder, 'consumers/bolt.toml')));
  const none = place('consumers = "consumers/a*b*.toml"\n[plan.pro]\n');
  assert.match(
    await refusal(addKey(none.places(), create, none.tools)),
    'elsewhere: There is no file for a new consumer',
  );
});

test('what is refused names its reason, and changes nothing', async () => {
  const spec = `[plan.pro]\n[consumer.acme]\n[[consumer.acme.credentials]]\nname = "ci"\nkey = "${HASH('a')}"\nexpires = 2027-01-31T00:00:00Z\n`;
  const { places, tools, read } = place(spec);
  const before = read('gateway.toml');
  const add = (input: object): Promise<string> => refusal(addKey(places(), { consumer: 'acme', ...input }, tools));
  assert.match(await add({ consumer: 'nobody' }), 'unknown-consumer: There is no consumer nobody.');
  assert.match(await add({ consumer: '../x', create: true }), 'invalid: `../x` is not the name of a consumer');
  assert.match(await add({ name: 'ci' }), 'exists: Consumer acme already has a credential ci.');
  assert.match(await add({ name: 'a b' }), 'invalid: `a b` is not the name of a credential');
  assert.match(await add({ expires: 'soon' }), 'invalid: `soon` is no time');
  assert.match(await add({ expires: '2020-01-01T00:00:00Z' }), 'is in the past');
  assert.match(await add({ addresses: ['10.0.0.0/99'] }), 'invalid: Expected an IP address');
  assert.match(await add({ plan: 'pro' }), 'invalid: Consumer acme exists');
  assert.match(await add({ consumer: 'bolt', create: true, plan: 'por' }), 'invalid: There is no plan por.');
  const rotate = (input: object): Promise<string> =>
    refusal(replaceKey(places(), { consumer: 'acme', name: 'ci', ...input }, tools));
  assert.match(await rotate({}), 'invalid: Key ci ends at 2027-01-31T00:00:00Z: say when the new one ends');
  assert.match(await rotate({ overlap: 'x', expires: 'never' }), 'invalid: `x` is no duration');
  assert.match(await rotate({ name: 'nobody' }), 'unknown-key: Consumer acme has no credential nobody. It has ci.');
  assert.match(await refusal(removeKey(places(), 'acme', 'x', tools)), 'unknown-key');
  assert.is(read('gateway.toml'), before);
});

test('a consumer of an included file is edited there', async () => {
  const { places, tools, keys, read, folder } = place('include = "more.toml"\n');
  writeFileSync(join(folder, 'more.toml'), '# partners\n[consumer.acme]\n');
  await addKey(places(), { consumer: 'acme', name: 'ci' }, tools);
  assert.equal(keys('acme'), ['ci active']);
  assert.match(
    read('more.toml'),
    '# partners\n[consumer.acme]\n\n[[consumer.acme.credentials]] # created 2026-11-29\n',
  );
  assert.is(read('gateway.toml'), 'spec = 1\ninclude = "more.toml"\n');
});

test('errors elsewhere in the spec do not keep a key from being revoked', async () => {
  const spec = `[consumer.acme]\napi_keys = ["${HASH('a')}"]\n[service.broken]\ntargets = 1\n`;
  const { places, tools, keys } = place(spec);
  await removeKey(places(), 'acme', 'key-1', tools);
  assert.equal(keys('acme'), []);
});

test('mode and links stay', async () => {
  const { places, tools, folder } = place('consumers = "consumers/*"\n', { 'acme.toml': '[consumer.acme]\n' });
  const real = join(folder, 'real.toml');
  writeFileSync(real, '[consumer.bolt]\n');
  symlinkSync(real, join(folder, 'consumers/bolt.toml'));
  chmodSync(join(folder, 'consumers/acme.toml'), 0o640);
  await addKey(places(), { consumer: 'acme' }, tools);
  await addKey(places(), { consumer: 'bolt' }, tools);
  assert.is(statSync(join(folder, 'consumers/acme.toml')).mode & 0o777, 0o640);
  assert.match(readFileSync(real, 'utf8'), '[[consumer.bolt.credentials]]');
});

test('two writers at once lose no change', async () => {
  const { places, tools, keys } = place('consumers = "consumers/*"\n', { 'all.jsonl': '{"name":"acme"}\n' });
  const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
  await Promise.all(names.map((name) => addKey(places(), { consumer: 'acme', name }, tools)));
  assert.equal([...keys('acme')].sort(), names.map((name) => `${name} active`).sort());
});

test('writers that come by links have the lock of the file', async () => {
  const { folder } = place('', { 'all.jsonl': '' });
  const [file, link] = [join(folder, 'consumers/all.jsonl'), join(folder, 'link.jsonl')];
  symlinkSync(file, link);
  let others: unknown;
  await withLock(file, async () => {
    others = await withLock(link, () => 'both', 50).catch((error: unknown) => error);
  });
  assert.instance(others, LockedError);
});

test('the end of a key is the one that the file says', async () => {
  const { places, tools, wait, read } = place('consumers = "consumers/*"\n', { 'all.jsonl': '{"name":"acme"}\n' });
  wait(826);
  const made = await addKey(places(), { consumer: 'acme', name: 'ci', expires: '1d' }, tools);
  assert.is(made.expires, START + DAY + 1000);
  assert.match(read('consumers/all.jsonl'), '"expires":"2026-11-30T12:00:01Z"');
  const { old } = await replaceKey(places(), { consumer: 'acme', name: 'ci', overlap: '1h', expires: 'never' }, tools);
  assert.is(old?.expires, START + 3_600_000 + 1000);
  const atOnce = await replaceKey(places(), { consumer: 'acme', name: 'ci', overlap: '0' }, tools);
  assert.is(atOnce.old, undefined);
});

test('a lock of a process that has ended is taken over; one of a running process is not', async () => {
  const { folder } = place('');
  const [path, lock] = [join(folder, 'x'), join(folder, '.x.lock')];
  writeFileSync(lock, `999999999 ${(await import('node:os')).hostname()}\n`);
  assert.is(await withLock(path, () => 'done'), 'done');
  assert.not.ok(existsSync(lock));
  writeFileSync(lock, `${process.pid} ${(await import('node:os')).hostname()}\n`);
  try {
    await withLock(path, () => 'done', 60);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, LockedError);
  }
});

for (const [file, pattern] of [
  ['acme.toml', 'consumers/*.toml'],
  ['all.jsonl', 'consumers/*.jsonl'],
] as const) {
  test(`a consumer that several writers create at once is declared once in ${file}`, async () => {
    const { places, tools, keys } = place(`consumers = "${pattern}"\n`, file === 'all.jsonl' ? { [file]: '' } : {});
    const before = places();
    const names = ['a', 'b', 'c', 'd'];
    const made = await Promise.all(
      names.map((name) => addKey(before, { consumer: 'acme', name, create: true }, tools)),
    );
    assert.is(made.filter(({ created }) => created).length, 1);
    assert.equal(
      [...keys('acme')].sort(),
      names.map((name) => `${name} active`),
    );
    const late = addKey(before, { consumer: 'acme', name: 'e', create: true, groups: ['x'] }, tools);
    assert.match(await refusal(late), /^exists: Consumer acme was created meanwhile/);
    assert.is(keys('acme').length, 4);
  });
}

test('writers that wait for the same lock of an ended process write one after the other', async () => {
  const { folder } = place('');
  const [path, lock] = [join(folder, 'x'), join(folder, '.x.lock')];
  writeFileSync(lock, `999999999 ${hostname()}\n`);
  let running = 0;
  const most: number[] = [];
  const work = async (): Promise<void> => {
    most.push(++running);
    await new Promise((done) => setTimeout(done, 5));
    running--;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(path, work)));
  assert.is(Math.max(...most), 1);
  assert.equal(
    readdirSync(folder).filter((name) => name.includes('.lock')),
    [],
  );
});

test('a lock is given up after a minute, although another process has the number of its process now', async () => {
  const { folder } = place('');
  const [path, lock] = [join(folder, 'x'), join(folder, '.x.lock')];
  writeFileSync(lock, `${process.pid} ${hostname()}\n`);
  const old = new Date(Date.now() - 61_000);
  utimesSync(lock, old, old);
  assert.is(await withLock(path, () => 'done', 200), 'done');
});

test.run();
