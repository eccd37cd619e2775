/** Ejections with real targets, on a clock that the test sets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { never, sayAndReset } from '../../support/fault-target.js';
import { FaultTarget, ok, Plane, say, specOf, TestTime, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const ERROR = say('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');

interface World {
  good: FaultTarget;
  bad: FaultTarget;
  plane: Plane;
  time: TestTime;
}

const test = suite<World>('ejections');

test.before(async (world) => {
  world.good = await FaultTarget.start(ok('good'));
  world.bad = await FaultTarget.start(ERROR);
  world.time = new TestTime();
  const urls = [world.good.url, world.bad.url];
  world.plane = await Plane.start(specOf(urls, { service: 'eject_after_5xx = 3\neject_for = "30s"' }), {
    monotonic: world.time.now,
  });
});

test.after(async ({ plane, good, bad }) => {
  await plane.close();
  await good.close();
  await bad.close();
});

test('a target that answers 500 is ejected, tried again after its time, and used when it is well', async (world) => {
  const { plane, bad, time } = world;
  const ask = async (): Promise<number> => (await plane.ask(GET)).status;
  const statuses = async (count: number): Promise<number[]> => {
    const found: number[] = [];
    for (let at = 0; at < count; at++) found.push(await ask());
    return found;
  };
  assert.is((await statuses(12)).filter((status) => status === 500).length, 3);
  assert.is(bad.arrived.length, 3);
  assert.ok(plane.logs.some(({ message }) => message === 'target ejected after 3 consecutive replies with 5xx'));

  time.pass(30_000);
  await until(async () => (await ask()) === 500, 'a request to the ejected target');
  assert.is(bad.arrived.length, 4, 'one is enough');
  assert.ok((await statuses(6)).every((status) => status === 200));

  bad.respond = ok('well again');
  time.pass(60_000);
  await until(async () => {
    await ask();
    return bad.arrived.length > 4;
  }, 'another try');
  assert.ok(plane.logs.some(({ message }) => message === 'target back after its ejection'));
  const before = bad.arrived.length;
  await statuses(6);
  assert.is(bad.arrived.length - before, 3, 'its share');
});

test('a target that resets within the bodies of its replies is ejected', async ({ plane, bad }) => {
  const before = bad.arrived.length;
  bad.respond = sayAndReset('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
  for (let at = 0; at < 14; at++) await plane.ask(GET).catch(() => undefined);
  assert.is(bad.arrived.length - before, 5, 'as many as eject_after');
  assert.ok(plane.logs.some(({ message }) => message === 'target ejected after 5 consecutive failures'));
});

test('a frozen target gets one request after its time, not its share', async ({ plane, good, bad, time }) => {
  const service = 'eject_after = 1\neject_for = "1s"\nresponse_timeout = "10s"\nretries = 0';
  const spec = specOf([good.url, bad.url], { service });
  await plane.load(spec.replaceAll('service.it', 'service.frozen').replace('to = "it"', 'to = "frozen"'));
  bad.forget();
  bad.respond = never;
  const hung = [plane.client(), plane.client()];
  for (const client of hung) client.send(GET);
  await until(() => bad.arrived.length === 1, 'a request that gets no reply');
  time.pass(10_100);
  await until(() => plane.logs.at(-1)?.message === 'target ejected after 1 consecutive failures', 'the ejection');
  time.pass(1100);
  const trying = [plane.client()];
  trying[0]!.send(GET);
  await until(async () => {
    const client = plane.client();
    trying.push(client);
    client.send(GET);
    await until(() => client.pending !== '' || bad.arrived.length === 2, 'a reply, or a try');
    return bad.arrived.length === 2;
  }, 'the try');
  for (let at = 0; at < 10; at++) assert.is((await plane.ask(GET)).body.toString(), 'good');
  assert.is(bad.arrived.length, 2);
  for (const client of [...hung, ...trying]) client.destroy();
});

test.run();
