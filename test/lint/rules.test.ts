/** Each rule beyond its fixture: further findings, and cases without a finding. */
import { readdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allCodes, lint, rules } from '../../src/lint/index.js';
import { CONSUMER, check, checked, codes, HEAD, KEY, KEYS, ORDERS, route } from './kit.js';

const POLITE = '[policy.polite]\nuse = "rate-limit"\nlimit = "10/s"\n';
const R = '[[route]]\nname = "list"\nmatch = "GET /orders"\nto = "orders"\n';
const guarded = (match: string): string => route(match, 'to = "orders"\npolicies = ["keys"]');

/** Checks a spec that declares its own listener and service. */
const checkWhole = (text: string): string[] => codes(checked(`spec = 1\n${text}`).diagnostics);
const listening = (address: string, more = ''): string =>
  `[listener.main]\naddress = "${address}"\n${more}${ORDERS}${R}`;
const targeting = (...targets: string[]): string[] =>
  codes(checked(`${HEAD}[service.orders]\ntargets = ${JSON.stringify(targets)}\n${R}`).diagnostics);

test('every file in rules/ is a rule named after its code, and codes are unique', () => {
  const files = readdirSync('src/lint/rules').filter((file) => file !== 'index.ts');
  assert.equal(
    rules.map(({ code }) => `${code.replace('/', '-')}.ts`),
    files.sort(),
  );
  assert.ok(rules.length >= 20);
  const all = allCodes().map(({ code }) => code);
  assert.is(new Set(all).size, all.length);
});

test('a valid spec has no diagnostics', () => {
  assert.equal(check(R), []);
  assert.equal(lint(checked(HEAD + ORDERS + R).value!), []);
});

test('lint() reports findings that [[lint.allow]] silences', () => {
  const text = `${R}[service.users]\ntargets = ["http://127.0.0.1:1"]\n[[lint.allow]]\ncode = "service/unused"\nreason = "later"\n`;
  assert.equal(check(text), []);
  assert.equal(codes(lint(checked(HEAD + ORDERS + text).value!)), ['service/unused']);
});

test('allow with `at` silences only that entity', () => {
  const services = '[service.a]\ntargets = ["http://127.0.0.1:1"]\n[service.b]\ntargets = ["http://127.0.0.1:2"]\n';
  const allow = (at: string): string => `[[lint.allow]]\ncode = "service/unused"\nreason = "later"\nat = "${at}"\n`;
  const found = check(R + services + allow('service.a'));
  assert.equal(
    found.map(({ entity }) => entity),
    ['service.b'],
  );
  const wrong = check(R + services + allow('service.aa'));
  assert.equal(codes(wrong), ['service/unused', 'service/unused', 'lint/allow-unused']);
  assert.match(wrong[2]!.help ?? '', '`service.a`');
});

test('allow: a code without similar codes has no suggestion, and its help links the index of codes', () => {
  const [found] = check(`${R}[[lint.allow]]\ncode = "everything/at-all"\nreason = "later"\n`);
  assert.is(found?.code, 'lint/allow-unknown');
  assert.is(found!.fix, undefined);
  assert.match(found!.help ?? '', 'docs/diagnostics');
});

test('an unused allow is not reported while errors may hide its findings', () => {
  const text = `${R}retires = 1\n[[lint.allow]]\ncode = "service/unused"\nreason = "later"\n`;
  assert.equal(codes(check(text)), ['schema/unknown-key']);
});

test('rules about missing entities are skipped while the spec has errors', () => {
  assert.equal(codes(check(`${KEYS}${route('GET /orders', 'to = "nowhere"')}`)), ['name/unresolved']);
});

test('rules about existing entities run despite errors elsewhere', () => {
  const found = codes(check(`${route('GET /a')}${route('GET /a')}${route('GET b')}`));
  assert.equal(found, ['route/duplicate', 'path/no-slash']);
});

test('route/unauthenticated: public reads with authenticated writes are not reported', () => {
  assert.equal(codes(check(KEYS + CONSUMER + route('GET /a') + guarded('POST /a'))), []);
  assert.equal(codes(check(KEYS + CONSUMER + route('DELETE /a') + guarded('POST /a'))), ['route/unauthenticated']);
  assert.equal(codes(check(KEYS + CONSUMER + route('/a/b') + guarded('POST /a'))), ['route/unauthenticated']);
  assert.equal(codes(check(KEYS + CONSUMER + route('OPTIONS /a') + guarded('GET /a'))), []);
});

