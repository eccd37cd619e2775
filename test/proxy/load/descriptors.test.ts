import { EventEmitter } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type DescriptorSource, Descriptors } from '../../../src/proxy/load/descriptors.js';

/** A system with a limit of descriptors and a number in use by others. */
class Source implements DescriptorSource {
  counts = 0;
  fails = false;
  /** Milliseconds. */
  time = 0;
  /** Milliseconds that a count takes. */
  countTakes = 0;

  constructor(
    public total: number,
    public used: () => number,
  ) {}

  limit(): number {
    return this.total;
  }

  inUse(): number {
    this.counts++;
    this.time += this.countTakes;
    if (this.fails) throw new Error('EMFILE');
    return this.used();
  }

  now(): number {
    return this.time;
  }
}

interface LogLine {
  readonly level: string;
  readonly message: string;
}

/** Takes descriptors until none is left. */
function takeAll(take: () => boolean): number {
  let taken = 0;
  while (taken < 10_000 && take()) taken++;
  return taken;
}

test('a quarter is reserved for targets, and a part for the process', () => {
  let held = 0;
  const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
  const clients = takeAll(() => descriptors.takeClient() && ++held > 0);
  assert.is(clients, 60);
  const targets = takeAll(() => descriptors.takeTarget() && ++held > 0);
  assert.is(clients + targets, 80, '16 are left');
});

test('connections that have no descriptor yet make no room for others', () => {
  let held = 0;
  const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
  const open = (): EventEmitter | undefined => {
    if (!descriptors.takeTarget()) return undefined;
    const socket = new EventEmitter();
    descriptors.opening(socket);
    return socket;
  };
  const sockets: EventEmitter[] = [];
  for (let round = 0; round < 2; round++) {
    for (let socket = open(); socket !== undefined && sockets.length < 1000; socket = open()) sockets.push(socket);
    assert.is(sockets.length, 80);
    // Half of the names have no address: these sockets never get a descriptor.
    for (const socket of sockets.slice(40)) if (socket.emit('connectionAttempt')) held++;
    assert.is(open(), undefined);
    for (const socket of sockets.splice(0)) {
      socket.emit('close');
      descriptors.freeTarget();
    }
    held = 0;
  }
});

test('tunnels that are not connected yet make no room for others', () => {
  let held = 0;
  const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
  for (let round = 0; round < 2; round++) {
    const taken = takeAll(() => descriptors.takeTunnel());
    assert.is(taken, 80);
    for (let tunnel = 0; tunnel < 40; tunnel++) {
      descriptors.tunnelOpened();
      held++;
    }
    assert.not.ok(descriptors.takeTunnel());
    for (let tunnel = 0; tunnel < taken; tunnel++) descriptors.freeTunnel(tunnel < 40);
    held = 0;
  }
});

test('the share of targets is at most what they can use, regardless of tunnels', () => {
  let held = 0;
  const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
  descriptors.forTargets = 5;
  for (let tunnel = 0; tunnel < 10; tunnel++) {
    assert.ok(descriptors.takeTunnel());
    descriptors.tunnelOpened();
    held++;
  }
  assert.is(
    takeAll(() => descriptors.takeClient() && ++held > 0),
    65,
  );
  assert.is(
    takeAll(() => descriptors.takeTarget() && ++held > 0),
    5,
  );
  assert.not.ok(descriptors.takeTunnel());
  descriptors.freeTunnel(true);
  held--;
  assert.ok(descriptors.takeClient(), 'targets have all that they may');
});

test('clients cannot use the reserve, even if targets exceed their share', () => {
  for (const targets of [10, 20, 21, 40, 79, 80]) {
    let held = 0;
    const descriptors = new Descriptors(1, () => {}, new Source(116, () => 20 + held));
    for (let target = 0; target < targets; target++) assert.ok(descriptors.takeTarget() && ++held > 0);
    takeAll(() => descriptors.takeClient() && ++held > 0);
    takeAll(() => descriptors.takeTarget() && ++held > 0);
    assert.is(held, 80, `${targets} connections to targets`);
  }
});

test('workers share the descriptors, in any order of use', () => {
  for (const workers of [2, 3, 8]) {
    let held = 0;
    const source = new Source(116, () => 20 + held);
    const all = Array.from({ length: workers }, () => new Descriptors(workers, () => {}, source));
    // Each has counted before the others have used their part.
    for (const one of all) assert.ok(one.takeTarget() && ++held > 0);
    for (const one of [...all, ...all]) {
      takeAll(() => one.takeClient() && ++held > 0);
      takeAll(() => one.takeTarget() && ++held > 0);
    }
    assert.ok(held > 40 && held <= 80, `${workers} workers: ${held}`);
  }
});

test('freed descriptors can be taken again without a count', () => {
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

test('counting takes at most a twentieth of the time', () => {
  let held = 0;
  const source = new Source(36, () => held);
  source.countTakes = 2;
  const descriptors = new Descriptors(1, () => {}, source);
  held = takeAll(() => descriptors.takeTarget());
  assert.is(held, 20);
  assert.is(source.counts, 1, 'the refusal did not count');
  held = 0;
  source.time += 39;
  assert.not.ok(descriptors.takeTarget());
  source.time += 1;
  assert.ok(descriptors.takeTarget());
  assert.is(source.counts, 2);
});

test('without a known limit nothing is counted', () => {
  const source = new Source(Number.POSITIVE_INFINITY, () => 0);
  const descriptors = new Descriptors(1, () => {}, source);
  assert.is(
    takeAll(() => descriptors.takeClient()),
    10_000,
  );
  assert.is(source.counts, 0);
});

test('a failed count means no descriptors; shortage and recovery are each logged once', () => {
  const logged: LogLine[] = [];
  const source = new Source(100, () => 0);
  const descriptors = new Descriptors(1, (level, message) => logged.push({ level, message }), source);
  assert.ok(descriptors.takeTarget());
  source.fails = true;
  const taken = takeAll(() => descriptors.takeTarget()) + 1;
  for (let turn = 0; turn < 1000; turn++) assert.not.ok(descriptors.takeTarget());
  assert.equal(
    logged.map(({ level }) => level),
    ['warn'],
  );
  for (let turn = 0; turn < taken; turn++) descriptors.freeTarget();
  assert.equal(
    logged.map(({ level }) => level),
    ['warn', 'info'],
  );
});

test.run();
