/** `eject_slow`, `eject_share` and `panic_below` of a spec, with real targets on a clock that the test sets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, ok, Plane, say, specOf, TestTime, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const ERROR = say('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');

interface World {
  targets: FaultTarget[];
  plane: Plane;
  time: TestTime;
  /** Waits until the plane has looked at its targets; it reads the clock then, and between requests only then. */
  sweep(): Promise<unknown>;
}

const test = suite<World>('settings of ejections');

test.before(async (world) => {
  world.targets = await Promise.all(['a', 'b', 'c'].map((name) => FaultTarget.start(ok(name))));
  world.time = new TestTime();
  let reads = 0;
  const monotonic = (): number => {
    reads++;
    return world.time.now();
  };
  world.sweep = () => {
    const most = reads + 3;
    return until(() => reads >= most, 'a sweep');
  };
  world.plane = await Plane.start(specOf(world.targets[0]!.url), { monotonic });
  world.time.stop();
});

test.after(async ({ plane, targets }) => {
  await plane.close();
  for (const target of targets) await target.close();
});

/** A load with a service of its own, so that no test sees the health of another. */
async function load({ plane, targets }: World, name: string, service: string): Promise<void> {
  const urls = targets.map(({ url }) => url);
  const spec = specOf(urls, { service: `${service}\nretries = 0\neject_for = "1h"` });
  await plane.load(spec.replace('service.it', `service.${name}`).replace('to = "it"', `to = "${name}"`));
  for (const target of targets) target.forget();
}

async function ask({ plane }: World, count: number): Promise<void> {
  const client = plane.client();
  for (let at = 0; at < count; at++) {
    client.send(GET);
    await client.reply();
  }
  client.destroy();
}

const shares = ({ targets }: World): number[] => targets.map(({ arrived }) => arrived.length);
const ejections = ({ plane }: World): number =>
  plane.logs.filter(({ message }) => /^target ejected/.test(message)).length;

test('eject_share bounds how many targets are ejected at the same time', async (world) => {
  for (const target of world.targets) target.respond = ERROR;
  await load(world, 'shared', 'eject_after_5xx = 2\neject_share = 34\npanic_below = 0');
  await ask(world, 30);
  assert.is(ejections(world), 2, '34 % of three, rounded up');
  await load(world, 'one', 'eject_after_5xx = 2\neject_share = 33\npanic_below = 0');
  await ask(world, 30);
  assert.is(ejections(world), 3, '33 % of three is one more');
  assert.equal(
    shares(world).sort((a, b) => a - b),
    [2, 14, 14],
    'that one has got no more',
  );
});

test('panic_below: all targets are used while fewer are available', async (world) => {
  const panics = (): number => world.plane.logs.filter(({ message }) => /^too few targets/.test(message)).length;
  const [bad, ...good] = world.targets;
  bad!.respond = ERROR;
  for (const target of good) target.respond = ok('good');
  await load(world, 'calm', 'eject_after_5xx = 2\npanic_below = 66');
  await ask(world, 30);
  assert.equal([shares(world)[0], panics()], [2, 0], 'two of three are 66 %');
  await load(world, 'panicking', 'eject_after_5xx = 2\npanic_below = 67');
  await ask(world, 30);
  assert.equal([shares(world), panics()], [[10, 10, 10], 1]);
});

test('eject_slow ejects a target that is so many times slower than the others', async (world) => {
  const { targets, time, plane } = world;
  const slow = (ms: number) => (_request: unknown, socket: { write(text: string): unknown }) => {
    time.pass(ms);
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  };
  for (const [at, target] of targets.entries()) target.respond = slow(at === 0 ? 40 : 10);
  for (const [name, times, ejected] of [
    ['patient', 5, 0],
    ['strict', 3, 1],
  ] as const) {
    const before = ejections(world);
    await load(world, name, `eject_slow = ${times}`);
    await world.sweep();
    await ask(world, 75);
    time.pass(10_000);
    await world.sweep();
    const done = shares(world);
    await ask(world, 12);
    assert.is(ejections(world) - before, ejected, name);
    const got = shares(world).map((count, index) => count - done[index]!);
    assert.equal(got, ejected > 0 ? [0, 6, 6] : [4, 4, 4], name);
  }
  const why = plane.logs.filter(({ message }) => /^target ejected/.test(message)).at(-1);
  assert.match(why?.message ?? '', /^target ejected after replies 3 times as slow/);
  assert.is(why?.fields?.target, targets[0]!.url);
});

test.run();
