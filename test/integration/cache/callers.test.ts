/** Callers that gw has found, and what is part of the key. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { cacheSuite } from './kit.js';

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
