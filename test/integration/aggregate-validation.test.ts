/** Calls of an aggregate with a cache: stale replies are validated, and equal calls at the same time are one. */
import { connect } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../support/until.js';
import { Bed, type Got, type Handler, json, status } from './aggregate-kit.js';
import { TestTime } from './engine-kit.js';

let bed: Bed | undefined;
const clock = { now: 0 };

test.after.each(async () => {
  await bed?.close();
  bed = undefined;
});

async function start(handler: Handler, more = '', aggregate = ''): Promise<Bed> {
  await bed?.close();
  const { now: monotonic } = new TestTime();
  clock.now = Date.now();
  bed = await Bed.start(
    { a: handler },
    `${aggregate}[route.aggregate.call.one]\nservice = "a"\npath = "/one/{id}"\ncache = {}\n${more}`,
    {},
    { monotonic, clock: { now: () => clock.now, monotonic } },
  );
  return bed;
}

type Answer = readonly [status: number, headers: Record<string, string>, body?: unknown];

/** Answers in turn, the last one again and again. */
const inTurn =
  (...answers: Answer[]): Handler =>
  (got, reply) => {
    const [code, fields, body] = answers.length > 1 ? answers.shift()! : answers[0]!;
    const headers = { date: new Date(clock.now).toUTCString(), ...fields };
    if (body === undefined) reply.writeHead(code, headers).end();
    else json(body, headers, code)(got, reply);
  };
const conditions = (got: readonly Got[]) =>
  got.map(({ headers }) => headers['if-none-match'] ?? headers['if-modified-since']);

test('a stale reply is validated with its ETag; a 304 makes it fresh with the fields that it has', async () => {
  const of = await start(
    inTurn(
      [200, { etag: '"1"', 'cache-control': 'max-age=60', 'x-of': 'old' }, { v: 1 }],
      [304, { etag: '"1"', 'cache-control': 'max-age=600', 'x-of': 'new' }],
      [500, {}],
    ),
    '',
    '[route.aggregate]\nheaders = { x-of = "{calls.one.header.x-of}" }\n',
  );
  assert.is((await of.get()).headers.get('x-of'), 'old');
  clock.now += 61_000;
  const validated = await of.get();
  assert.equal([validated.body, validated.headers.get('x-of')], [{ one: { v: 1 } }, 'new']);
  assert.match(validated.headers.get('cache-control') ?? '', /^max-age=(598|599|600)$/);
  clock.now += 590_000;
  const again = await of.get();
  assert.equal([again.body, again.headers.get('x-of')], [{ one: { v: 1 } }, 'new']);
  assert.equal(conditions(of.services['a']!.got), [undefined, '"1"']);
  const { calls } = await of.plane.record(({ calls: some }) => some?.[0]?.status === 304);
  assert.equal(
    calls?.map(({ name, status: code }) => [name, code]),
    [['one', 304]],
  );
});

test('without an ETag the time of the last change is the condition; a new reply replaces the stored one', async () => {
  const modified = 'Fri, 01 May 2026 12:00:00 GMT';
  const of = await start(
    inTurn(
      [200, { 'last-modified': modified, 'cache-control': 'no-cache' }, 1],
      [304, {}],
      [200, { 'cache-control': 'max-age=60' }, 2],
    ),
  );
  const bodies = [];
  for (let count = 0; count < 4; count++) bodies.push((await of.get()).body);
  assert.equal(
    bodies,
    [1, 1, 2, 2].map((one) => ({ one })),
  );
  assert.equal(conditions(of.services['a']!.got), [undefined, modified, modified]);
});

test('a 304 about another reply is not used: the call is sent again without conditions', async () => {
  const of = await start(
    inTurn(
      [200, { etag: '"1"', 'cache-control': 'max-age=0' }, 1],
      [304, { etag: '"2"' }],
      [200, { etag: '"2"', 'cache-control': 'max-age=60' }, 2],
    ),
  );
  assert.equal(
    [(await of.get()).body, (await of.get()).body, (await of.get()).body],
    [{ one: 1 }, { one: 2 }, { one: 2 }],
  );
  assert.equal(conditions(of.services['a']!.got), [undefined, '"1"', undefined]);
  const unasked = await start(status(304));
  assert.is((await unasked.get()).status, 502);
});

test('a stale reply takes the place of a failure only if its fields allow it, and is not fresh for others', async () => {
  for (const [value, expected] of [
    ['max-age=1, stale-if-error=60', 200],
    ['max-age=1, stale-if-error=60, must-revalidate', 502],
    ['max-age=1', 502],
  ] as const) {
    const of = await start(inTurn([200, { etag: '"1"', 'cache-control': value }, 1], [503, {}]));
    await of.get();
    clock.now += 10_000;
    const reply = await of.get();
    assert.is(reply.status, expected, value);
    if (expected !== 200) continue;
    assert.equal([reply.body, reply.headers.get('cache-control')], [{ one: 1 }, 'max-age=0']);
    clock.now += 60_000;
    assert.is((await of.get()).status, 502);
  }
});

