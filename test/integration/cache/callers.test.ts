/** Callers that gw has found, and what is part of the key. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { type Arrived, FaultTarget } from '../engine-kit.js';
import { type CacheBed, cacheSuite, type Said, wire } from './kit.js';

const test = cacheSuite('cache and callers');

const hashOf = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

const CALLERS = `
[consumer.ann]
api_keys = ["${hashOf('key-of-ann-0123456789')}"]
[consumer.bob]
api_keys = ["${hashOf('key-of-bob-0123456789')}"]
[policy.who]
use = "api-key"
`;

const ANN = { 'x-api-key': 'key-of-ann-0123456789' };
const BOB = { 'x-api-key': 'key-of-bob-0123456789' };

test('auth+cache: two callers never get the reply to each other', async ({ bed }) => {
  await bed.load(`${CALLERS}[policy.c]\nuse = "cache"\nttl = "60s"\n`, 'policies = ["who", "c"]\n');
  bed.origin = ({ header }) => ({ body: `for ${header('x-consumer-name') ?? 'whom'}` });
  for (let round = 0; round < 2; round++) {
    for (const who of [ANN, BOB]) await bed.ask('/a', who);
  }
  assert.is(bed.asked, 2);
  const ann = await bed.ask('/a', ANN);
  assert.match(ann.header('cache-status')!, /hit/);
  assert.is((await bed.ask('/a')).status, 401);
  // A change by one caller concerns what is stored for all.
  await bed.ask('/a', BOB, 'POST');
  await bed.ask('/a', ANN);
  assert.is(bed.asked, 4);
});

test('with consumer = false, callers share replies if these say so', async ({ bed }) => {
  const policy = '[policy.c]\nuse = "cache"\nkey = { consumer = false }\n';
  await bed.load(CALLERS + policy, 'policies = ["who", "c"]\n');
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=60' } });
  await bed.ask('/a', ANN);
  await bed.ask('/a', BOB);
  assert.is(bed.asked, 2);
  bed.origin = () => ({ fields: { 'cache-control': 'public, max-age=60' } });
  await bed.ask('/b', ANN);
  assert.match((await bed.ask('/b', BOB)).header('cache-status')!, /hit/);
});

/** Loads a spec with a service that decides who calls; `policies` may name it. */
async function withService(
  bed: CacheBed,
  answer: (request: Arrived) => Said,
  policies: string,
  route: string,
): Promise<FaultTarget> {
  const service = await FaultTarget.start();
  service.respond = (request, socket) => socket.write(wire(answer(request)));
  await bed.load(`[service.auth]\ntargets = ["${service.url}"]\n${policies}`, route);
  return service;
}

test('two authenticators: what the first one has found is part of the key too', async ({ bed }) => {
  const ask = (name: string): string =>
    `[policy.${name}]\nuse = "forward-auth"\nservice = "auth"\npath = "/${name}"\nsend = ["x-token"]\ntake = ["x-${name}"]\n`;
  const service = await withService(
    bed,
    ({ url, header }) => ({ fields: url === '/user' ? { 'x-user': header('x-token')! } : { 'x-role': 'staff' } }),
    `${ask('user')}${ask('role')}[policy.c]\nuse = "cache"\n`,
    'policies = ["user", "role", "c"]\n',
  );
  bed.origin = ({ header }) => ({ fields: { 'cache-control': 'max-age=60' }, body: `for ${header('x-user')}` });
  for (let round = 0; round < 2; round++)
    for (const who of ['ann', 'bob'])
      assert.is((await bed.ask('/a', { 'x-token': who })).body.toString(), `for ${who}`);
  assert.is(bed.asked, 2);
  await service.close();
});

