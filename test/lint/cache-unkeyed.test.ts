/** cache/unkeyed: what runs inside of a cache may read only facts of its key. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declarations as actions } from '../../src/actions/registry.js';
import { CodeThread } from '../../src/custom/code-thread.js';
import { declarations } from '../../src/policies/registry.js';
import { check, project, removeProjects } from '../custom/project.js';
import { CONSUMER, HEAD, KEYS, ORDERS } from './kit.js';

const thread = new CodeThread(20_000);
test.after(() => thread.close());
test.after(removeProjects);

/** A cache whose key has what the spec says. */
const STORE = `
import { definePolicy, s } from 'gw/policy';
export default definePolicy({
  summary: 'Keeps replies',
  phase: 'cache',
  schema: s.object({
    consumer: s.boolean().default(false), client: s.boolean().default(false), route: s.boolean().default(true),
    fields: s.array(s.string()).default([]), cookies: s.array(s.string()).default([]), claims: s.array(s.string()).default([]),
    allow: s.array(s.string()).optional(), deny: s.array(s.string()).optional(),
  }),
  requestFacts: () => [],
  traits: ({ allow, deny, consumer, client, route, fields, cookies, claims }) => ({ cacheKey: {
    at: [], consumer, client, route, fields, cookies, claims,
    query: allow !== undefined ? { allow } : deny !== undefined ? { deny } : 'all',
  } }),
  create: () => ({ before: () => undefined }),
});
`;

const other = (phase: string, more = ''): string => `
import { definePolicy } from 'gw/policy';
export default definePolicy({ summary: 'Does something', phase: '${phase}', ${more} create: () => ({ after: () => undefined }) });
`;

const POLICY = HEAD + ORDERS + KEYS + CONSUMER;

const store = (keys: string): string => `[policy.store]\nuse = "./store.ts"\n${keys}\n`;

/** What is reported, as `LINE: message up to the first full stop`. */
function found(spec: string, files: { readonly [path: string]: string } = {}): string[] {
  const { diagnostics } = check(project({ 'gateway.toml': POLICY + spec, 'store.ts': STORE, ...files }), thread);
  return diagnostics
    .filter(({ severity }) => severity === 'error')
    .map(({ code, message }) =>
      code === 'cache/unkeyed' ? /(reads|does not|tells) .*?(?=\. )/.exec(message)![0] : `${code} ${message}`,
    );
}

const route = (policies: string, action = 'to = "orders"', match = '"GET /orders/{id}"'): string =>
  `[[route]]\nname = "orders"\nmatch = ${match}\n${action}\npolicies = [${policies}]\n`;

/** The action is a reply with this text, inside of a cache with this key. */
const inReply = (key: string, text: string): string[] =>
  found(store(key) + route('"keys", "store"', `reply = { body = '${text}' }`));

const templates: readonly (readonly [text: string, key: string, read: string])[] = [
  ['{consumer.name}', 'consumer = true', 'the consumer'],
  ['{consumer.tags.tenant}', 'consumer = true', 'the consumer'],
  ['{claims.region}', 'claims = ["region"]', 'the claim `region`'],
  ['{claims.address.country}', 'claims = ["address"]', 'the claim `address.country`'],
  ['{client.ip}', 'client = true', 'facts of the client'],
  ['{request.header.X-Beta}', 'fields = ["x-beta"]', 'the header field `x-beta`'],
];

for (const [text, key, read] of templates)
  test(`a reply with ${text} needs it in the key`, () => {
    assert.equal(inReply('', text), [`reads ${read} in \`body\``]);
    assert.equal(inReply(key, text), []);
  });

test('the query needs all parameters, and an id is never part of a key', () => {
  assert.equal(inReply('', '{request.query}'), []);
  assert.equal(inReply('deny = ["utm"]', '{request.query}'), ['reads the whole query in `body`']);
  assert.equal(inReply('client = true', '{request.id}'), ['reads the id of the request in `body`']);
});

test('method, path, parameters, host and scheme are part of every key', () => {
  const text =
    '{request.method} {request.path} {id} {request.host} {request.scheme} {route.name} {request.header.host}';
  assert.equal(inReply('', text), []);
});

const conditions: readonly (readonly [when: string, key: string, read: string])[] = [
  ['consumer.plan == "gold"', 'consumer = true', 'the consumer'],
  ['claims.region == "eu"', 'claims = ["region"]', 'the claim `region`'],
  ['"x-beta" in request.headers', 'fields = ["x-beta"]', 'the header field `x-beta`'],
  ['request.query.lang == "de"', 'allow = ["lang"]', 'the query parameter `lang`'],
  ['client.ip == "127.0.0.1"', 'client = true', 'facts of the client'],
];