test('route/unauthenticated: if most routes are public, nothing is reported', () => {
  assert.equal(codes(check(KEYS + CONSUMER + guarded('GET /admin') + route('GET /a') + route('GET /b'))), []);
});

test('route/unauthenticated: an optional key does not count as authentication', () => {
  const text = `${KEYS}optional = true\n${CONSUMER}${guarded('GET /a')}${route('GET /b')}`;
  assert.equal(codes(check(text)), []);
});

test('route/unauthenticated: routes to other services are not compared', () => {
  const users = '[service.users]\ntargets = ["http://127.0.0.1:1"]\n';
  assert.equal(codes(check(users + KEYS + CONSUMER + guarded('GET /a') + route('GET /b', 'to = "users"'))), []);
});

test('route/timeout-budget: no timeout, defaults, and one attempt', () => {
  const service = (more: string): string => `${HEAD}${ORDERS}${more}`;
  const timed = (timeout: string): string => route('GET /a', `to = "orders"\ntimeout = "${timeout}"`);
  assert.equal(codes(checked(service('retries = 9\n') + timed('0s')).diagnostics), []);
  assert.equal(codes(checked(service('') + timed('1s')).diagnostics), []);
  const [one] = checked(service('retries = 0\n') + timed('10s')).diagnostics;
  assert.match(one?.message ?? '', 'one attempt');
  const [byDefault] = checked(service('response_timeout = "90s"\n') + R).diagnostics;
  assert.match(byDefault?.message ?? '', 'times out after 1m');
});

test('route/strip-prefix: every path of the route must start with it', () => {
  const stripped = (match: string, prefix: string): string[] =>
    codes(check(route(match, `to = "orders"\nstrip_prefix = "${prefix}"`)));
  assert.equal(stripped('GET /api/orders', '/api'), []);
  assert.equal(stripped('GET /api/{id}', '/api'), []);
  assert.equal(stripped('GET /api/{rest...}', '/%61pi'), []);
  for (const [match, prefix] of [
    ['GET /{tenant}/orders', '/api'],
    ['GET /{all...}', '/api/v1'],
    ['GET /api/{rest...}', '/api/v1'],
    ['GET /api/{v:v[0-9]}/x', '/api/v1'],
    ['GET /api/{v}/x', '/api/{v}'],
  ] as const)
    assert.equal(stripped(match, prefix), ['route/strip-prefix'], `${match} ${prefix}`);
  assert.equal(stripped('GET /api', '/api/v1'), ['route/strip-prefix']);
  assert.equal(stripped('GET /apis/x', '/api'), ['route/strip-prefix']);
});

test('route/ignored-setting names each setting', () => {
  const text = route('GET /ping', 'reply = { body = "pong" }\nrewrite = "/pong"');
  assert.equal(codes(check(R + text)), ['route/ignored-setting']);
  const replying = 'reply = { body = "pong" }';
  for (const key of ['strip_prefix = "/ping"', 'stream_idle_timeout = "5m"', 'websocket = {}'])
    assert.equal(codes(check(R + route('GET /ping', `${replying}\n${key}`))), ['route/ignored-setting'], key);
  assert.equal(codes(check(R + route('GET /ping', `${replying}\nstream = true`))), []);
});

test('route/ignored-setting: WebSockets of a route that takes no GET', () => {
  const found = (match: string): string[] => codes(check(route(match, 'to = "orders"\nwebsocket = {}')));
  assert.equal(found('POST /chat'), ['route/ignored-setting']);
  assert.equal(found('{ methods = ["HEAD", "POST"], path = "/chat" }'), ['route/ignored-setting']);
  assert.equal(found('{ methods = ["GET", "POST"], path = "/chat" }'), []);
  assert.equal(found('/chat'), []);
});

