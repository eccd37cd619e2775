/** The cache policy in front of an aggregate: what is stored of replies that are made of several, and for how long. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../support/until.js';
import { Bed, type Handler, json, status } from './aggregate-kit.js';
import { TestTime } from './engine-kit.js';

let bed: Bed | undefined;
/** Begins with the time of the services, whose Date counts. */
const clock = { now: 0 };

test.after.each(async () => {
  await bed?.close();
  bed = undefined;
});

async function start(handlers: Parameters<typeof Bed.start>[0], aggregate: string, cache = ''): Promise<Bed> {
  const { now: monotonic } = new TestTime();
  clock.now = Date.now();
  bed = await Bed.start(
    handlers,
    aggregate,
    { more: `[policy.stored]\nuse = "cache"\n${cache}\n`, route: 'policies = ["stored"]' },
    { monotonic, clock: { now: () => clock.now, monotonic } },
  );
  return bed;
}

const call = (service: string, more = ''): string =>
  `[route.aggregate.call.${service}]\nservice = "${service}"\npath = "/${service}/{id}"\n${more}\n`;

const fresh = (value: string, more = {}): Handler => json({ of: value }, { 'cache-control': value, ...more });
const asked = (of: Bed): readonly number[] => Object.values(of.services).map(({ got }) => got.length);

test('the part that is stale first says how long the reply is stored', async () => {
  const of = await start({ a: fresh('max-age=100'), b: fresh('max-age=30', { age: '10' }) }, call('a') + call('b'));
  const first = await of.get();
  clock.now += 19_000;
  const again = await of.get();
  assert.equal([again.text, again.headers.get('age'), asked(of)], [first.text, '19', [1, 1]]);
  clock.now += 2000;
  assert.is((await of.get()).status, 200);
  assert.equal(asked(of), [2, 2]);
});

test('a stale reply is used while its calls are made again in the background', async () => {
  // By the clock of the gateway: otherwise the new reply would be as old as the clock is ahead, and stale again.
  const dated: Handler = (...given) => fresh('max-age=10', { date: new Date(clock.now).toUTCString() })(...given);
  const of = await start({ a: dated, b: fresh('max-age=30') }, call('a') + call('b'), 'stale_while_revalidate = "60s"');
  const first = await of.get();
  clock.now += 11_000;
  const stale = await of.get();
  assert.equal([stale.text, stale.headers.get('age')], [first.text, '11']);
  await until(() => asked(of).join() === '2,2', 'the calls in the background');
  await until(async () => (await of.get()).headers.get('age') !== '11', 'the new reply');
  assert.equal(asked(of), [2, 2]);
});

test('an incomplete reply is not stored, whatever the policy says, and the complete one after it is', async () => {
  for (const more of ['default = []', 'on_failure = "omit"']) {
    const of = await start({ a: fresh('max-age=100'), b: status(503) }, call('a') + call('b', more), 'ttl = "60s"');
    for (let count = 1; count <= 2; count++) {
      assert.is((await of.get()).headers.get('gw-incomplete'), 'b');
      assert.equal(asked(of), [count, count]);
    }
    of.services['b']!.handler = fresh('max-age=100');
    const complete = await of.get();
    assert.is(complete.headers.get('gw-incomplete'), null);
    of.services['b']!.handler = status(503);
    assert.is((await of.get()).text, complete.text);
    assert.equal(asked(of), [3, 3]);
    await of.close();
    bed = undefined;
  }
});

test('what one part forbids to store is not stored', async () => {
  for (const value of ['no-store', 'private, max-age=60', 'max-age=0', 'max-age=x']) {
    const of = await start({ a: fresh('max-age=100'), b: fresh(value) }, call('a') + call('b'));
    await of.get();
    await of.get();
    assert.equal(asked(of), [2, 2], value);
    await of.close();
    bed = undefined;
  }
});

test('cookies of parts are not part of the reply, which varies as its parts do', async () => {
  const of = await start(
    { a: fresh('max-age=60', { 'set-cookie': 'session=1' }), b: fresh('max-age=60', { vary: 'Accept-Language' }) },
    call('a') + call('b'),
  );
  const [de, fr] = [{ headers: { 'accept-language': 'de' } }, { headers: { 'accept-language': 'fr' } }];
  assert.is((await of.get('/page/7', de)).headers.get('set-cookie'), null);
  await of.get('/page/7', fr);
  await of.get('/page/7', de);
  assert.equal(asked(of), [2, 2]);
});

test('a conditional request to an empty cache does not leave a reply without a body in it', async () => {
  const of = await start({ a: fresh('max-age=60') }, call('a'));
  const tag = (await of.get()).headers.get('etag')!;
  const other = await start({ a: fresh('max-age=60') }, call('a'));
  await of.close();
  const conditional = { headers: { 'if-none-match': tag } };
  assert.is((await other.get('/page/7', conditional)).status, 304);
  const whole = await other.get();
  assert.equal([whole.status, whole.text, whole.headers.get('etag')], [200, '{"a":{"of":"max-age=60"}}', tag]);
  assert.is((await other.get('/page/7', conditional)).status, 304);
  assert.equal((await other.get('/page/7', { headers: { range: 'bytes=0-3' } })).text, '{"a"');
});

test('a reply with a call that is not safe is not stored', async () => {
  const of = await start({ a: fresh('max-age=60') }, call('a', 'method = "POST"'), 'ttl = "60s"');
  await of.get();
  await of.get();
  assert.equal(asked(of), [2]);
});

test.run();