for (const [when, key, read] of conditions)
  test(`a policy with the condition ${when} needs it in the key`, () => {
    const spec = (written: string): string =>
      `${store(written)}[policy.mark]\nuse = "headers"\nwhen = '${when}'\nrequest.set.x-mark = "1"\n${route('"keys", "store", "mark"')}`;
    assert.equal(found(spec('allow = []')), [`reads ${read} in \`when\``]);
    assert.equal(found(spec(key)), []);
  });

test('a map of fields with a computed name is any of them', () => {
  const when = 'request.headers[request.method] == "x"';
  const policy = `[policy.mark]\nuse = "headers"\nwhen = '${when}'\nrequest.set.x-mark = "1"\n`;
  assert.equal(found(store('fields = ["x-beta"]') + policy + route('"store", "mark"')), [
    'reads header fields in `when`',
  ]);
});

test('edits of replies are outermost, edits of requests are inside', () => {
  const policy = (side: string): string =>
    `[policy.mark]\nuse = "headers"\nwhen = 'consumer.plan == "gold"'\n${side}.set.x-mark = "{consumer.name}"\n`;
  assert.equal(found(store('') + policy('reply') + route('"keys", "store", "mark"')), []);
  assert.equal(found(store('') + policy('request') + route('"keys", "store", "mark"')), [
    'reads the consumer in `when`',
    'reads the consumer in `request.set.x-mark`',
  ]);
});

test('a policy in front of the cache may read anything', () => {
  const own = '[policy.own]\nuse = "./own.ts"\n';
  const inPhase = (phase: string, more?: string): string[] =>
    found(store('') + own + route('"store", "own"'), { 'own.ts': other(phase, more) });
  assert.equal(inPhase('validate'), []);
  assert.equal(inPhase('transform'), ['does not declare which facts of the request it reads']);
  assert.equal(inPhase('transform', 'requestFacts: () => [],'), []);
  assert.equal(inPhase('transform', "requestFacts: () => [{ kind: 'cookie', name: 'theme', at: [] }],"), [
    'reads the cookie `theme` to do its work',
  ]);
  assert.equal(inPhase('transform', "replyPhase: 'fields', replyOnly: () => true,"), []);
  assert.match(inPhase('transform', "requestFacts: () => [{ kind: 'mood', at: [] }],")[0]!, 'custom/code');
});

test('within the phase cache, the order of the spec decides', () => {
  const own = '[policy.own]\nuse = "./own.ts"\n';
  const files = { 'own.ts': other('cache') };
  assert.equal(found(store('') + own + route('"own", "store"'), files), []);
  assert.equal(found(store('') + own + route('"store", "own"'), files).length, 1);
});

test('a redirect appends the whole query, and a rewrite reads what its template names', () => {
  const redirect = (key: string, keep: boolean): string[] =>
    found(store(key) + route('"store"', `redirect = { path = "/v2", keep_query = ${keep} }`));
  assert.equal(redirect('allow = ["page"]', true), ['reads the whole query to append it to the location']);
  assert.equal(redirect('allow = ["page"]', false), []);
  const rewrite = 'to = "orders"\nrewrite = "/{request.header.x-tenant}/{id}"';
  assert.equal(found(store('') + route('"store"', rewrite)), ['reads the header field `x-tenant` in `rewrite`']);
});

test('a cache that removes other parameters leaves a query that is part of the key', () => {
  const spec = (action: string, more = ''): string =>
    `[policy.store]\nuse = "cache"\nkey = { query = ["page"] }\n${more}${route('"store", "mark"', action)}`;
  const mark = (when: string): string => `[policy.mark]\nuse = "headers"\nwhen = '${when}'\nrequest.set.x-mark = "1"\n`;
  assert.equal(found(spec('redirect = { path = "/v2" }', mark('request.query.page == "1"'))), []);
  assert.equal(found(spec('to = "orders"', mark('request.query.lang == "de"'))), [
    'reads the query parameter `lang` in `when`',
  ]);
});

test('idempotency can be in front of the cache', () => {
  const spec = (policies: string): string =>
    `[policy.store]\nuse = "cache"\n[policy.once]\nuse = "idempotency"\nwhen = '"x-client" in request.headers'\n${route(policies, 'to = "orders"', '"POST /orders/{id}"')}`;
  assert.equal(found(spec('"once", "store"')), []);
  assert.equal(found(spec('"store", "once"')), ['reads the header field `x-client` in `when`']);
});

test('a program that reads the whole request, and one that reads single facts', () => {
  const transform = (jsonata: string): string =>
    `${store('fields = ["x-a"]')}[policy.t]\nuse = "transform"\nreply.body.jsonata = '${jsonata}'\n${route('"store", "t"')}`;
  assert.equal(found(transform('$string($request)')), ['reads the whole request in `reply.body.jsonata`']);
  assert.equal(found(transform('$request.headers.`x-a`')), []);
  assert.equal(found(transform('$consumer.name')), ['reads the consumer in `reply.body.jsonata`']);
});