test('a stored reply goes when the service says that there is none any more', async () => {
  const of = await start(
    inTurn([200, { etag: '"1"', 'cache-control': 'max-age=1, stale-if-error=600' }, 1], [404, {}], [503, {}]),
  );
  await of.get();
  clock.now += 10_000;
  assert.is((await of.get()).status, 404);
  assert.is((await of.get()).status, 502);
  assert.equal(conditions(of.services['a']!.got), [undefined, '"1"', undefined]);
});

/** Holds the answers until they are let go. */
function held(answer: Handler): { readonly handler: Handler; readonly release: () => void } {
  const waiting: (() => void)[] = [];
  let open = false;
  return {
    handler: (got, reply) => (open ? answer(got, reply) : void waiting.push(() => answer(got, reply))),
    release: () => {
      open = true;
      for (const one of waiting.splice(0)) one();
    },
  };
}

test('equal calls at the same time are one call, whose reply is for all', async () => {
  const { handler, release } = held(json(1, { 'cache-control': 'max-age=60' }));
  const of = await start(handler);
  const replies = [of.get(), of.get(), of.get('/page/8'), of.get()];
  const service = of.services['a']!;
  await until(() => of.plane.connections === 4 && service.got.length === 2, 'all requests');
  release();
  for (const reply of await Promise.all(replies)) assert.equal(reply.body, { one: 1 });
  assert.equal([...service.urls].sort(), ['/one/7', '/one/8']);
});

test('a reply that is not for others does not make them wait for each other', async () => {
  const { handler, release } = held(json(1, { 'cache-control': 'no-store' }));
  const of = await start(handler);
  const service = of.services['a']!;
  const replies = Array.from({ length: 5 }, () => of.get());
  await until(() => of.plane.connections === 5 && service.got.length === 1, 'one call');
  release();
  for (const reply of await Promise.all(replies)) assert.equal(reply.body, { one: 1 });
  assert.is(service.got.length, 5);
  const later = held(json(2, { 'cache-control': 'no-store' }));
  service.handler = later.handler;
  const apart = [of.get(), of.get(), of.get()];
  await until(() => service.got.length === 8, 'three calls at once');
  later.release();
  await Promise.all(apart);
});

test('if the client of a call leaves, one of those that wait for it asks in its place', async () => {
  const { handler, release } = held(json(1, { 'cache-control': 'max-age=60' }));
  const of = await start(handler);
  const service = of.services['a']!;
  const client = connect(of.plane.port, '127.0.0.1');
  client.write('GET /page/7 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await until(() => service.got.length === 1, 'the first call');
  const replies = [of.get(), of.get()];
  await until(() => of.plane.connections === 3, 'all requests');
  client.resetAndDestroy();
  await until(() => service.got.length === 2, 'the second call');
  release();
  for (const reply of await Promise.all(replies)) assert.equal(reply.body, { one: 1 });
  assert.is(service.got.length, 2);
});

test('the time of a call that waits for an equal one is not longer than that of others', async () => {
  const of = await start(() => {}, 'timeout = "200ms"\ndefault = 0\n');
  const service = of.services['a']!;
  const first = of.get();
  await until(() => service.got.length === 1, 'the first call');
  const second = of.get();
  const bodies = [(await first).body, (await second).body];
  assert.equal(bodies, [{ one: 0 }, { one: 0 }]);
});

test('an unsafe call removes the stored replies for its path', async () => {
  let count = 0;
  let written = 500;
  const of = await start((got, reply) => {
    if (got.method === 'GET') json(++count, { 'cache-control': 'max-age=60' })(got, reply);
    else status(written)(got, reply);
  }, `after = ["write"]\n[route.aggregate.call.write]\nservice = "a"\nmethod = "PUT"\npath = "/one/{id}"\nwhen = 'request.query["write"] == "1"'\non_failure = "omit"\n`);
  const read = async (path: string) => ((await of.get(path)).body as { one: number }).one;
  assert.equal([await read('/page/7'), await read('/page/7')], [1, 1]);
  assert.is(await read('/page/7?write=1'), 1);
  written = 204;
  assert.is(await read('/page/7?write=1'), 2);
  assert.is(await read('/page/7'), 2);
});

test('a reply that was on its way when an unsafe call changed its path is not stored', async () => {
  const { handler, release } = held(json('old', { 'cache-control': 'max-age=60' }));
  const of = await start(
    (got, reply) => (got.method === 'GET' ? handler(got, reply) : status(204)(got, reply)),
    `when = 'request.query["write"] != "1"'\n[route.aggregate.call.write]\nservice = "a"\nmethod = "PUT"\npath = "/one/{id}"\nwhen = 'request.query["write"] == "1"'\n`,
  );
  const service = of.services['a']!;
  const reading = of.get();
  await until(() => service.got.length === 1, 'the reading call');
  clock.now += 5;
  assert.equal((await of.get('/page/7?write=1')).body, { write: null });
  release();
  assert.equal((await reading).body, { one: 'old' });
  service.handler = json('new', { 'cache-control': 'max-age=60' });
  assert.equal((await of.get()).body, { one: 'new' });
});

test.run();