test('listener/proxy-protocol: `unix` is the only trusted proxy', () => {
  const found = (address: string, ...proxies: string[]): string[] =>
    checkWhole(listening(address, `proxy_protocol = true\ntrusted_proxies = ${JSON.stringify(proxies)}\n`));
  assert.equal(found('127.0.0.1:8080', 'unix'), ['listener/proxy-protocol']);
  assert.equal(found('127.0.0.1:8080', 'unix', '10.0.0.0/8'), []);
  assert.equal(found('unix:/run/gw/http.sock', 'unix'), []);
});

test('service/grpc-retry-unused, service/grpc-over-http1: methods, the protocol, and a port for checks', () => {
  const found = (more: string): string[] => codes(checked(`${HEAD}${ORDERS}${more}\n${R}`).diagnostics);
  const retry = (more: string): string[] => found(`protocol = "h2"\nretry = { grpc = ["unavailable"]${more} }`);
  assert.equal(retry(''), ['service/grpc-retry-unused']);
  assert.equal(retry(', methods = ["GET"]'), ['service/grpc-retry-unused']);
  assert.equal(retry(', methods = ["GET", "POST"]'), []);
  assert.equal(found('health = { type = "grpc" }'), ['service/grpc-over-http1']);
  assert.equal(found('health = { type = "grpc", port = 1 }'), []);
  assert.equal(found('protocol = "h2"\nhealth = { type = "grpc" }'), []);
});

test('policy/unused: a policy of a group is used', () => {
  const group = `[[group]]\nprefix = "/api"\npolicies = ["polite"]\n[[group.route]]\nmatch = "GET /a"\nto = "orders"\n`;
  assert.equal(codes(check(POLITE + group)), []);
});

test('policy/repeated: a policy of the group and the route is reported at the route, and once for several routes', () => {
  const inner = '[[group.route]]\nmatch = "GET /a"\nto = "orders"\npolicies = ["polite"]\n';
  const found = check(`${POLITE}[[group]]\nprefix = "/api"\npolicies = ["polite"]\n${inner}`);
  assert.equal(codes(found), ['policy/repeated']);
  assert.match(found[0]!.related?.[0]?.message ?? '', 'group');
  const nested = `[[group]]\npolicies = ["polite"]\n[[group.group]]\npolicies = ["polite"]\n${[1, 2]
    .map((index) => `[[group.group.route]]\nmatch = "GET /${index}"\nto = "orders"\n`)
    .join('')}`;
  const [one, ...more] = check(POLITE + nested);
  assert.equal(more, []);
  assert.match(one!.message, '`GET /1` and `GET /2` already have');
});

test('consumer/unused without any key policy, consumer/no-credential with one', () => {
  const bare = '[consumer.bare]\n';
  assert.equal(codes(check(R + bare)), ['consumer/unused']);
  assert.equal(codes(check(`${KEYS}${CONSUMER}${bare}${guarded('GET /a')}`)), ['consumer/no-credential']);
});

test('consumer/shared-key: repeated keys of one consumer and repeated references are reported', () => {
  const keys = (list: string): string => `${KEYS}[consumer.acme]\napi_keys = [${list}]\n${guarded('GET /a')}`;
  assert.match(check(keys(`"${KEY}", "${KEY}"`))[0]?.message ?? '', 'twice');
  assert.equal(codes(check(keys('"${env:K}", "${env:K}"'))), ['consumer/shared-key']);
  assert.equal(codes(check(keys('"${env:K}", "${env:L}"'))), []);
});

test('consumer/shared-key: a user name of two consumers, and an id that another kind has', () => {
  const user = (name: string): string =>
    `[[consumer.${name}.credentials]]\nusername = "alice"\npassword = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"\n`;
  const [found, ...more] = check(
    `${KEYS}${CONSUMER}${user('acme')}[consumer.b]\napi_keys = ["${KEY.replace('0', '1')}"]\n${user('b')}${guarded('GET /a')}`,
  );
  assert.equal([found?.code, more.length], ['consumer/shared-key', 0]);
  assert.match(found!.message, 'Consumer `acme` has the same user name');
  const kinds = `[consumer.b]\n[[consumer.b.credentials]]\ncertificate = "${KEY}"\n[[consumer.b.credentials]]\nkey = "${KEY.replace('0', '1')}"\n`;
  assert.equal(codes(check(`${KEYS}${CONSUMER}${kinds}${guarded('GET /a')}`)), []);
});