test('a caller without consumer and claims: replies are shared only if they say so', async ({ bed }) => {
  const service = await withService(
    bed,
    () => ({}),
    '[policy.gate]\nuse = "forward-auth"\nservice = "auth"\nsend = ["cookie"]\n[policy.c]\nuse = "cache"\nttl = "60s"\n',
    'policies = ["gate", "c"]\n',
  );
  bed.origin = ({ header }) => ({ body: `for ${header('cookie')}` });
  for (const cookie of ['s=ann', 's=bob'])
    assert.is((await bed.ask('/a', { cookie })).body.toString(), `for ${cookie}`);
  bed.origin = () => ({ fields: { 'cache-control': 'public' }, body: 'for all' });
  await bed.ask('/b', { cookie: 's=ann' });
  assert.match((await bed.ask('/b', { cookie: 's=bob' })).header('cache-status')!, /hit/);
  await service.close();
});

test('a consumer whose tags have changed does not get the replies of before', async ({ bed }) => {
  const spec = (tenant: string): string =>
    `${CALLERS.replace('[consumer.bob]', `tags = { tenant = "${tenant}" }\n[consumer.bob]`)}[policy.c]\nuse = "cache"\n[policy.h]\nuse = "headers"\nrequest.set.x-tenant = "{consumer.tags.tenant}"\n`;
  bed.origin = ({ header }) => ({ fields: { 'cache-control': 'max-age=60' }, body: `for ${header('x-tenant')}` });
  for (const tenant of ['one', 'two']) {
    await bed.load(spec(tenant), 'policies = ["who", "c", "h"]\n');
    for (let round = 0; round < 2; round++) assert.is((await bed.ask('/a', ANN)).body.toString(), `for ${tenant}`);
  }
  assert.is(bed.asked, 2);
});

test('the key has the chosen query parameters, sorted, and the target does not get the others', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nkey = { query = ["page", "sort"] }\n');
  await bed.ask('/a?utm=1&sort=x&page=2&page=1');
  assert.is(bed.target.arrived[0]!.url, '/a?sort=x&page=2&page=1');
  assert.match((await bed.ask('/a?page=2&utm=2&page=1&sort=x')).header('cache-status')!, /hit/);
  assert.match((await bed.ask('/a?page=1&page=2&sort=x')).header('cache-status')!, /miss/);
  await bed.load('[policy.c]\nuse = "cache"\nkey = { query_except = ["utm"] }\n');
  await bed.ask('/b?utm=1&x=1');
  assert.is(bed.target.arrived.at(-1)!.url, '/b?x=1');
  assert.match((await bed.ask('/b?x=1')).header('cache-status')!, /hit/);
});

test('a query of very many parameters is found in the order in which it was written', async ({ bed }) => {
  const names = Array.from({ length: 1000 }, (_, at) => `p${at}`);
  const [query, other] = [names.join('&'), names.toReversed().join('&')];
  for (const hit of [/miss/, /hit/]) assert.match((await bed.ask(`/a?${query}`)).header('cache-status')!, hit);
  assert.match((await bed.ask(`/a?${other}`)).header('cache-status')!, /miss/);
  await bed.ask(`/a?${query}`, {}, 'POST');
  assert.match((await bed.ask(`/a?${query}`)).header('cache-status')!, /miss/);
  assert.match((await bed.ask(`/a?${other}`)).header('cache-status')!, /hit/);
});

test('the key has chosen fields and cookies', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nkey = { fields = ["X-Tenant"], cookies = ["theme"] }\n');
  const asks = [
    { 'x-tenant': 'a', cookie: 'theme=dark; other=1' },
    { 'x-tenant': 'b', cookie: 'theme=dark' },
    { 'x-tenant': 'a', cookie: 'theme=light' },
    { 'x-tenant': 'a' },
    {},
    { 'x-tenant': '' },
  ];
  for (const fields of asks) assert.match((await bed.ask('/a', fields)).header('cache-status')!, /miss/);
  assert.match((await bed.ask('/a', { 'x-tenant': 'a', cookie: 'a=b; theme=dark' })).header('cache-status')!, /hit/);
});

test.run();
