/** Expressions: what they read, how they are checked, what they cost. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { condition, ExpressionError } from '../../src/expression/condition.js';
import { FACTS } from '../../src/expression/environment.js';
import { exchangeOf, holds, problemOf, replyOf, valid } from './support.js';

const TRUE: readonly string[] = [
  'request.method == "GET"',
  'request.method in ["GET", "HEAD"] && request.path.startsWith("/orders/")',
  'request.host == "api.example" && request.scheme == "http" && request.id == "r-1"',
  'request.query["page"] == "2" && request.query.page == "2"',
  'request.headers["X-Tenant"] == "acme"',
  '"x-tenant" in request.headers && !("x-other" in request.headers)',
  'has(request.headers.accept) && !has(request.headers.cookie)',
  'request.headers.cookie == ""',
  'request.params.id == "7" && request.params["nothing"] == ""',
  'consumer.name == "acme" && consumer.plan == "free" && consumer.tags.region == "eu"',
  'has(consumer.name)',
  'claims.role == "admin" && claims.level == 3 && claims.level > 2 && claims.level < 3.5',
  '"write" in claims.scopes && claims.scopes.exists(s, s.startsWith("w"))',
  'claims.nothing == null && !has(claims.nothing) && has(claims.role)',
  'has(claims.realm.roles) && claims.realm.roles.all(r, r != "x") && !has(claims.realm.other)',
  '"roles" in claims.realm',
  'route.name == "get-order" && client.ip == "192.0.2.7"',
  'client.tls.version == "" && !has(client.tls.version) && !client.certificate.verified',
  'reply.status >= 200 && reply.status < 300 && reply.headers["content-type"].contains("json")',
  'request.headers.accept.split(",").exists_one(a, a.trim() == "text/html")',
  'request.headers.accept.split(",").map(a, a.trim()).filter(a, a.startsWith("text/")).size() == 2',
  '[1, 2, 3].map(n, n > 1, n * 10) == [20, 30]',
  'request.path.matches("^/orders/[0-9]+$") && request.path.matches("order") && !request.path.matches("^order")',
  'size("añ😀") == 3 && "añ😀".matches("^a.😀$")',
  'int("42") == 42 && double("1.5") == 1.5 && string(42) == "42" && int(2.9) == 2',
  '"AbÉ".lowerAscii() == "abÉ" && "abé".upperAscii() == "ABé"',
  '7 / 2 == 3 && -7 % 3 == -1 && 2 + 3 * 4 == 14 && 1.5 * 2.0 == 3.0',
  'claims.nothing > 3 || true',
  '!(claims.nothing > 3 && false)',
  '(request.method == "GET" ? 1 : 2) == 1',
  'request.headers[request.params.id] == ""',
  '[[1, 2], [3]].exists(x, x.exists(y, y == 3) && x.size() == 1)',
  '[1, 2].exists(request, request == 2)',
];

const FACTS_OF = {
  query: { page: '2' },
  headers: { 'x-tenant': 'acme', accept: 'text/html, text/plain, */*' },
  params: { id: '7' },
  consumer: { name: 'acme', plan: 'free', tags: { region: 'eu' } },
  claims: { role: 'admin', level: 3, scopes: ['read', 'write'], realm: { roles: ['a'] } },
};

test('expressions read every part of the environment', () => {
  for (const source of TRUE) {
    const { entry } = valid(source);
    const reply = replyOf(200, { 'content-type': 'application/json' });
    assert.is(condition(entry).holds(exchangeOf(FACTS_OF), reply), true, source);
    // What a bundle carries is JSON.
    assert.is(condition(JSON.parse(JSON.stringify(entry))).holds(exchangeOf(FACTS_OF), reply), true, source);
  }
});

test('without a consumer, claims and TLS, their facts are empty', () => {
  assert.is(holds('consumer.name == "" && !has(consumer.plan) && consumer.tags.a == "" && claims.a == null'), true);
  const tls = {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    serverName: 'api.example',
    protocol: undefined,
    clientCertificate: undefined,
  };
  assert.is(holds('client.tls.server_name == "api.example" && client.tls.protocol == ""', { tls }), true);
});