test('consumer/credential-name: also a name that a key of api_keys has', () => {
  const named = (name: string): string =>
    `[[consumer.acme.credentials]]\nname = "${name}"\nkey = "${KEY.replace('0', '1')}"\n`;
  assert.equal(codes(check(`${KEYS}${CONSUMER}${named('key-1')}${guarded('GET /a')}`)), ['consumer/credential-name']);
  assert.equal(codes(check(`${KEYS}${CONSUMER}${named('key-2')}${guarded('GET /a')}`)), []);
});

test('consumer/expired: at the date, also of a credential in an array', () => {
  const inline = (expires: string): string =>
    `[consumer.acme]\ncredentials = [{ key = "${KEY}", expires = ${expires} }]\n`;
  const [found] = check(`${KEYS}${inline('2025-01-01T00:00:00Z')}${guarded('GET /a')}`);
  assert.is(found?.code, 'consumer/expired');
  assert.is(found!.span.start.column, inline('').indexOf('expires = ') - '[consumer.acme]\n'.length + 11);
  assert.equal(codes(check(`${KEYS}${inline('2199-01-01T00:00:00Z')}${guarded('GET /a')}`)), []);
});

test('consumer/no-credential: by the kinds that routes ask for', () => {
  const basic = '[policy.users]\nuse = "basic"\n';
  const both = route('GET /b', 'to = "orders"\npolicies = ["users"]');
  const found = check(`${basic}${CONSUMER}${both}`);
  assert.ok(codes(found).includes('consumer/no-credential'));
  assert.match(found.find(({ code }) => code === 'consumer/no-credential')!.message, 'no user name and password');
  assert.not.ok(
    codes(check(`${basic}${KEYS}${CONSUMER}${both}${guarded('GET /a')}`)).includes('consumer/no-credential'),
  );
});

test('consumer/weak-key: the hash of an empty key has a separate message', () => {
  const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const [found] = check(`${KEYS}[consumer.acme]\napi_keys = ["${empty}"]\n${guarded('GET /a')}`);
  assert.match(found?.message ?? '', 'is empty');
});

test('limit/before-authentication: an optional key is sufficient, a policy of another phase is not', () => {
  const by = `${POLITE}by = "consumer"\n`;
  const uses = (list: string): string => route('GET /a', `to = "orders"\npolicies = [${list}]`);
  assert.equal(codes(check(`${KEYS}optional = true\n${CONSUMER}${by}${uses('"polite", "keys"')}`)), []);
  const headers = '{ use = "headers", request.set = { x-a = "1" } }';
  assert.equal(codes(check(by + uses(`${headers}, "polite"`))), ['limit/before-authentication']);
});

test('limit/before-authentication: one finding per group names its routes', () => {
  const routes = ['a', 'b', 'c', 'd', 'e'].map((name) => `[[group.route]]\nmatch = "GET /${name}"\nto = "orders"\n`);
  const found = check(`${POLITE}by = "consumer"\n[[group]]\npolicies = ["polite"]\n${routes.join('')}`);
  assert.equal(codes(found), ['limit/before-authentication']);
  assert.match(found[0]!.message, '`GET /a`, `GET /b`, `GET /c` and 2 more');
});

test('limit/spoofable-key: forwarded addresses have a specific help, and the entity is the route', () => {
  const limited = (by: string): string =>
    route('GET /a', `to = "orders"\npolicies = [{ use = "rate-limit", limit = "1/s", by = "${by}" }]`);
  const [found] = check(limited('header:X-Forwarded-For'));
  assert.is(found?.code, 'limit/spoofable-key');
  assert.match(found!.help ?? '', 'trusted_proxies');
  assert.is(found!.entity, 'route.r0');
  assert.equal(codes(check(limited('ip'))), []);
});

test('plan/zero-limit and plan/unused', () => {
  assert.equal(codes(check(`${R}[plan.gold]\n`)), ['plan/unused']);
});

test('plan/no-effect: only a limit by consumer uses a plan', () => {
  const planned = (by: string): string =>
    `${KEYS}${POLITE}by = "${by}"\n[plan.gold]\nlimits.polite = "9/s"\n${CONSUMER}plan = "gold"\n${route(
      'GET /a',
      'to = "orders"\npolicies = ["keys", "polite"]',
    )}`;
  assert.equal(codes(check(planned('consumer'))), []);
  assert.equal(codes(check(planned('route'))), ['plan/no-effect']);
});

