/** Compile part of cache. */
import { declarePolicy } from '../compile-kit.js';
import type { RequestFact } from '../contract.js';
import { contentOptions, KeyMaker } from './key.js';
import { CODES, lint } from './lint.js';
import { PROBLEMS } from './problems.js';
import { type CacheConfig, type CacheSettings, type KeySettings, schema } from './schema.js';
import { TOKEN_CLAIMS } from './token-claims.js';

export default declarePolicy<CacheConfig, CacheSettings>({
  use: 'cache',
  summary: 'Keeps replies and answers further requests with them (RFC 9111)',
  phase: 'cache',
  stateful: false,
  schema,
  // Other edits keep what is stored; another key finds nothing of it.
  stateKey: ({ key }) => keySettings(key),
  traits: ({ key }) => {
    const { query, queryExcept, fields, cookies, consumer, claims, client } = keySettings(key);
    return {
      cacheKey: {
        at: ['key'],
        consumer,
        fields,
        cookies,
        removesQuery: true,
        query: query === 'all' ? (queryExcept.length === 0 ? 'all' : { deny: queryExcept }) : { allow: query },
        ...(consumer ? { claims: claims === 'all' ? { except: TOKEN_CLAIMS } : claims } : {}),
        client,
        route: true,
      },
    };
  },
  // Of a cache inside another one.
  requestFacts({ key }) {
    const { query, fields, cookies, consumer, claims, client } = keySettings(key);
    const facts: RequestFact[] = [];
    const add = (kind: RequestFact['kind'], name?: string): void => {
      facts.push({ kind, at: ['key'], ...(name === undefined ? {} : { name }) });
    };
    if (consumer) add('consumer');
    if (client) add('client');
    if (consumer && claims !== 'all') for (const name of claims) add('claims', name);
    for (const name of fields) add('field', name);
    for (const name of cookies) add('cookie', name);
    if (query !== 'all') for (const name of query) add('query', name);
    return facts;
  },
  contents(settings) {
    const keys = new KeyMaker(settings.key);
    return { options: contentOptions(settings), canonicalUrl: (url) => keys.canonical(url) };
  },
  codes: CODES,
  lint,
  problems: Object.values(PROBLEMS),
  compile: (config) => ({
    ttl: config.ttl === undefined ? null : Number.isFinite(config.ttl) ? config.ttl : 'forever',
    negative: { ...config.negative },
    key: keySettings(config.key),
    staleWhileRevalidate: config.stale_while_revalidate ?? 0,
    staleIfError: config.stale_if_error ?? 0,
    heuristic:
      config.heuristic === undefined
        ? null
        : { fraction: config.heuristic.percent / 100, mostMs: config.heuristic.max },
    targeted: config.targeted.map(lower),
    clientDirectives: config.client_directives === 'honor',
    collapse: config.collapse,
    collapseWait: config.collapse_wait,
    maxEntry: config.max_entry,
    disk: config.disk ?? config.ttl === Number.POSITIVE_INFINITY,
    statusField: config.status_field,
  }),
});

const keySettings = (key: CacheConfig['key']): KeySettings => ({
  query: key.query ?? 'all',
  queryExcept: key.query_except ?? [],
  fields: (key.fields ?? []).map(lower),
  cookies: key.cookies ?? [],
  consumer: key.consumer,
  claims: key.claims ?? 'all',
  client: key.client,
});

const lower = (name: string): string => name.toLowerCase();
