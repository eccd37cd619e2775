import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type DescriptorSource, Descriptors } from '../../../src/proxy/load/descriptors.js';

/** A system with so many descriptors, of which so many are taken by others. */
class Source implements DescriptorSource {
  counts = 0;
  fails = false;

  constructor(
    public total: number,
    public used: () => number,
  ) {}

  limit(): number {
    return this.total;
  }

  inUse(): number {
    this.counts++;
    if (this.fails) throw new Error('EMFILE');
    return this.used();
  }
}

interface Told {
  readonly level: string;
  readonly message: string;
}

/** Takes until it gets no more. */
function takeAll(take: () => boolean): number {
  let taken = 0;
  while (taken < 10_000 && take()) taken++;
  return taken;
}

test('clients leave a quarter to targets, and both leave some to the process', () => {
  let held = 0;
  const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
  const clients = takeAll(() => descriptors.takeClient() && ++held > 0);
  assert.is(clients, 60);
  const targets = takeAll(() => descriptors.takeTarget() && ++held > 0);
  assert.is(clients + targets, 80, '16 are left');
});

test('clients leave no more to targets than those may use, however many tunnels there are', () => {
  let held = 0;
  const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
  descriptors.forTargets = 5;
  for (let tunnel = 0; tunnel < 10; tunnel++) assert.ok(descriptors.takeTunnel() && ++held > 0);
  assert.is(
    takeAll(() => descriptors.takeClient() && ++held > 0),
    65,
  );
  assert.is(
    takeAll(() => descriptors.takeTarget() && ++held > 0),
    5,
  );
  assert.not.ok(descriptors.takeTunnel());
  descriptors.freeTunnel();
  assert.ok(descriptors.takeClient(), 'targets have all that they may');
});

test('clients get nothing of the reserve, also where targets have more than their share', () => {
  for (const targets of [10, 20, 21, 40, 79, 80]) {
    let held = 0;
    const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
    for (let target = 0; target < targets; target++) assert.ok(descriptors.takeTarget() && ++held > 0);
    takeAll(() => descriptors.takeClient() && ++held > 0);
    takeAll(() => descriptors.takeTarget() && ++held > 0);
    assert.is(held, 80, `${targets} connections to targets`);
  }
});

test('workers share what there is, in whatever order they use it', () => {
  for (const workers of [2, 3, 8]) {
    let held = 0;
    const source = new Source(116, () => 20 + held);
    const all = Array.from({ length: workers }, () => new Descriptors(workers, () => {}, source));
    // Each has counted before any other has used what it got.
    for (const one of all) assert.ok(one.takeTarget() && ++held > 0);
    for (const one of [...all, ...all]) {
      takeAll(() => one.takeClient() && ++held > 0);
      takeAll(() => one.takeTarget() && ++held > 0);
    }
    assert.ok(held > 40 && held <= 80, `${workers} workers: ${held}`);
  }
});

test('what is given back can be taken again without a count', () => {
  const source = new Source(36, () => 0);
  const descriptors = new Descriptors(1, () => {}, source);
  for (let turn = 0; turn < 1000; turn++) {
    assert.ok(descriptors.takeClient());
    descriptors.freeClient();
    assert.ok(descriptors.takeTarget());
    descriptors.freeTarget();
  }
  assert.is(source.counts, 1);
});

test('where the limit is not known nothing is counted', () => {
  const source = new Source(Number.POSITIVE_INFINITY, () => 0);
  const descriptors = new Descriptors(1, () => {}, source);
  assert.is(
    takeAll(() => descriptors.takeClient()),
    10_000,
  );
  assert.is(source.counts, 0);
});

test('a count that fails means that there are none; it is told once, and once that there are some again', () => {
  const told: Told[] = [];
  const source = new Source(100, () => 0);
  const descriptors = new Descriptors(1, (level, message) => told.push({ level, message }), source);
  assert.ok(descriptors.takeTarget());
  source.fails = true;
  const taken = takeAll(() => descriptors.takeTarget()) + 1;
  // It does not count again at once: some refusals pass in silence.
  for (let turn = 0; turn < 1_000_000 && told.length === 0; turn++) assert.not.ok(descriptors.takeTarget());
  for (let turn = 0; turn < 1000; turn++) assert.not.ok(descriptors.takeTarget());
  assert.equal(
    told.map(({ level }) => level),
    ['warn'],
  );
  for (let turn = 0; turn < taken; turn++) descriptors.freeTarget();
  assert.equal(
    told.map(({ level }) => level),
    ['warn', 'info'],
  );
});

test.run();