test('the conditions of an aggregate are those of the action', () => {
  const aggregate = `aggregate.call.a = { service = "orders", path = "/a", on_failure = "omit", when = 'request.query.a == "1"' }`;
  assert.equal(found(store('allow = []') + route('"store"', aggregate)), [
    'reads the query parameter `a` in a condition',
  ]);
  assert.equal(found(store('allow = ["a"]') + route('"store"', aggregate)), []);
});

test('a policy in front of the cache that tells the target who calls', () => {
  const cache = (key: string): string =>
    `[policy.store]\nuse = "cache"\n${key}\n[service.auth]\ntargets = ["http://127.0.0.1:4009"]\n`;
  const auth = '[policy.ask]\nuse = "forward-auth"\nurl = "http://127.0.0.1:4009/auth"\ntake = ["X-User"]\n';
  const both = (key: string): string[] => found(cache(key) + auth + route('"ask", "store"'));
  assert.equal(both(''), []);
  assert.equal(both('key = { consumer = false }'), ['tells the target who calls, by the header field `x-user`']);
  assert.equal(both('key = { claims = ["region"] }'), ['tells the target who calls, by the header field `x-user`']);
  assert.equal(both('key = { consumer = false, fields = ["x-user"] }'), []);
  const any = '[policy.any]\nuse = "any-of"\npolicies = ["keys", "ask"]\n';
  const composed = found(cache('key = { consumer = false }') + auth + any + route('"any", "store"'));
  assert.equal(composed, ['tells the target who calls, by the header field `x-user`']);
});

test('the credential of a consumer at the target, and the policies of a service, are inside', () => {
  const sign = `[policy.sign]\nuse = "upstream-auth"\nper_consumer = { acme = "\${env:ACME}" }\n`;
  const onRoute = store('') + sign + route('"keys", "store", "sign"');
  assert.equal(found(onRoute), ['reads the consumer to choose the credential for the target']);
  const service = '[service.signed]\ntargets = ["http://127.0.0.1:4004"]\npolicies = ["sign"]\n';
  const onService = store('') + sign + service + route('"keys", "store"', 'to = "signed"');
  assert.equal(found(onService), ['reads the consumer to choose the credential for the target']);
});

test('routes that share a cache are chosen by facts of its key', () => {
  const routes = `${route('"store"')}[[route]]\nname = "beta"\nmatch = { path = "/orders/{id}", methods = ["GET"], headers = { x-beta = "1" } }\nto = "orders"\npolicies = ["store"]\n`;
  assert.equal(found(store('route = true') + routes), []);
  assert.equal(found(store('route = false\nfields = ["x-beta"]') + routes), []);
  assert.equal(found(store('route = false') + routes), [
    'reads the header field `x-beta` to choose between routes with this cache',
  ]);
});

test('the help names the setting of the key', () => {
  const helped = (cache: string, read: string): string => {
    const inner = `[policy.inner]\nuse = "headers"\n${read}\n`;
    const spec = POLICY + cache + inner + route('"keys", "store", "inner"');
    const { diagnostics } = check(project({ 'gateway.toml': spec, 'store.ts': STORE }), thread);
    return diagnostics.find(({ code }) => code === 'cache/unkeyed')?.help?.split(',')[0] ?? '';
  };
  const set = (value: string): string => `request.set.x-a = "${value}"`;
  const cache = (key: string): string => `[policy.store]\nuse = "cache"\nkey = { ${key} }\n`;
  for (const [key, read, help] of [
    ['', set('{request.header.x-beta}'), 'Add `x-beta` to `key.fields` of policy `store`'],
    ['consumer = false', set('{consumer.name}'), 'Set `key.consumer = true` in policy `store`'],
    ['consumer = false', set('{claims.region}'), 'Set `key.consumer = true` in policy `store`'],
    ['claims = ["sub"]', set('{claims.region}'), 'Add `region` to `key.claims` of policy `store`'],
    ['', set('{client.ip}'), 'Set `key.client = true` in policy `store`'],
    ['query = ["page"]', 'when = \'request.query.q == "1"\'', 'Add `q` to `key.query` of policy `store`'],
    [
      'query_except = ["q"]',
      'when = \'request.query.q == "1"\'',
      'Remove `q` from `key.query_except` of policy `store`',
    ],
  ] as const)
    assert.is(helped(cache(key), `${read}\n${read.startsWith('when') ? 'request.set.x-a = "1"' : ''}`), help);
  // The settings of custom code are its own.
  assert.is(helped(store(''), set('{client.ip}')), 'Add it to the key of policy `store`');
});

test('every action, and every policy that can be inside of a cache, declares what it reads', () => {
  const outside = (use: string): boolean => ['compress', 'error-page'].includes(use);
  const inside = declarations.filter(
    ({ phase, use }) => ['cache', 'transform', 'balance'].includes(phase) && !outside(use),
  );
  const silent = [...inside, ...actions].filter(({ requestFacts }) => requestFacts === undefined).map(({ use }) => use);
  assert.equal(silent, []);
});

test.run();