test('an integer beyond 64 bits is a problem at its place', () => {
  for (const number of ['9223372036854775808', '99999999999999999999', '-9223372036854775809', '0xffffffffffffffff']) {
    const problem = problemOf(`request.path.size() < ${number}`);
    assert.equal([problem.code, problem.start, problem.end], ['expression/type', 22, 22 + number.length], number);
  }
  assert.is(holds('request.path.size() > -9223372036854775808 && request.path.size() < 0x7fffffffffffffff'), true);
  const beyond = { source: 'x', code: ['<', ['integer', '1'], ['integer', '9223372036854775808']] };
  assert.throws(() => condition(beyond), /malformed expression/);
});

test('a name below an absent claim cannot be evaluated, and has() says so', () => {
  assert.throws(() => holds('claims.org.id == "a"'), /null has no element/);
  assert.is(holds('has(claims.org.id) && claims.org.id == "a"'), false);
});

test('groups of the consumer are a list, which is empty without a consumer', () => {
  const consumer = { name: 'acme', groups: ['partners', 'beta'] };
  assert.is(holds('"partners" in consumer.groups', { consumer }), true);
  assert.is(holds('consumer.groups.exists(group, group.startsWith("b"))', { consumer }), true);
  assert.is(holds('"staff" in consumer.groups', { consumer }), false);
  assert.is(holds('"partners" in consumer.groups || size(consumer.groups) > 0'), false);
  assert.is(holds('has(consumer.groups)'), false);
});

test('every fact is readable and has a summary', () => {
  for (const { name, type, summary } of FACTS) {
    assert.ok(summary.length > 5, name);
    const source = type.startsWith('map')
      ? `has(${name}.x) || true`
      : type === 'string'
        ? `${name} != "no"`
        : type === 'int'
          ? `${name} > -1`
          : type === 'bool'
            ? `${name} || true`
            : `size(${name}) >= 0 && !("no" in ${name})`;
    assert.is(holds(source), true, name);
  }
});

const PROBLEMS: readonly (readonly [source: string, code: string, at: string, message: RegExp])[] = [
  ['request.method == ', 'expression/syntax', '', /Unexpected token: EOF/],
  ['request.method = "GET"', 'expression/syntax', '=', /./],
  ['"abc', 'expression/syntax', '"abc', /Unterminated string/],
  ['', 'expression/syntax', '', /./],
  ['reqest.method == "GET"', 'expression/unknown-name', 'reqest', /did you mean `request`/],
  ['request.metod == "GET"', 'expression/unknown-name', 'metod', /`request.metod`; did you mean `method`/],
  ['client.tls.verson == ""', 'expression/unknown-name', 'verson', /`client.tls.verson`; did you mean `version`/],
  ['request.path.startWith("/a")', 'expression/unknown-name', 'startWith', /did you mean `startsWith`/],
  ['request.method == 1', 'expression/type', 'request.method == 1', /String == int/i],
  ['request.method', 'expression/type', 'request.method', /of type string, but a condition must be bool/],
  ['request.path.startsWith(1)', 'expression/type', 'request.path.startsWith(1)', /no matching overload/i],
  ['1 / 0 > 1', 'expression/type', '1 / 0 > 1', /fails for every request: division by zero/],
  ['request.headers.exists(h, h == "a")', 'expression/unsupported', 'request.headers', /`request.headers` as a value/],
  ['has(consumer)', 'expression/type', 'consumer', /invalid argument/],
  ['{"a": 1}["a"] == 1', 'expression/unsupported', '{"a": 1}', /a map literal/],
  ['timestamp(1) > timestamp(2)', 'expression/unsupported', 'timestamp(1)', /`timestamp\(\)`/],
  ['cel.bind(x, request.path, x == x)', 'expression/unsupported', 'cel.bind(x, request.path, x == x)', /`bind\(\)`/],
  ['request.path.matches(request.query.p)', 'expression/unsupported', 'request.query.p', /not a literal/],
  ['request.path.matches("(a")', 'pattern/invalid', '"(a"', /Unmatched/],
  ['request.path.matches("^a|b")', 'pattern/invalid', '"^a|b"', /anchor/i],
  ['reply.status == 200', 'expression/no-reply', 'reply.status', /not known yet/],
];

test('problems are located in the expression', () => {
  for (const [source, code, at, message] of PROBLEMS) {
    const problem = problemOf(source);
    assert.is(problem.code, code, `${source}: ${problem.message}`);
    assert.is(source.slice(problem.start, problem.end), at, source);
    assert.match(problem.message, message);
  }
});

