import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GatewayConsumers } from '../../src/control/consumers.js';
import { ConsumerConflict } from '../../src/state/consumers/build.js';
import type { ConsumerMemory } from '../../src/state/consumers/layers.js';
import { LiveConsumers } from '../../src/state/consumers/live.js';
import { consumerWith, digestOfKey } from '../support/consumers.js';

/** A data plane that uses what it gets. */
function world() {
  const live = new LiveConsumers();
  const sent: number[] = [];
  const consumers = new GatewayConsumers(async (memory) => {
    sent.push(memory.version);
    live.use(memory);
  });
  const load = (...names: string[]) =>
    consumers.load(
      names.map((name) => consumerWith(name, [`key of ${name}`])),
      async (memory) => live.use(memory),
    );
  return { live, sent, consumers, load };
}

const owner = (live: LiveConsumers, name: string): string | undefined =>
  live.byKey(digestOfKey(`key of ${name}`))?.consumer.name;

async function conflict(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((reason: unknown) => reason);
  assert.instance(error, ConsumerConflict);
  return (error as ConsumerConflict).message;
}

test('stored consumers are part of the first load, and later changes go to the data plane at once', async () => {
  const { live, sent, consumers, load } = world();
  await consumers.change({ set: [consumerWith('stored', ['key of stored'])], removed: [] });
  assert.equal(sent, [], 'nothing serves yet');
  await load('a');
  assert.equal([owner(live, 'a'), owner(live, 'stored')], ['a', 'stored']);
  await consumers.change({ set: [consumerWith('late', ['key of late'])], removed: ['stored'] });
  assert.is(sent.length, 1);
  assert.equal([owner(live, 'late'), owner(live, 'stored')], ['late', undefined]);
  await load('b');
  assert.equal([owner(live, 'a'), owner(live, 'b'), owner(live, 'late')], [undefined, 'b', 'late']);
  assert.is(consumers.current.size, 2);
});

test('a name or a key that the spec has is refused, and nothing changes', async () => {
  const { live, consumers, load } = world();
  await load('a');
  const { version } = live;
  const change = (name: string, key: string) => consumers.change({ set: [consumerWith(name, [key])], removed: [] });
  assert.is(await conflict(change('a', 'another key')), 'The spec declares a consumer a too.');
  assert.is(await conflict(change('b', 'key of a')), 'Consumers a and b have the same API key.');
  await consumers.change({ set: [], removed: ['a'] });
  assert.is(owner(live, 'a'), 'a', 'a consumer of the spec is not removed');
  await change('c', 'key of c');
  assert.is(await conflict(load('c')), 'Two consumers have the name c.');
  assert.equal([owner(live, 'a'), owner(live, 'c')], ['a', 'c']);
  assert.ok(live.version > version);
});

test('a load that fails changes nothing, and a change that came meanwhile waits for it', async () => {
  const { live, consumers, load } = world();
  await load('a');
  const order: string[] = [];
  let refuse: () => void = () => {};
  const loading = consumers.load(
    [consumerWith('b', ['key of b'])],
    () =>
      new Promise<void>((_, reject) => {
        refuse = () => reject(new Error('a port is in use'));
      }),
  );
  const changing = consumers.change({ set: [consumerWith('c', ['key of c'])], removed: [] }).then(() => {
    order.push('changed');
  });
  await new Promise((resolve) => setImmediate(resolve));
  order.push('refused');
  refuse();
  await loading.catch(() => {});
  await changing;
  assert.equal(order, ['refused', 'changed']);
  assert.equal([owner(live, 'a'), owner(live, 'b'), owner(live, 'c')], ['a', undefined, 'c']);
});

test('a reload without a change of consumers keeps the memory', async () => {
  const { consumers } = world();
  const declared = [consumerWith('a', ['k'])];
  const seen: ConsumerMemory[] = [];
  for (let load = 0; load < 2; load++) await consumers.load([...declared], async (memory) => seen.push(memory));
  assert.is(seen[0], seen[1]);
  await consumers.load([consumerWith('a', ['k'])], async (memory) => seen.push(memory));
  assert.is(seen[0], seen[2], 'equal entries');
});

test.run();