test('target/scheme-port: http on 443 and https on 80 are reported, other ports are not', () => {
  assert.equal(targeting('http://a:443'), ['target/scheme-port']);
  assert.equal(targeting('https://a:80'), ['target/scheme-port']);
  assert.equal(targeting('http://a:8443', 'https://a', 'http://a'), []);
});

const secretsIn = (lines: string): string[] =>
  codes(checked(`${HEAD}[service.orders]\nrun = { command = "node x.js", env = { ${lines} } }\n${R}`).diagnostics);

test('secret/plain-text: secrets are detected by form, name and randomness', () => {
  for (const line of [
    'A = "-----BEGIN RSA PRIVATE KEY-----"',
    'A = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc"',
    'A = "AKIAIOSFODNN7EXAMPLE"',
    'A = "postgres://shop:hunter2@db:5432/shop"',
    'DB_PASSWORD = "hunter2"',
    'API_KEY = "abcd1234"',
    'A = "Zk3vQ8xT1mWc5RbY7nHd2LpS9jGf4UaE"',
    'A = "d41d8cd98f00b204e9800998ecf8427e"',
    'A = "Basic dXNlcjpwYXNzd29yZA=="',
    'DB_PASS = "hunter2hunter"',
    'PGPASSWORD = "hunter2hunter"',
    'SECRET_KEY = "hunter2hunter"',
    'SECRET_KEY_BASE = "hunter2hunter"',
  ]) {
    assert.equal(secretsIn(line), ['secret/plain-text'], line);
  }
});

test('secret/plain-text: references, identifiers and plain words are not reported', () => {
  for (const line of [
    'DB_PASSWORD = "${env:DB_PASSWORD}"',
    'TOKEN_HEADER = "x-token"',
    'PASSWORD = "changeme"',
    'A = "the-quick-brown-fox-jumps-over-13-lazy-dogs"',
    'A = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"',
    'A = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1"',
    'A = "postgres://db:5432/shop"',
    'GIT_SHA = "da39a3ee5e6b4b0d3255bfef95601890afd80709"',
    'X_COMMIT = "da39a3ee5e6b4b0d3255bfef95601890afd80709"',
    'JAVA_OPTS = "UseG1GC2AndOtherOptionsWithCamelCase"',
    'A = "X-Requested-With-Version2AndMore"',
    'CSRF_TOKEN = "optional"',
    'A = "/opt/ShopService/Releases/2024-01-05/Run"',
    'A = "/var/lib/very/long/path/to/some/file-2024.json"',
  ]) {
    assert.equal(secretsIn(line), [], line);
  }
});

test('secret/plain-text: secrets on a command line are reported', () => {
  const running = (command: string): string[] =>
    codes(checked(`${HEAD}[service.orders]\nrun = { command = "${command}" }\n${R}`).diagnostics);
  assert.equal(running('node x.js --token=abcd1234efgh'), ['secret/plain-text']);
  assert.equal(running('node x.js --db-password hunter2'), ['secret/plain-text']);
  assert.equal(running('node x.js --token-file secrets/token'), []);
});

test('secret/plain-text: secrets in replies, admin tokens and tags are reported', () => {
  const token = 'Bearer 5f2b9c1d8e7a4f60';
  const inReply = route('GET /x', `reply = { headers = { x-auth = "${token}" } }`);
  assert.equal(codes(check(R + inReply)), ['secret/plain-text']);
  assert.equal(codes(check(`${R}[admin]\naddress = "127.0.0.1:9"\ntoken = "hunter2"\n`)), ['secret/plain-text']);
  assert.equal(codes(check(`${KEYS}${CONSUMER}tags = { password = "hunter2" }\n${guarded('GET /a')}`)), [
    'secret/plain-text',
  ]);
  const template = '{ use = "headers", request.set = { authorization = "Bearer of-{consumer.tags.token}" } }';
  assert.equal(
    codes(check(`${KEYS}${CONSUMER}${route('GET /a', `to = "orders"\npolicies = ["keys", ${template}]`)}`)),
    [],
  );
});

