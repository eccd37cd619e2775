/** csrf: where requests come from, and tokens. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { before, compile, decode, exchange, host, lint, targetReply, world } from './support.js';

type Fields = { readonly [name: string]: string };

const SECRET = 's'.repeat(32);

/** A policy whose references are resolved. */
function of(keys = ''): PolicyInstance {
  const text = JSON.stringify(compile('csrf', keys)).replaceAll(
    /\{"\$ref":"\$\{env:(\w+)\}"\}/g,
    (_all, name: string) => JSON.stringify(name === 'OLD' ? 'o'.repeat(32) : name === 'SHORT' ? 'short' : SECRET),
  );
  return runHalves['csrf']!(JSON.parse(text), host(world()));
}

function request(fields: Fields = {}, more: Partial<Exchange> = {}): Exchange {
  const headers = Object.entries({ host: 'shop.example', ...fields });
  return Object.assign(exchange({ method: 'POST', headers }), more);
}

const passes = (policy: PolicyInstance, fields: Fields, more: Partial<Exchange> = {}): boolean =>
  before(policy, request(fields, more)) === undefined;

test('Sec-Fetch-Site decides', () => {
  const policy = of();
  assert.ok(passes(policy, { 'sec-fetch-site': 'same-origin' }));
  assert.ok(passes(policy, { 'sec-fetch-site': 'none' }));
  assert.not.ok(passes(policy, { 'sec-fetch-site': 'cross-site' }));
  assert.not.ok(passes(policy, { 'sec-fetch-site': 'same-site' }));
  assert.ok(passes(of('same_site = true'), { 'sec-fetch-site': 'same-site' }));
  assert.not.ok(passes(policy, { 'sec-fetch-site': 'Same-Origin, none' }));
  // It counts more than an Origin that looks right: a proxy may have changed Host.
  assert.not.ok(passes(policy, { 'sec-fetch-site': 'cross-site', origin: 'http://shop.example' }));
  assert.ok(passes(policy, { 'sec-fetch-site': 'same-origin', origin: 'https://public.example' }));
});

test('Origin decides if there is no Sec-Fetch-Site', () => {
  const policy = of();
  assert.ok(passes(policy, { origin: 'http://shop.example' }));
  assert.ok(passes(policy, { origin: 'https://shop.example' }), 'a proxy may have ended TLS');
  assert.ok(passes(policy, { origin: 'http://shop.example', host: 'SHOP.example:80' }));
  assert.ok(passes(policy, { origin: 'http://shop.example:8080', host: 'shop.example:8080' }));
  for (const origin of [
    'http://shop.example:8080',
    'http://evil.example',
    'http://shop.example.evil.example',
    'null',
    '',
    'ftp://shop.example',
    'shop.example',
  ])
    assert.not.ok(passes(policy, { origin }), origin);
  const secure = { scheme: 'https' } as const;
  assert.ok(passes(policy, { origin: 'https://shop.example' }, secure));
  assert.not.ok(passes(policy, { origin: 'http://shop.example' }, secure), 'a page over HTTP');
});

test('trusted origins: exact, and with a wildcard for labels', () => {
  const policy = of('trusted_origins = ["https://admin.example", "https://*.shop.example:8443"]');
  const cross = { 'sec-fetch-site': 'cross-site' };
  assert.ok(passes(policy, { ...cross, origin: 'https://admin.example' }));
  assert.ok(passes(policy, { ...cross, origin: 'https://a.b.shop.example:8443' }));
  for (const origin of [
    'http://admin.example',
    'https://admin.example.evil.example',
    'https://shop.example:8443',
    'https://x@a.shop.example:8443',
    'https://evil.example/a.shop.example:8443',
  ])
    assert.not.ok(passes(policy, { ...cross, origin }), origin);
  assert.ok(passes(policy, { referer: 'https://admin.example/users' }));
});

test('Referer decides if there is neither', () => {
  const policy = of();
  assert.ok(passes(policy, { referer: 'http://shop.example/cart?x=1' }));
  assert.not.ok(passes(policy, { referer: 'http://evil.example/shop.example' }));
  assert.not.ok(passes(policy, { referer: 'not a url' }));
  assert.ok(passes(policy, {}));
  assert.not.ok(passes(of('require_source = true'), {}));
});

test('safe methods pass, but not a WebSocket', () => {
  const cross = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) assert.ok(passes(of(), cross, { method }), method);
  for (const method of ['PUT', 'PATCH', 'DELETE', 'get', 'PROPFIND'])
    assert.not.ok(passes(of(), cross, { method }), method);
  assert.not.ok(passes(of(), { ...cross, upgrade: 'WebSocket', connection: 'upgrade' }, { method: 'GET' }));
});

test('the answer and the decision', () => {
  const on = Object.assign(request({ 'sec-fetch-site': 'cross-site' }), { decisions: [] });
  const reply = before(of(), on)!;
  assert.equal([reply.status, reply.code, reply.cause], [403, 'csrf/refused', 'Sec-Fetch-Site is cross-site']);
  assert.is(on.decisions!.at(-1)!.why, 'Sec-Fetch-Site is cross-site');
});

