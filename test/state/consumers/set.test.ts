import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, CredentialEntry, CredentialKind } from '../../../src/bundle/types.js';
import { ConsumerConflict } from '../../../src/state/consumers/build.js';
import { LiveConsumers } from '../../../src/state/consumers/live.js';
import { ConsumerSet } from '../../../src/state/consumers/set.js';
import { consumerWith, digestOfKey, keyCredential } from '../../support/consumers.js';
import { seededBelow } from '../../support/random.js';

test('a change adds, replaces and removes consumers, and leaves the others', () => {
  const before = ConsumerSet.of([consumerWith('a', ['ka']), consumerWith('b', ['kb']), consumerWith('c', ['kc'])]);
  const after = before.with({
    set: [consumerWith('b', ['kb2'], { plan: 'gold' }), consumerWith('d', ['kd'])],
    removed: ['c', 'unknown'],
  });
  assert.equal([before.size, after.size], [3, 3]);
  assert.is(after.version, before.version + 1);
  assert.equal(
    ['ka', 'kb', 'kb2', 'kc', 'kd'].map((key) => after.byKey(digestOfKey(key))?.consumer.name),
    ['a', undefined, 'b', undefined, 'd'],
  );
  assert.is(after.byName('b')?.plan, 'gold');
  assert.is(after.byName('c'), undefined);
  assert.equal(
    [...after].map(({ name }) => name),
    ['a', 'b', 'd'],
  );
  assert.is(before.byKey(digestOfKey('kc'))?.consumer.name, 'c', 'the set before has not changed');
  const again = after.with({ set: [consumerWith('c', ['kc'])], removed: ['d'] });
  assert.is(again.byKey(digestOfKey('kc'))?.consumer.name, 'c');
  assert.is(again.byName('d'), undefined);
  assert.is(again.size, 3);
});

test('a credential of another consumer is refused, unless that one loses it in the same change', () => {
  const set = ConsumerSet.of([consumerWith('a', ['ka']), consumerWith('b', ['kb'])]);
  const taken = (work: () => ConsumerSet): unknown => {
    try {
      work();
      return 'accepted';
    } catch (error) {
      return error instanceof ConsumerConflict ? [error.consumer, error.other, error.message] : error;
    }
  };
  const message = 'Consumers a and c have the same API key.';
  assert.equal(
    taken(() => set.with({ set: [consumerWith('c', ['ka'])], removed: [] })),
    ['c', 'a', message],
  );
  const moved = set.with({ set: [consumerWith('c', ['ka'])], removed: ['a'] });
  assert.is(moved.byKey(digestOfKey('ka'))?.consumer.name, 'c');
  assert.equal(
    taken(() => moved.with({ set: [consumerWith('d', ['ka'])], removed: [] })),
    ['d', 'c', 'Consumers c and d have the same API key.'],
  );
  const swapped = set.with({ set: [consumerWith('a', ['kb']), consumerWith('b', ['ka'])], removed: [] });
  assert.is(swapped.byKey(digestOfKey('ka'))?.consumer.name, 'b');
  assert.equal(
    taken(() => set.with({ set: [consumerWith('c', []), consumerWith('c', [])], removed: [] })),
    ['c', 'c', 'Two consumers have the name c.'],
  );
  const malformed: CredentialEntry = { kind: 'key', name: 'k', id: 'hunter2' };
  assert.throws(() => set.with({ set: [consumerWith('c', [], { credentials: [malformed] })], removed: [] }), /API key/);
});

const KINDS: readonly CredentialKind[] = ['key', 'certificate', 'signature', 'password'];
const idOf = (kind: CredentialKind, number: number): string =>
  kind === 'key' || kind === 'certificate' ? `sha256:${digestOfKey(`${number}`)}` : `id ${number}`;

/** A consumer with credentials that no other has: number * 4 and the next three. */
function randomConsumer(name: string, number: number, below: (limit: number) => number): ConsumerEntry {
  const credentials = Array.from({ length: below(4) }, (_, at): CredentialEntry => {
    const kind = KINDS[below(4)]!;
    return {
      kind,
      name: `${kind}-${at}`,
      id: idOf(kind, number * 4 + at),
      ...(below(3) === 0 ? { expires: below(1e9) } : {}),
      ...(below(3) === 0 ? { disabled: true } : {}),
      ...(below(4) === 0 ? { addresses: ['10.0.0.0/8', '::1'] } : {}),
      ...(kind === 'password' ? { data: `hash ${number}` } : {}),
    };
  });
  return consumerWith(name, [], {
    credentials,
    groups: Array.from({ length: below(3) }, (_, at) => `group ${at}`),
    tags: below(2) === 0 ? {} : { tag: 'ä'.repeat(below(9)) },
    ...(below(2) === 0 ? { plan: `plan ${below(3)}` } : {}),
    ...(below(4) === 0 ? { disabled: true } : {}),
    ...(below(4) === 0 ? { keepStreams: true } : {}),
  });
}

