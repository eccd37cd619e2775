import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, CredentialEntry } from '../../../src/bundle/types.js';
import { buildTable, newSeed } from '../../../src/state/consumers/build.js';
import { LiveConsumers } from '../../../src/state/consumers/live.js';
import { ConsumerSet } from '../../../src/state/consumers/set.js';
import { ConsumerTable } from '../../../src/state/consumers/table.js';
import { consumerWith, digestOfKey as digest, keyCredential } from '../../support/consumers.js';
import { seededBelow } from '../../support/random.js';

const consumer = (name: string, ...keys: string[]): ConsumerEntry => consumerWith(name, keys);
const tableOf = (entries: readonly ConsumerEntry[]): ConsumerTable =>
  new ConsumerTable(buildTable({ entries }, newSeed()));

const keyed = (name: string, id: CredentialEntry['id']): ConsumerEntry => ({
  ...consumerWith(name, []),
  credentials: [{ kind: 'key', name: 'key-1', id }],
});

test('consumers are found by name and by each of their keys', () => {
  const acme: ConsumerEntry = { ...consumer('acme', 'one', 'two'), plan: 'gold', tags: { team: 'ä', 'a b': '漢' } };
  const entries = [acme, consumer('none'), consumer('__proto__', 'three')];
  const table = tableOf(entries);
  assert.is(table.size, 3);
  for (const entry of entries) assert.equal(table.byName(entry.name), entry);
  assert.equal(table.byDigest('key', digest('two')), { consumer: acme, credential: acme.credentials[1] });
  assert.is(table.byDigest('key', digest('two'))?.consumer, table.byName('acme'), 'one object for both ways');
  assert.is(table.byDigest('key', digest('three'))?.consumer.name, '__proto__');
  for (const unknown of ['', 'acm', 'acme ', 'constructor']) assert.is(table.byName(unknown), undefined);
  const one = digest('one');
  for (const unknown of [
    '',
    'x',
    one.slice(1),
    `${one}0`,
    `g${one.slice(1)}`,
    `${one.slice(0, 63)}${one.endsWith('0') ? 1 : 0}`,
  ])
    assert.is(table.byDigest('key', unknown), undefined, unknown);
});

test('credentials of every kind are found by kind and id, with all that the entry says', () => {
  const acme = consumerWith('acme', ['one'], {
    groups: ['partners', 'beta'],
    keepStreams: true,
    credentials: [
      keyCredential('one', 0, { name: 'ci', expires: 1_900_000_000_000, addresses: ['10.0.0.0/8'] }),
      keyCredential('two', 1, { disabled: true }),
      { kind: 'certificate', name: 'laptop', id: `sha256:${digest('certificate')}` },
      { kind: 'password', name: 'password-1', id: 'alice', data: '$2b$10$abc' },
      { kind: 'signature', name: 'signature-1', id: 'k1', data: { algorithm: 'ed25519', key: { kty: 'OKP' } } },
    ],
  });
  const globex = consumerWith('globex', [], { disabled: true, groups: ['partners'] });
  const table = tableOf([acme, globex]);
  assert.equal(table.byName('acme'), acme);
  assert.equal(table.byName('globex'), globex);
  for (const credential of acme.credentials)
    assert.equal(table.byCredential(credential.kind, String(credential.id)), { consumer: acme, credential });
  assert.is(table.byCredential('signature', 'alice'), undefined, 'the id of another kind');
  assert.is(table.byCredential('password', 'bob'), undefined);
  assert.is(table.byCredential('key', 'alice'), undefined, 'not the id of a key');
});

test('a key whose digest is that of another credential finds nothing', () => {
  const table = tableOf([consumerWith('acme', [], { credentials: [{ kind: 'password', name: 'p', id: 'alice' }] })]);
  assert.is(table.byDigest('key', digest('password\0alice')), undefined);
  assert.is(table.byCredential('key', `sha256:${digest('password\0alice')}`), undefined);
  assert.is(table.byCredential('password', 'alice')?.consumer.name, 'acme');
});

test('an empty table finds nothing', () => {
  const table = tableOf([]);
  assert.equal([table.size, table.byName('a'), table.byDigest('key', digest('a'))], [0, undefined, undefined]);
});