test('secret/plain-text: a hash of a password is none, and the default of a reference to a secret is refused', () => {
  const withCredential = (keys: string): string[] =>
    codes(check(`${KEYS}${CONSUMER}[[consumer.acme.credentials]]\nname = "x"\n${keys}\n${guarded('GET /a')}`));
  const hash = '$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$w4p5FjXPPTVG4SWvQqhVRGQvsAXJzS5ifrm9d2Yz0p8';
  assert.not.ok(withCredential(`username = "ann"\npassword = "${hash}"`).includes('secret/plain-text'));
  const signature = 'key_id = "k"\nalgorithm = "hmac-sha256"\nsecret = "${env:S:-0123456789abcdef0123456789abcdef}"';
  assert.equal(withCredential(signature), ['schema/format']);
  const csrf =
    '{ use = "csrf", token = { secrets = ["${env:S:-hunter2hunter2hunter2}"], session = "sid", cookie = "c" } }';
  assert.equal(codes(check(route('GET /a', `to = "orders"\npolicies = [${csrf}]`))), ['schema/format']);
});

test('policy/no-caller: conditions, templates and rules, unless something may authenticate', () => {
  const on = (policy: string, more = ''): string[] =>
    codes(
      check(`${KEYS}${CONSUMER}${guarded('GET /g')}${route('GET /a', `to = "orders"\npolicies = [${more}${policy}]`)}`),
    ).filter((code) => code === 'policy/no-caller');
  const one = ['policy/no-caller'];
  assert.equal(on('{ use = "headers", request.set = { x = "{claims.sub}" } }'), one);
  assert.equal(on('{ use = "headers", request.set = { x = "{{consumer.name}}" } }'), []);
  assert.equal(on('{ use = "headers", request.set = { x = "{consumer.name}" } }', '"keys", '), []);
  assert.equal(on(`{ use = "rate-limit", limit = "1/s", when = 'consumer.plan == "x"' }`), one);
  assert.equal(on('{ use = "allow", groups = ["a"] }'), one);
  assert.equal(on('{ use = "allow", methods = ["GET"] }'), []);
  assert.equal(on(`{ use = "allow", rules = [{ when = 'claims.x == "consumer.name"' }] }`), one);
});

test('target/plaintext: public hosts are reported, private ones are not', () => {
  for (const host of ['10.1.2.3', '172.31.0.1', '192.168.0.1', '169.254.1.1', '100.64.0.1', 'orders', 'orders.svc']) {
    assert.equal(targeting(`http://${host}`), [], host);
  }
  for (const host of ['[fd00::1]', '[fe80::1]', 'a.localhost', 'db.internal']) {
    assert.equal(targeting(`http://${host}`), [], host);
  }
  for (const host of ['8.8.8.8', '172.32.0.1', '100.128.0.1', 'example.com', '[2001:db8::1]', '11.0.0.1']) {
    assert.equal(targeting(`http://${host}`), ['target/plaintext'], host);
  }
  assert.equal(targeting('https://example.com'), []);
  assert.equal(targeting('${env:ORDERS_URL}'), []);
});

test('target/duplicate: a different port, scheme or path makes a different target', () => {
  assert.equal(targeting('http://a:1', 'http://a:2', 'https://a:1', 'http://a:1/x'), []);
  assert.equal(targeting('http://a', 'http://A:80/'), ['target/duplicate']);
});

test('target/self-loop: every address of this machine is recognised', () => {
  const loops = (address: string, target: string): boolean =>
    codes(
      checked(`spec = 1\n[listener.main]\naddress = "${address}"\n[service.orders]\ntargets = ["${target}"]\n${R}`)
        .diagnostics,
    ).includes('target/self-loop');
  assert.ok(loops(':8080', 'http://127.0.0.1:8080'));
  assert.ok(loops('0.0.0.0:8080', 'http://localhost:8080'));
  assert.ok(loops('[::]:8080', 'http://[::1]:8080'));
  assert.ok(loops('127.0.0.1:8080', 'http://0.0.0.0:8080'));
  assert.ok(loops('localhost:80', 'http://127.0.0.1'));
  assert.ok(loops('10.0.0.1:443', 'https://10.0.0.1'));
  assert.not.ok(loops('127.0.0.1:8080', 'http://127.0.0.1:8081'));
  assert.not.ok(loops('10.0.0.1:8080', 'http://127.0.0.1:8080'));
  assert.not.ok(loops(':0', 'http://127.0.0.1:8080'));
  assert.not.ok(loops('${env:ADDRESS}', 'http://127.0.0.1:8080'));
});