/** Compares lookups with those of a Map. */
function agrees(
  set: ConsumerSet,
  live: LiveConsumers,
  model: ReadonlyMap<string, ConsumerEntry>,
  highest: number,
): void {
  assert.is(set.size, model.size);
  assert.is(live.size, model.size);
  assert.equal(new Map([...set].map((entry) => [entry.name, entry])), new Map(model));
  const owners = new Map<string, string>();
  for (const [name, entry] of model) {
    assert.equal(live.byName(name), entry);
    for (const { kind, id } of entry.credentials) owners.set(`${kind} ${id}`, name);
  }
  for (let number = 0; number < highest; number++)
    for (const kind of KINDS) {
      const id = idOf(kind, number);
      const found = live.byCredential(kind, id);
      assert.is(found?.consumer.name, owners.get(`${kind} ${id}`));
      assert.is(set.byCredential(kind, id)?.consumer.name, found?.consumer.name);
      if (found !== undefined) assert.is(found.credential.id, id);
    }
}

test('under random changes, a set and its copy in a worker agree with a Map', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const below = seededBelow(seed);
    let number = 0;
    const model = new Map<string, ConsumerEntry>();
    const add = (name: string): ConsumerEntry => randomConsumer(name, number++, below);
    for (let at = 0; at < below(40); at++) model.set(`c${at}`, add(`c${at}`));
    let set = ConsumerSet.of([...model.values()]);
    const live = new LiveConsumers();
    live.use(set.memory);
    for (let step = 0; step < 25; step++) {
      const changed = new Map<string, ConsumerEntry>();
      for (let at = below(4); at > 0; at--) {
        const name = `c${below(50)}`;
        changed.set(name, add(name));
      }
      const removed = Array.from({ length: below(3) }, () => `c${below(50)}`);
      set = below(10) === 0 ? ConsumerSet.of([...set], set) : set;
      set = set.with({ set: [...changed.values()], removed });
      for (const name of removed) model.delete(name);
      for (const [name, entry] of changed) model.set(name, entry);
      live.use(structuredClone(set.memory));
    }
    agrees(set, live, model, number * 4);
  }
});

test('many changes are merged into one table', () => {
  const model = new Map<string, ConsumerEntry>();
  for (let at = 0; at < 3000; at++)
    model.set(`c${at}`, consumerWith(`c${at}`, [`key ${at}`], { tags: { at: `${at}` } }));
  let set = ConsumerSet.of([...model.values()]);
  const live = new LiveConsumers();
  live.use(set.memory);
  let [merged, above] = [0, 0];
  for (let at = 0; at < 2500; at += 100) {
    const changed = Array.from({ length: 100 }, (_, offset) => {
      const name = `c${(at + offset) * 2}`;
      return consumerWith(name, [`new key of ${name}`]);
    });
    set = set.with({ set: changed, removed: [`c${at * 2 + 1}`] });
    for (const entry of changed) model.set(entry.name, entry);
    model.delete(`c${at * 2 + 1}`);
    if (set.memory.changes === undefined) merged++;
    else above++;
  }
  assert.ok(merged > 0 && above > 0, `${merged} ${above}`);
  live.use(set.memory);
  assert.is(live.size, model.size);
  for (const [name, entry] of model) {
    assert.equal(live.byName(name), entry);
    assert.is(live.byCredential('key', String(entry.credentials[0]!.id))?.consumer.name, name);
  }
  assert.is(live.byKey(digestOfKey('key 0')), undefined, 'the previous key of a changed consumer');
  assert.is(live.byName('c1'), undefined);
  assert.is(live.byKey(digestOfKey('key 1')), undefined);
});

test('the current entry of a consumer is known after changes', () => {
  let set = ConsumerSet.of([consumerWith('a', ['ka']), consumerWith('b', ['kb'])]);
  const live = new LiveConsumers();
  live.use(set.memory);
  const [a, b] = [live.byName('a')!, live.byName('b')!];
  assert.is(live.current(a), a);
  assert.is(live.current(a), a);
  set = set.with({ set: [consumerWith('a', ['ka'], { plan: 'gold' })], removed: [] });
  live.use(set.memory);
  assert.is(live.current(b), b, 'another consumer has changed');
  assert.is(live.current(a)?.plan, 'gold');
  assert.is(live.current(a), live.byName('a'));
  set = set.with({ set: [], removed: ['a', 'b'] });
  live.use(set.memory);
  assert.equal([live.current(a), live.current(b)], [undefined, undefined]);
  assert.is(live.current(consumerWith('other', [])), undefined, 'an entry that comes from elsewhere');
  set = set.with({ set: [consumerWith('b', [], { credentials: [keyCredential('kb')] })], removed: [] });
  live.use(set.memory);
  assert.is(live.current(b)?.name, 'b');
  assert.is(live.current(consumerWith('b', []))?.credentials.length, 1);
});

test.run();
