import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Decision } from '../../src/policies/contract.js';
import { problem } from '../../src/policies/run-kit.js';
import { before, compile, create, decode, exchange, type Given, lint, targetReply } from './support.js';

const APP = 'https://app.example.com';
const preflight = (origin: string, extra: readonly (readonly [string, string])[] = []): Given => ({
  method: 'OPTIONS',
  headers: [['origin', origin], ['access-control-request-method', 'PUT'], ...extra],
});

test('a preflight of an allowed origin is answered by gw', () => {
  const policy = create('cors', `origins = ["${APP}"]\nheaders = ["X-Api-Key", "content-type"]\nmax_age = "1h"`);
  assert.is(policy.answersPreflight, true);
  const reply = before(policy, exchange(preflight(APP)))!;
  assert.is(reply.status, 204);
  assert.is(reply.body, null);
  assert.is(reply.headers.get('access-control-allow-origin'), APP);
  assert.is(reply.headers.get('access-control-allow-methods'), 'GET, HEAD, POST, PUT, PATCH, DELETE');
  assert.is(reply.headers.get('access-control-allow-headers'), 'x-api-key, content-type');
  assert.is(reply.headers.get('access-control-max-age'), '3600');
  assert.is(reply.headers.get('access-control-allow-credentials'), undefined);
  assert.is(reply.headers.get('vary'), 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers');
});

test('a preflight of another origin gets no permission', () => {
  const decisions: Decision[] = [];
  const reply = before(
    create('cors', `origins = ["${APP}"]`),
    exchange({ ...preflight('https://evil.example'), decisions }),
  )!;
  assert.is(reply.status, 204);
  assert.is(reply.headers.get('access-control-allow-origin'), undefined);
  assert.is(reply.headers.get('access-control-allow-methods'), undefined);
  assert.match(decisions[0]!.why, 'not allowed');
});

test('an OPTIONS request that is not a preflight, and every other method, passes', () => {
  const policy = create('cors', `origins = ["${APP}"]`);
  assert.is(before(policy, exchange({ method: 'OPTIONS', headers: [['origin', APP]] })), undefined);
  assert.is(before(policy, exchange({ method: 'OPTIONS' })), undefined);
  assert.is(before(policy, exchange({ ...preflight(APP), method: 'POST' })), undefined);
});

test('all replies have CORS fields, including those of gw', () => {
  const policy = create('cors', `origins = ["${APP}"]\nexpose = ["RateLimit"]\ncredentials = true`);
  const on = exchange({ headers: [['origin', APP]] });
  const refused = problem(on, { status: 401, code: 'auth/missing', title: 'No.' });
  policy.after?.(on, refused);
  assert.is(refused.headers.get('access-control-allow-origin'), APP);
  assert.is(refused.headers.get('access-control-allow-credentials'), 'true');
  assert.is(refused.headers.get('access-control-expose-headers'), 'ratelimit');
  assert.is(refused.headers.get('vary'), 'Origin');
});

test('CORS fields of the target are replaced', () => {
  const policy = create('cors', `origins = ["${APP}"]`);
  const reply = targetReply([
    ['access-control-allow-origin', '*'],
    ['access-control-allow-credentials', 'true'],
    ['vary', 'Accept'],
  ]);
  const decisions: Decision[] = [];
  policy.after?.(exchange({ headers: [['origin', 'https://evil.example']], decisions }), reply);
  assert.is(reply.headers.get('access-control-allow-origin'), undefined);
  assert.is(reply.headers.get('access-control-allow-credentials'), undefined);
  assert.is(reply.headers.get('vary'), 'Accept, Origin');
  assert.match(decisions[0]!.why, 'not allowed');
});

test('without an Origin a reply still varies by it', () => {
  const reply = targetReply([['vary', 'origin']]);
  create('cors', `origins = ["${APP}"]`).after?.(exchange(), reply);
  assert.is(reply.headers.get('vary'), 'origin');
  assert.is(reply.headers.get('access-control-allow-origin'), undefined);
});

test('with every origin allowed, replies have a wildcard and do not vary', () => {
  const policy = create('cors', 'origins = ["*"]');
  const reply = targetReply();
  policy.after?.(exchange({ headers: [['origin', 'null']] }), reply);
  assert.is(reply.headers.get('access-control-allow-origin'), '*');
  assert.is(reply.headers.get('vary'), undefined);
});

test('wildcards match only labels', () => {
  const policy = create('cors', 'origins = ["https://*.example.com", "http://*.example.com:8080"]');
  const allowed = (origin: string): boolean => {
    const reply = targetReply();
    policy.after?.(exchange({ headers: [['origin', origin]] }), reply);
    return reply.headers.get('access-control-allow-origin') === origin;
  };
  for (const origin of ['https://a.example.com', 'https://a.b.example.com', 'http://a.example.com:8080']) {
    assert.ok(allowed(origin), origin);
  }
  for (const origin of [
    'https://example.com',
    'https://.example.com',
    'http://a.example.com',
    'https://a.example.com:8443',
    'https://evil.com/.example.com',
    'https://evil.com#.example.com',
    'https://a.example.com.evil.com',
    'https://evilexample.com',
  ]) {
    assert.not.ok(allowed(origin), origin);
  }
});

test('any request field: requested fields are allowed unless invalid', () => {
  const policy = create('cors', `origins = ["${APP}"]\nheaders = ["*"]`);
  const asked = before(policy, exchange(preflight(APP, [['access-control-request-headers', 'x-a, x-b']])))!;
  assert.is(asked.headers.get('access-control-allow-headers'), 'x-a, x-b');
  const odd = before(policy, exchange(preflight(APP, [['access-control-request-headers', 'x-a: (']])))!;
  assert.is(odd.headers.get('access-control-allow-headers'), undefined);
  const none = before(policy, exchange(preflight(APP)))!;
  assert.is(none.headers.get('access-control-allow-headers'), undefined);
});

test('an invalid origin is refused when the spec is read', () => {
  for (const origin of [
    'app.example.com',
    'https://app.example.com/',
    'https://*',
    'https://a.*.com',
    'https://A.com',
    '',
  ]) {
    assert.is(decode('cors', `origins = ["${origin}"]`).errors.length, 1, origin);
  }
  for (const origin of ['null', 'http://localhost:3000', 'http://[::1]:8080', 'capacitor://localhost']) {
    assert.is(decode('cors', `origins = ["${origin}"]`).errors.length, 0, origin);
  }
  assert.is(decode('cors', 'origins = []').errors.length, 1);
  assert.is(decode('cors', 'origins = ["*"]\nheaders = ["a b"]').errors.length, 1);
});

test('lint: every origin with credentials', () => {
  assert.equal(lint('cors', `origins = ["${APP}", "*"]\ncredentials = true`), [
    'cors/any-origin-with-credentials origins.1',
  ]);
  assert.equal(lint('cors', 'origins = ["*"]'), []);
  assert.equal(lint('cors', `origins = ["${APP}"]\ncredentials = true`), []);
});

test('keys compile to settings', () => {
  assert.equal(compile('cors', 'origins = ["https://*.example.com:8443", "null"]\nmethods = ["GET"]'), {
    anyOrigin: false,
    origins: ['null'],
    wildcards: [{ before: 'https://', after: '.example.com:8443' }],
    methods: ['GET'],
    headers: '',
    expose: '',
    credentials: false,
    maxAge: 600,
  });
});

test('an origin that browsers never send in this form is refused', () => {
  const errorsOf = (origin: string): string[] => decode('cors', `origins = ["${origin}"]`).errors;
  assert.match(
    errorsOf('https://app.example.com:443').join(),
    'Browsers send this origin as `https://app.example.com`',
  );
  for (const origin of ['*', 'null', 'https://*.example.com', 'chrome-extension://abc'])
    assert.equal(errorsOf(origin), [], origin);
});

test.run();