test('target/unspecified-address: IPv6 is reported too', () => {
  const [found] = checked(`${HEAD}[service.orders]\ntargets = ["http://[::]:4003"]\n${R}`).diagnostics;
  assert.is(found?.fix?.edits[0]?.text, '"http://[::1]:4003"');
});

test('listener/conflict: same address and port, including the admin API; not port 0 or other addresses', () => {
  const second = (address: string): string => `[listener.second]\naddress = "${address}"\n`;
  assert.equal(checkWhole(listening('127.0.0.1:8080', second('127.0.0.2:8080'))), []);
  assert.equal(checkWhole(listening('127.0.0.1:0', second('127.0.0.1:0'))), []);
  assert.equal(checkWhole(listening('127.0.0.1:8080', second('127.0.0.1:8080'))), ['listener/conflict']);
  assert.equal(checkWhole(listening('127.0.0.1:8080', second('localhost:8080'))), ['listener/conflict']);
  const admin = '[admin]\naddress = "127.0.0.1:8080"\ntoken = "${env:T}"\n';
  assert.equal(checkWhole(listening('127.0.0.1:8080', admin)), ['listener/conflict']);
});

test('listener/public-without-tls: public addresses are reported, private ones are not', () => {
  assert.equal(checkWhole(listening('203.0.113.7:80')), ['listener/public-without-tls']);
  assert.equal(checkWhole(listening(':80')), ['listener/public-without-tls']);
  assert.equal(checkWhole(listening('10.0.0.1:80')), []);
  assert.equal(checkWhole(listening('${env:ADDRESS}')), []);
});

test('listener/trusts-everyone: IPv6 is reported too, smaller ranges are not', () => {
  assert.equal(checkWhole(listening('127.0.0.1:80', 'trusted_proxies = ["::/0"]\n')), ['listener/trusts-everyone']);
  assert.equal(checkWhole(listening('127.0.0.1:80', 'trusted_proxies = ["10.0.0.0/8", "::1/128"]\n')), []);
});

test('template/unknown-variable: each unknown variable is reported at its place', () => {
  const rewritten = (to: string): string => route('GET /o/{id}', `to = "orders"\nrewrite = "${to}"`);
  assert.equal(codes(check(rewritten('/v2/{id}/{consumer.name}'))), []);
  const found = check(rewritten('/v2/{idd}/{reply.status}'));
  assert.equal(codes(found), ['template/unknown-variable', 'template/unknown-variable']);
  assert.is(found[0]!.span.end.offset - found[0]!.span.start.offset, '{idd}'.length);
});

test('policies lint their own config; findings of policies written in place belong to the route', () => {
  const empty = route('GET /a', 'to = "orders"\npolicies = [{ use = "headers" }]');
  const [found] = check(empty);
  assert.equal([found?.code, found?.entity], ['headers/empty', 'route.r0']);
  const allow = '[[lint.allow]]\ncode = "headers/empty"\nreason = "filled by an overlay"\nat = "route.r0"\n';
  assert.equal(check(route('GET /a', 'to = "orders"\npolicies = [{ use = "headers" }]') + allow), []);
});

test('policies get the consumers with their plans', () => {
  const text = `${KEYS}${POLITE}by = "consumer"\n[plan.gold]\n${CONSUMER}plan = "gold"\n${guarded('GET /a')}`;
  assert.equal(codes(check(text)), ['policy/unused']);
});

test('service/version-setting: max_streams belongs to HTTP/2', () => {
  const found = (lines: string): string[] => codes(checked(HEAD + ORDERS + lines + route('GET /a')).diagnostics);
  assert.equal(found('max_streams = 5\n'), ['service/version-setting']);
  assert.equal(found('pipelining = 5\n'), []);
  assert.equal(found('protocol = "h2"\nmax_streams = 5\n'), []);
});

test('a spec without listeners, routes and services is linted without a throw', () => {
  assert.type(checkWhole(''), 'object');
});

test.run();