// ---------------------------------------------------------------- tokens

const TOKEN = 'token = { secrets = ["${env:CSRF_SECRET}"], session = "sid" }';
const OWN = { 'sec-fetch-site': 'same-origin' };

/** The cookie that the reply to a safe request sets; undefined for none. */
function issued(policy: PolicyInstance, fields: Fields = {}): string | undefined {
  const reply: Reply = targetReply();
  policy.after!(request(fields, { method: 'GET' }), reply);
  return reply.headers.get('set-cookie');
}
const tokenIn = (cookie: string | undefined): string => /^__Host-csrf=([^;]+);/.exec(cookie ?? '')?.[1] ?? '';

test('a token of the cookie, repeated in the field, passes', () => {
  const policy = of(TOKEN);
  const cookie = issued(policy, { cookie: 'sid=1' });
  assert.match(cookie!, /^__Host-csrf=[\w-]{22}\.[\w-]{43}; Path=\/; Secure; SameSite=Lax$/);
  const token = tokenIn(cookie);
  const sent = (value: string, cookies: string): boolean =>
    passes(policy, { ...OWN, 'x-csrf-token': value, cookie: cookies });
  assert.ok(sent(token, `sid=1; __Host-csrf=${token}`));
  assert.not.ok(sent(token, 'sid=1'), 'no cookie');
  assert.not.ok(sent(token, `sid=2; __Host-csrf=${token}`), 'of another session');
  assert.not.ok(sent(`${token}x`, `sid=1; __Host-csrf=${token}x`), 'not signed');
  assert.not.ok(passes(policy, { ...OWN, cookie: `sid=1; __Host-csrf=${token}` }), 'no field');
  assert.not.ok(
    passes(policy, { 'sec-fetch-site': 'cross-site', 'x-csrf-token': token, cookie: `sid=1; __Host-csrf=${token}` }),
  );
  assert.is(issued(policy, { cookie: `sid=1; __Host-csrf=${token}` }), undefined, 'a valid token stays');
  assert.ok(issued(policy, { cookie: `sid=2; __Host-csrf=${token}` }), 'another session gets another one');
});

test('a token of a replaced secret is valid while the secret is in the list', () => {
  const old = of('token = { secrets = ["${env:OLD}"] }');
  const token = tokenIn(issued(old));
  const fields = { ...OWN, 'x-csrf-token': token, cookie: `__Host-csrf=${token}` };
  assert.ok(passes(of('token = { secrets = ["${env:CSRF_SECRET}", "${env:OLD}"] }'), fields));
  assert.not.ok(passes(of('token = { secrets = ["${env:CSRF_SECRET}"] }'), fields));
});

test('without a token nothing is set', () => {
  assert.is(of().after, undefined);
  const reply = targetReply();
  of(TOKEN).after!(request({}, { method: 'POST' }), reply);
  assert.is(reply.headers.get('set-cookie'), undefined);
});

test('secrets: references, and long enough', () => {
  assert.equal(decode('csrf', 'token = { secrets = ["0123456789"] }').errors, [
    'A secret must not be written in the spec.',
  ]);
  assert.throws(() => of('token = { secrets = ["${env:SHORT}"] }'), /less than 32 bytes/);
});

test('lint: cookies that are not safe', () => {
  const routes = (scheme: 'http' | 'https') => [{ name: 'r', params: [], methods: [], path: '/', schemes: [scheme] }];
  assert.equal(lint('csrf', TOKEN, { routes: routes('https') }), []);
  assert.equal(lint('csrf', TOKEN, { routes: routes('http') }), ['csrf/insecure-cookie token']);
  const plain = 'token = { secrets = ["${env:A}"], cookie = "csrf" }';
  assert.equal(lint('csrf', plain, { routes: routes('https') }), ['csrf/insecure-cookie token']);
});

test('an origin that browsers never send in this form is refused', () => {
  const errorsOf = (origin: string): string[] => decode('csrf', `trusted_origins = ["${origin}"]`).errors;
  for (const [origin, sent] of [
    ['https://app.example.com:443', 'https://app.example.com'],
    ['http://app.example.com:80', 'http://app.example.com'],
    ['https://*.example.com:443', 'https://*.example.com'],
    ['https://app.example.com:08443', 'https://app.example.com:8443'],
    ['http://127.1:3000', 'http://127.0.0.1:3000'],
    ['http://[0:0::1]', 'http://[::1]'],
  ] as const)
    assert.equal(errorsOf(origin), [`Browsers send this origin as \`${sent}\`, so \`${origin}\` matches nothing.`]);
  assert.equal(errorsOf('https://app.example.com:99999').length, 1);
  for (const origin of [
    'https://app.example.com',
    'http://app.example.com:443',
    'https://*.example.com:8443',
    'http://[::1]:3000',
  ])
    assert.equal(errorsOf(origin), [], origin);
});

test.run();
