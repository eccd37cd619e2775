import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json, PolicyEntry, Program } from '../../../src/bundle/types.js';
import { CacheError } from '../../../src/control/cache/policies.js';
import { purge } from '../../../src/control/cache/purge.js';
import { MOST_SELECTORS } from '../../../src/control/cache/selectors.js';
import { declarationOf } from '../../../src/policies/registry.js';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import type { ContentSelector, ContentSpace } from '../../../src/state/content/types.js';
import type { PurgeInput } from '../../../src/telemetry/cache-calls.js';
import { programWith, routePlan } from '../../support/programs.js';

/** An entry of a cache with this key. */
function cacheEntry(name: string, key: Record<string, Json> = {}): PolicyEntry {
  const settings = {
    key: {
      query: 'all',
      queryExcept: [],
      fields: [],
      cookies: [],
      consumer: true,
      claims: 'all',
      client: false,
      ...key,
    },
    maxEntry: 100,
    disk: false,
  };
  return { use: 'cache', name, phase: 'cache', identity: `id-${name}`, settings, config: {}, origins: {} };
}

const other: PolicyEntry = { ...cacheEntry('other'), use: 'cors' };

const program = (...policies: readonly PolicyEntry[]): Program =>
  programWith({ policies: [other, ...policies], routes: ['a', 'b', 'products'].map((name) => routePlan(name)) });

/** A space that notes the selectors of purges, by identity. */
class Noting implements ContentSpace {
  readonly purges: [identity: string, selector: ContentSelector, soft: boolean][] = [];
  store(identity: string) {
    const no = (): undefined => undefined;
    return {
      get: no,
      put: no,
      refresh: no,
      delete: no,
      moment: () => 0,
      purgedAt: () => 0,
      announce: no,
      purge: async (selector: ContentSelector, soft: boolean) => {
        this.purges.push([identity, selector, soft]);
        return 2;
      },
      list: () => [],
    };
  }
}

async function urlsFor(entry: PolicyEntry, ...url: readonly string[]): Promise<string[]> {
  const space = new Noting();
  await purge(program(entry), space, { url });
  return space.purges.map(([, selector]) => (selector.by === 'all' ? '' : selector.value));
}

async function refusal(input: PurgeInput): Promise<CacheError> {
  try {
    await purge(program(cacheEntry('c')), new Noting(), input);
  } catch (error) {
    if (error instanceof CacheError) return error;
    throw error;
  }
  throw new Error('not refused');
}

test('the cache declares its contents, others do not', () => {
  assert.ok(declarationOf('cache')?.contents);
  assert.is(declarationOf('cors')?.contents, undefined);
});

test('URLs have the form of the keys of each policy', async () => {
  const all = cacheEntry('c');
  assert.equal(await urlsFor(all, 'HTTPS://API.example:8443/a/../b?z=1&a=2#x'), ['https://api.example:8443/b?a=2&z=1']);
  assert.equal(await urlsFor(all, 'http://a.example'), ['http://a.example/']);
  assert.equal(await urlsFor(all, 'https://a.example:443/?q'), ['https://a.example/?q']);
  const some = cacheEntry('c', { query: ['page'] });
  assert.equal(await urlsFor(some, 'http://a.example:1/x?page=2&utm=3'), ['http://a.example:1/x?page=2']);
  assert.equal(await urlsFor(some, 'http://a:1/x?a=1', 'http://a:1/x?a=2'), ['http://a:1/x'], 'the same once');
  assert.equal(await urlsFor(all, 'http://[::1]:9/a'), ['http://[::1]:9/a']);
});

test('a prefix keeps its form, but for scheme, host and path', async () => {
  const all = cacheEntry('c');
  assert.equal(await urlsFor(all, 'HTTP://A.example/x/%7Ey/*'), ['http://a.example/x/~y/*']);
  assert.equal(await urlsFor(all, 'http://a.example/*'), ['http://a.example/*']);
  assert.equal(await urlsFor(all, 'http://a.example:80/*', 'http://a.example:443/*'), [
    'http://a.example/*',
    'http://a.example:443/*',
  ]);
  assert.equal(await urlsFor(all, 'http://a.example/x?b=1&a=*'), ['http://a.example/x?b=1&a=*']);
});

test('selectors go to every cache, or to the one that is named', async () => {
  const two = program(cacheEntry('c'), { ...cacheEntry('d'), stateIdentity: 'kept' });
  const space = new Noting();
  const report = await purge(two, space, { tag: ['t'], route: ['a'], soft: true });
  const [route, tag] = [
    { by: 'route', value: 'a' },
    { by: 'tag', value: 't' },
  ] as const;
  assert.equal(space.purges, [
    ['id-c', route, true],
    ['id-c', tag, true],
    ['kept', route, true],
    ['kept', tag, true],
  ]);
  assert.equal(report, {
    version: 1,
    soft: true,
    purged: 8,
    policies: [
      { policy: 'c', purged: 4 },
      { policy: 'd', purged: 4 },
    ],
  });
  const one = new Noting();
  await purge(two, one, { all: true, policy: 'd' });
  assert.equal(one.purges, [['kept', { by: 'all' }, false]]);
  assert.equal((await purge(program(), new Noting(), { all: true })).policies, []);
});

test('a wrong selector is refused before anything is purged', async () => {
  const many = Array.from({ length: MOST_SELECTORS + 1 }, (_, at) => `t${at}`);
  for (const [input, reason, message] of [
    [{}, 'invalid', /Say what to purge/],
    [{ all: true, tag: ['x'] }, 'invalid', /takes no further selector/],
    [{ tag: [''] }, 'invalid', /not empty/],
    [{ tag: many }, 'invalid', /at most 100/],
    [{ route: ['c'] }, 'unknown', /no route `c`\.$/],
    [{ route: ['prodcts'] }, 'unknown', /no route `prodcts`\. Did you mean `products`\?$/],
    [{ all: true, policy: 'other' }, 'unknown', /no cache `other`\. Caches: c\.$/],
    [{ url: ['/a'] }, 'invalid', /not an absolute URL/],
    [{ url: ['ftp://a/b'] }, 'invalid', /not an absolute URL/],
    [{ url: ['*'] }, 'invalid', /not an absolute URL/],
    [{ url: ['http://a*'] }, 'invalid', /no path/],
    [{ url: ['http://a/\u0000'] }, 'invalid', /refuses the path/],
    [{ url: [`http://a/%${'z'.repeat(500)}`] }, 'invalid', /\.\.\.`/],
  ] as const) {
    const refused = await refusal(input);
    assert.is(refused.reason, reason);
    assert.match(refused.message, message);
  }
});

test('a purge of shared memory in a thread that reads nothing', async () => {
  const memory = MemoryContents.allocate({ bytes: 1024 ** 2, workers: 1 });
  const reader = new MemoryContents(memory, () => 0, 0).store('id-c', { maxEntry: 100, disk: false });
  const facts = { expiresAt: Number.POSITIVE_INFINITY, url: 'http://a/x', route: 'a', tags: ['t'], data: null };
  reader.put('k', facts, 0)?.commit();
  const space = new MemoryContents(memory, () => 0);
  assert.is((await purge(program(cacheEntry('c')), space, { url: ['http://a/x'] })).purged, 1);
  assert.is(reader.get('k'), undefined);
});

test.run();