test('a huge expression is refused', () => {
  assert.is(problemOf(`request.path == "${'a'.repeat(5000)}"`).code, 'expression/unsupported');
  assert.is(problemOf(Array(501).fill('true').join(' && ')).code, 'expression/syntax');
  assert.is(problemOf(`${'('.repeat(300)}true${')'.repeat(300)}`).code, 'expression/syntax');
  const wide = Array.from({ length: 120 }, (_, i) => `request.path == "/${i}"`).join(' || ');
  assert.is(holds(wide), false);
});

test('what cannot be evaluated fails, and says why', () => {
  const failing: readonly (readonly [string, RegExp])[] = [
    ['claims.role > 3', /no operator < for string and int/],
    ['claims.role.exists(x, x == 1)', /string has no elements/],
    ['claims.nothing.deeper == 1', /null has no element/],
    ['claims.scopes[9] == "a"', /outside of the list/],
    ['claims.role', /the result is string, not bool/],
    ['claims.role && true', /not bool/],
    ['int(request.query.page + "x") == 1', /no int/],
    ['claims.level + 1 == 4', /no operator \+ for double and int/],
  ];
  for (const [source, why] of failing) assert.throws(() => holds(source, FACTS_OF), why, source);
});

test('names of JavaScript objects are not claims', () => {
  assert.is(
    holds('claims.constructor == null && claims.__proto__ == null && !has(claims.toString)', { claims: {} }),
    true,
  );
  assert.is(holds('claims.a.constructor == null && !("__proto__" in claims.a)', { claims: { a: {} } }), true);
});

const LONG = 'a,'.repeat(8000);

test('hostile requests end at the bound, in little time', () => {
  const sources = [
    'request.headers.x.split(",").exists(a, request.headers.x.split(",").exists(b, a + b == "no"))',
    'request.headers.x.split("").map(a, request.headers.x).filter(b, b == "").size() == 1',
    'request.headers.x.contains(request.headers.y)',
    '[1, 2, 3, 4].exists(i, (request.headers.x + request.headers.x + request.headers.x + request.headers.x).matches("b"))',
    'request.headers.x.split(",").exists(a, request.headers.x.split(",").exists(b, 1 / 0 == 1))',
    'request.headers.x.split(",").exists(a, (a + "!") in request.headers.x.split(","))',
  ];
  for (const source of sources) {
    const { entry } = valid(source);
    const started = performance.now();
    assert.throws(
      () => condition(entry).holds(exchangeOf({ headers: { x: LONG, y: `${'a,'.repeat(4000)}b` } }), undefined),
      /more than 100000 steps/,
      source,
    );
    assert.ok(performance.now() - started < 200, source);
  }
});

test('patterns run in linear time', () => {
  const source = 'request.headers.x.matches("^(a|a)*(a*)*b$")';
  const started = performance.now();
  assert.is(holds(source, { headers: { x: 'a'.repeat(50_000) } }), false);
  assert.ok(performance.now() - started < 200);
});

test('malformed code of a bundle is refused at load', () => {
  const codes = [
    ['fact', 'request.nothing'],
    ['fact', 'request.headers'],
    ['field', 'request.method', 'a'],
    ['toString', 1],
    ['==', 1],
    ['==', 1, 2, 3],
    ['integer', 'x'],
    ['matches', 'a', 0],
    ['each', 'forEach', ['list'], true],
    ['each', 'exists', ['list']],
    [],
    {},
    ['&&', true],
  ];
  for (const code of codes) assert.throws(() => condition({ source: '', code }), /malformed expression/, String(code));
  let deep: readonly unknown[] = ['!', true];
  for (let i = 0; i < 100_000; i++) deep = ['!', deep];
  assert.throws(() => condition({ source: '', code: deep as never }), /malformed/);
  assert.throws(() => condition({ source: '', code: ['local', 0] }).holds(exchangeOf(), undefined), /malformed/);
});

test('a condition on the reply needs a reply', () => {
  const made = condition(valid('reply.status == 200').entry);
  assert.is(made.onReply, true);
  assert.throws(
    () => made.holds(exchangeOf(), undefined),
    (error: unknown) => error instanceof ExpressionError,
  );
  assert.is(condition(valid('request.method == "GET"').entry).onReply, false);
});

test.run();
