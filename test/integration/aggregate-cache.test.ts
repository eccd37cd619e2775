/** Calls of an aggregate that use fresh replies again: what is shared, and between whom. */
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryContents } from '../../src/state/content/memory/index.js';
import { allocateState } from '../../src/state/memory.js';
import { until } from '../support/until.js';
import { Bed, type Handler, json } from './aggregate-kit.js';

let bed: Bed | undefined;

test.after.each(async () => {
  await bed?.close();
  bed = undefined;
});

const KEYS = {
  acme: { 'x-api-key': 'acme-demo-key' },
  globex: { 'x-api-key': 'globex-demo-key' },
};
const CALLERS = `[consumer.acme]
api_keys = ["sha256:8676d15d94dabdd1283e6c407e2bb08a7b5c13b4e3667d4795c17172e080a3d4"]
[consumer.globex]
api_keys = ["sha256:2e2764ef486a4aa498e60ef5ed6b88ce7dd8bfc8b3309c5c15950a5c3d1a8c20"]
[policy.keys]
use = "api-key"
[policy.tenant]
use = "headers"
request.set = { x-tenant = "{consumer.name}" }
`;

async function start(handler: Handler, cache: string, options: Parameters<typeof Bed.start>[2] = {}, more = '') {
  bed = await Bed.start(
    { a: handler },
    `[route.aggregate.call.one]\nservice = "a"\npath = "/one/{id}"\ncache = ${cache}\n${more}`,
    options,
  );
  return bed;
}

const counted = (headers: { readonly [name: string]: string }): Handler => {
  let count = 0;
  return (got, reply) => json({ count: ++count }, headers)(got, reply);
};

const count = async (of: Bed, path?: string, headers: Record<string, string> = {}): Promise<number> =>
  ((await of.get(path, { headers })).body as { one: { count: number } }).one.count;

test('a fresh reply is used again for the same request, and its age counts', async () => {
  const of = await start(counted({ 'cache-control': 'max-age=60', age: '20' }), '{}');
  assert.equal([await count(of), await count(of), await count(of, '/page/8'), await count(of)], [1, 1, 2, 1]);
  const { headers } = await of.get();
  assert.match(headers.get('cache-control') ?? '', /^max-age=(38|39|40)$/);
  assert.is(of.services['a']!.got.length, 2);
});

test('a call that a stored reply answers is in the records, as stored', async () => {
  const of = await start(counted({ 'cache-control': 'max-age=60' }), '{}');
  assert.equal([await count(of), await count(of)], [1, 1]);
  await of.plane.record(({ calls }) => calls?.[0]?.stored === true);
  const seen = of.plane.records.map(({ calls = [] }) =>
    calls.map(({ durationMs: _, startMs, ...rest }) => ({ ...rest, late: startMs < 0 })),
  );
  const common = {
    name: 'one',
    service: 'a',
    method: 'GET',
    path: '/one/7',
    status: 200,
    error: null,
    bytes: 11,
    late: false,
  };
  assert.equal(seen, [[{ ...common, target: of.services['a']!.url }], [{ ...common, target: null, stored: true }]]);
});

test('what must not be stored is not, and the client can ask for a new one', async () => {
  for (const value of ['no-store', 'max-age=0', 'no-cache', 'private, max-age=60']) {
    const of = await start(counted({ 'cache-control': value }), '{}');
    assert.equal([await count(of), await count(of)], [1, 2], value);
    await of.close();
    bed = undefined;
  }
  const of = await start(counted({ 'cache-control': 'max-age=60' }), '{}');
  assert.equal([await count(of), await count(of, undefined, { 'cache-control': 'no-cache' })], [1, 2]);
});

test('replies vary by the fields that the service names', async () => {
  const of = await start(counted({ 'cache-control': 'max-age=60', vary: 'Accept-Language' }), '{}');
  const [de, fr] = [{ 'accept-language': 'de' }, { 'accept-language': 'fr' }];
  assert.equal(
    [
      await count(of, undefined, de),
      await count(of, undefined, fr),
      await count(of, undefined, de),
      await count(of, undefined, fr),
    ],
    [1, 2, 1, 2],
  );
});