test('the table agrees with a Map, for any number of consumers, keys, plans and tags', () => {
  const below = seededBelow(11);
  for (const count of [1, 2, 3, 15, 16, 17, 1000, 9000]) {
    const entries: ConsumerEntry[] = [];
    for (let at = 0; at < count; at++) {
      const keys = Array.from({ length: below(4) }, (_, key) => `key ${count} ${at} ${key}`);
      const plan = below(2) === 0 ? {} : { plan: `plan ${below(5)}` };
      const tags = below(3) === 0 ? { tag: 'x'.repeat(below(40)) } : {};
      entries.push({ ...consumer(`${'n'.repeat(below(20))} ${at}`, ...keys), ...plan, tags });
    }
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    const byKey = new Map(
      entries.flatMap((entry) => entry.credentials.map(({ id }) => [String(id).slice(7), entry] as const)),
    );
    const table = tableOf(entries);
    for (const [name, entry] of byName) assert.equal(table.byName(name), entry);
    for (const [key, entry] of byKey) assert.equal(table.byDigest('key', key)?.consumer, entry);
    for (let at = 0; at < 200; at++) {
      assert.is(table.byName(`n ${below(1e6)}x`), undefined);
      assert.is(table.byDigest('key', digest(`unknown ${at}`)), undefined);
    }
  }
});

test('an invalid table is refused: a malformed hash, a key or a name of two consumers', () => {
  const bad =
    (...entries: ConsumerEntry[]) =>
    () =>
      tableOf(entries);
  assert.throws(bad(keyed('a', 'sha256:ABC')), /API key of consumer a is not/);
  assert.throws(bad(keyed('a', { $ref: '${env:X}' })), /API key of consumer a is not/);
  assert.throws(bad(consumer('a', 'k'), consumer('b', 'k')), /Consumers a and b have the same API key/);
  assert.throws(bad(consumer('a'), consumer('a')), /Two consumers have the name a/);
  assert.not.throws(bad(consumer('a', 'k', 'k')));
  assert.throws(() => new ConsumerTable(new SharedArrayBuffer(64)), /table of consumers/);
});

test('100,000 consumers need at most 300 bytes each, for all workers', () => {
  const entries = Array.from({ length: 100_000 }, (_, at) => ({
    ...keyed(`customer-${at}`, `sha256:${at.toString(16).padStart(64, '0')}`),
    plan: 'gold',
    tags: { team: `team-${at % 100}` },
  }));
  const memory = buildTable({ entries }, newSeed());
  assert.ok(memory.byteLength <= 100_000 * 300, `${memory.byteLength} bytes`);
  const table = new ConsumerTable(memory);
  for (let at = 0; at < 100_000; at += 997)
    assert.is(table.byDigest('key', at.toString(16).padStart(64, '0'))?.consumer.name, `customer-${at}`);
});

test('the same consumers give the same set, so the version stays', () => {
  const entries = [consumer('a', 'k'), consumer('b')];
  const first = ConsumerSet.of(entries);
  assert.is(ConsumerSet.of([...entries], first), first);
  const other = ConsumerSet.of([entries[0]!, { ...entries[1]!, plan: 'gold' }], first);
  assert.is.not(other, first);
  const live = new LiveConsumers();
  live.use(first.memory);
  const { version } = live;
  live.use(structuredClone(first.memory));
  assert.is(live.version, version, 'the clone that a worker gets is the same memory');
  live.use(other.memory);
  assert.is.not(live.version, version);
  assert.is(live.byName('b')?.plan, 'gold');
  live.use(first.memory);
  assert.is(live.byName('b')?.plan, 'gold', 'older memory is ignored');
});

test('threads: a reader sees one table at a time while others replace it', async () => {
  const setOf = (version: number, before?: ConsumerSet): ConsumerSet =>
    ConsumerSet.of(
      Array.from({ length: 50 }, (_, at) => ({ ...consumer(`c${at}`), plan: `p${version}`, tags: { n: String(at) } })),
      before,
    );
  let set = setOf(0);
  const thread = new Worker(new URL('./reader.js', import.meta.url), { workerData: set.memory });
  const answered = once(thread, 'message');
  for (let version = 1; version <= 100; version++) {
    set = setOf(version, set);
    thread.postMessage(set.memory);
    if (version % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  thread.postMessage('end');
  const [{ looks, strange, version }] = (await answered) as [{ looks: number; strange: unknown[]; version: number }];
  assert.equal(strange, []);
  assert.ok(looks > 0);
  assert.is(version, 101);
});

test.run();