test('callers do not see the replies of each other, also private ones are kept for their caller', async () => {
  const of = await start(counted({ 'cache-control': 'private, max-age=60' }), '{}', {
    more: CALLERS,
    route: 'policies = ["keys"]',
  });
  const { acme, globex } = KEYS;
  assert.equal(
    [await count(of, undefined, acme), await count(of, undefined, globex), await count(of, undefined, acme)],
    [1, 2, 1],
  );
});

test('shared replies are for all callers, unless a policy or a template sends who calls', async () => {
  const route = { more: CALLERS, route: 'policies = ["keys"]' };
  const open = await start(counted({ 'cache-control': 'max-age=60' }), '{ shared = true }', route);
  const { acme, globex } = KEYS;
  assert.equal([await count(open, undefined, acme), await count(open, undefined, globex)], [1, 1]);
  await open.close();
  const set = await start(counted({ 'cache-control': 'max-age=60' }), '{ shared = true }', {
    ...route,
    route: 'policies = ["keys", "tenant"]',
  });
  // A client that sends the field itself cannot get at the reply of another.
  assert.equal(
    [
      await count(set, undefined, { ...acme, 'x-tenant': 'acme' }),
      await count(set, undefined, { ...globex, 'x-tenant': 'acme' }),
    ],
    [1, 2],
  );
  await set.close();
  const template = 'headers = { x-of = "{consumer.name}" }\n';
  const written = await start(counted({ 'cache-control': 'max-age=60' }), '{ shared = true }', route, template);
  assert.equal([await count(written, undefined, acme), await count(written, undefined, globex)], [1, 2]);
  await written.close();
  const authorized = await start(counted({ 'cache-control': 'max-age=60' }), '{ shared = true }');
  const [x, y] = [{ authorization: 'Bearer x' }, { authorization: 'Bearer y' }];
  assert.equal([await count(authorized, undefined, x), await count(authorized, undefined, y)], [1, 2]);
});

test('a ttl replaces what the reply says; failures and other methods are not stored', async () => {
  let n = 0;
  const of = await start((got, reply) => json({ count: ++n }, {}, n === 1 ? 500 : 200)(got, reply), '{ ttl = "60s" }');
  assert.is((await of.get()).status, 502);
  assert.equal([await count(of), await count(of)], [2, 2]);
});

test('a decoded body is stored without its coding', async () => {
  const of = await start((_got, reply) => {
    reply.writeHead(200, { 'content-encoding': 'gzip', 'cache-control': 'max-age=60' });
    reply.end(gzipSync('{"count":1}'));
  }, '{}');
  assert.equal([await count(of), await count(of)], [1, 1]);
  assert.is(of.services['a']!.got.length, 1);
});

test('a reply that was asked for before a purge, in any worker, is not stored', async () => {
  const state = allocateState({ workers: 2, small: true });
  const held: (() => void)[] = [];
  const of = await Bed.start(
    { a: (got, reply) => void held.push(() => json({}, { 'cache-control': 'max-age=60' })(got, reply)) },
    '[route.aggregate.call.one]\nservice = "a"\npath = "/one/{id}"\ncache = {}\n',
    {},
    { state },
  );
  bed = of;
  const next = async (): Promise<() => void> => {
    await until(() => held.length > 0, 'the call at the service');
    return held.shift()!;
  };
  const other = of.get('/page/8');
  (await next())();
  await other;
  const contents = new MemoryContents(state.content!, Date.now);
  const [{ identity } = { identity: '' }] = contents.health().identities;
  const first = of.get();
  const answer = await next();
  contents.store(identity, { maxEntry: 0, disk: false }).purge({ by: 'all' }, false);
  answer();
  await first;
  const second = of.get();
  (await next())();
  await second;
  assert.is((await of.get()).status, 200);
  assert.is(held.length, 0);
});

test.run();
