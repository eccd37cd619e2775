import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codesOf, fixed, HEAD, load, modelOf, only, pointed } from './helper.js';

test('the model of a complete spec has every default explicitly', () => {
  const model = modelOf(
    load(`${HEAD}
[plan.gold]
limits = { polite = "1000/min" }
[consumer.acme]
plan = "gold"
api_keys = ["sha256:${'0'.repeat(64)}", "\${env:ACME_KEY}"]
[[route]]
name = "get-order"
match = "GET /orders/{id:int}"
to = "orders"
policies = ["keys", "polite", { use = "headers", request.set = { x-tenant = "{consumer.name}" } }]
[[route]]
match = { path = "/health", host = "Admin.Example.com.", methods = ["GET"], query = { deep = false } }
reply = { status = 204 }
`),
  );
  assert.equal(
    model.listeners.map(({ name, config }) => [name, config.address, config.max_headers]),
    [['main', '127.0.0.1:8080', 100]],
  );
  assert.equal(model.services[0]?.config.targets, [{ url: 'http://127.0.0.1:4003', weight: 1 }]);
  assert.is(model.consumers[0]?.plan, model.plans[0]);
  assert.equal(model.consumers[0]?.config.api_keys[1], { $ref: '${env:ACME_KEY}' });
  const [order, health] = model.routes;
  assert.is(order?.service, model.services[0]);
  assert.equal(
    order?.policies.map(({ policy, from }) => [policy.name, policy.inPlace, from]),
    [
      ['keys', false, 'spec'],
      ['polite', false, 'spec'],
      ['get-order/headers', true, 'spec'],
    ],
  );
  assert.is(order?.policies[0]?.policy, model.policies[0]);
  assert.is(order?.timeout, 60_000);
  assert.is(order?.at.originOf('timeout').from, 'default');
  assert.is(health?.name, 'GET admin.example.com/health');
  assert.equal(health?.match.hosts, ['admin.example.com']);
  assert.equal(health?.action.config, { status: 204, headers: {}, body: '', template: true });
  assert.equal(
    health?.match.conditions.map(({ on, name, test: { op } }) => [on, name, op]),
    [['query', 'deep', 'absent']],
  );
  assert.is(model.normalize.double_slashes, 'merge');
  assert.is(model.drainTimeout, 30_000);
  assert.is(model.at.originOf('normalize', 'double_slashes').from, 'default');
  assert.is(model.root, '/nowhere');
});

test('one error does not hide others, and valid parts are kept', () => {
  const outcome = load(`${HEAD}
[[route]]
name = "good"
match = "/good"
to = "orders"
[[route]]
name = "bad"
match = "gett /x{y}/{n:itn}"
to = "oders"
timeout = "5 s"
policies = ["keyz", 1, { use = "rate-limt" }, { limit = "5/s" }, { use = 1 }]
[[route]]
name = "worse"
[policy.other]
use = "rate-limit"
limit = "many"
`);
  assert.equal(codesOf(outcome).sort(), [
    'match/method',
    'name/unresolved',
    'name/unresolved',
    'path/partial-parameter',
    'path/unknown-type',
    'policy/unknown-kind',
    'schema/missing',
    'schema/missing',
    'schema/one-of',
    'schema/type',
    'schema/type',
    'schema/unit',
    'schema/unit',
  ]);
  assert.equal(
    outcome.value?.routes.map(({ name }) => name),
    ['good'],
  );
});

test('the name of an invalid entity can still be used', () => {
  const outcome = load(`${HEAD}
[service.broken]
retries = 99
targets = ["http://x"]
[plan.broken]
limits = 5
[policy.broken]
use = "rate-limt"
[consumer.acme]
plan = "broken"
[[route]]
match = "/x"
to = "broken"
policies = ["broken"]
`);
  assert.equal(codesOf(outcome), ['schema/range', 'schema/type', 'policy/unknown-kind']);
});

test('unknown names have a suggestion, and the fix works', () => {
  const text = `${HEAD}
[consumer.a]
plan = "gld"
[plan.gold]
limits = { polte = "5/s" }
[[route]]
match = "/x"
to = "ordrs"
policies = ["kyes"]
`;
  let current = text;
  for (const wrong of ['"gld"', 'polte', '"ordrs"', '"kyes"']) {
    const outcome = load(current);
    const found = outcome.diagnostics.find(
      ({ code, span }) => code === 'name/unresolved' && pointed(outcome, span) === wrong,
    );
    assert.ok(found?.fix, wrong);
    assert.is(found?.fix?.applicability, 'safe');
    assert.match(found?.help ?? '', /Did you mean/);
    current = fixed(outcome, found!);
  }
  assert.equal(codesOf(load(current)), []);
});

test('a name without similar names lists the known ones', () => {
  const found = only(load(`${HEAD}[[route]]\nmatch = "/x"\nto = "zzzzzz"\n`), 'name/unresolved');
  assert.match(found.help ?? '', /`\[service\.zzzzzz\]`, or use one of `orders`/);
  assert.is(found.entity, 'route./x');
});

test('a plan limits only policies with a limit', () => {
  const outcome = load(`${HEAD}[plan.gold]\nlimits = { keys = "5/s" }\n`);
  const found = only(outcome, 'plan/not-a-limit');
  assert.is(pointed(outcome, found.span), 'keys');
  assert.is(pointed(outcome, found.related![0]!.span), 'keys');
});

test('routes and services need exactly one of two keys', () => {
  const route = (keys: string) => load(`${HEAD}[[route]]\nmatch = "/x"\n${keys}\n`);
  const both = route('to = "orders"\nreply = {}');
  assert.is(pointed(both, only(both, 'schema/one-of').span), 'reply');
  const none = route('');
  assert.is(pointed(none, only(none, 'schema/one-of').span), '[[route]]');
  assert.equal(codesOf(route('to = "orders"\nrewrite = "/a"\nstrip_prefix = "/x"')), ['schema/one-of']);
  const service = (keys: string) => load(`${HEAD}[service.s]\n${keys}\n`);
  assert.match(only(service(''), 'schema/one-of').message, /neither/);
  const two = service('targets = ["http://x"]\nrun = { command = "x" }');
  assert.is(pointed(two, only(two, 'schema/one-of').span), 'run');
  const condition = (tests: string) =>
    load(`${HEAD}[[route]]\nmatch = { path = "/x", headers = { a = ${tests} } }\nto = "orders"\n`);
  assert.match(only(condition('{}'), 'schema/one-of').message, /found none/);
  assert.match(only(condition('{ equals = "a", prefix = "b" }'), 'schema/one-of').message, /`equals` and `prefix`/);
});

test('conditions of every kind are read', () => {
  const model = modelOf(
    load(`${HEAD}[[route]]
to = "orders"
[route.match]
path = "/x"
[route.match.headers]
X-A = "1"
b = true
c = { absent = true }
d = { one_of = ["x", "y"] }
e = { prefix = "p" }
f = { matches = "[a-z]+" }
g = { present = false }
h = { absent = false }
[route.match.query]
Q = { equals = "" }
`),
  );
  const [route] = model.routes;
  assert.equal(
    route?.match.conditions.map(({ on, name, test: found }) => [on, name, found.op]),
    [
      ['header', 'x-a', 'equals'],
      ['header', 'b', 'present'],
      ['header', 'c', 'absent'],
      ['header', 'd', 'one-of'],
      ['header', 'e', 'prefix'],
      ['header', 'f', 'matches'],
      ['header', 'g', 'absent'],
      ['header', 'h', 'present'],
      ['query', 'Q', 'equals'],
    ],
  );
});

test('invalid conditions are reported', () => {
  const outcome = load(`${HEAD}[[route]]
match = { path = "/x", headers = { "a b" = "1", c = { matches = "a\\\\d**" } } }
to = "orders"
`);
  assert.equal(codesOf(outcome), ['match/header-name', 'pattern/invalid']);
  assert.is(pointed(outcome, only(outcome, 'pattern/invalid').span), '*');
});

test('hosts are normalised, and invalid ones reported', () => {
  const host = (text: string) =>
    load(`${HEAD}[[route]]\nmatch = { path = "/x", host = ${JSON.stringify(text)} }\nto = "orders"\n`);
  for (const [text, expected] of [
    ['API.Example.COM', 'api.example.com'],
    ['*.example.com', '*.example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['127.0.0.1', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['localhost', 'localhost'],
    ['a_b.example', 'a_b.example'],
  ] as const) {
    assert.equal(modelOf(host(text)).routes[0]?.match.hosts, [expected]);
  }
  for (const text of ['a:80', '*.*.com', 'a.*.com', 'a/b', 'a..b', '-a.com', 'x y', `${'a'.repeat(64)}.com`]) {
    assert.equal(codesOf(host(text)), ['match/host'], text);
  }
});

test('groups share prefix, host and policies, also when nested', () => {
  const model = modelOf(
    load(`${HEAD}
[[group]]
name = "api"
prefix = "/api/{tenant}"
host = "api.example.com"
policies = ["keys", { use = "headers", reply.set = { a = "b" } }]
[[group.route]]
match = "GET /"
to = "orders"
[[group.group]]
prefix = "/v2"
policies = ["polite"]
[[group.group.route]]
name = "deep"
match = "POST /orders/{id}"
to = "orders"
policies = ["polite"]
[[group.group.route]]
match = { path = "/o", host = "other.example.com" }
to = "orders"
`),
  );
  assert.equal(
    model.routes.map(({ name, match, groups }) => [name, match.text, match.hosts.join(), groups.join()]),
    [
      ['GET api.example.com/api/{tenant}', 'GET /api/{tenant}', 'api.example.com', 'api'],
      ['deep', 'POST /api/{tenant}/v2/orders/{id}', 'api.example.com', 'api,/v2'],
      ['other.example.com/api/{tenant}/v2/o', '/api/{tenant}/v2/o', 'other.example.com', 'api,/v2'],
    ],
  );
  const deep = model.routes[1];
  assert.equal(
    deep?.policies.map(({ policy, from }) => `${policy.name} ${from}`),
    ['keys group', 'api/headers group', 'polite group', 'polite spec'],
  );
  assert.equal(
    deep?.match.segments.map(({ kind, span }) => `${kind} ${span.start.line}`),
    ['literal 15', 'param 15', 'literal 22', 'literal 26', 'param 26'],
  );
});

test('routes of an invalid group are checked but not kept', () => {
  const outcome = load(`${HEAD}
[[group]]
prefix = "/a/{rest...}"
policies = ["nope"]
[[group.route]]
match = "/x{y}"
to = "orders"
[[group.route]]
match = "/ok"
to = "orders"
[[group]]
host = "a b"
prefix = "no-slash"
`);
  assert.equal(codesOf(outcome).sort(), [
    'match/host',
    'name/unresolved',
    'path/partial-parameter',
    'path/tail-not-last',
    'schema/format',
  ]);
  assert.is(outcome.value?.routes.length, 0);
});

test('written names must be unique, derived names are made unique', () => {
  const outcome = load(`${HEAD}
[[route]]
name = "a"
match = "/1"
to = "orders"
[[route]]
name = "a"
match = "/2"
to = "orders"
[[route]]
match = { path = "/3", query = { a = true } }
to = "orders"
[[route]]
match = { path = "/3", query = { b = true } }
to = "orders"
`);
  const found = only(outcome, 'name/duplicate');
  assert.is(found.span.start.line, found.related![0]!.span.start.line + 4);
  assert.equal(
    outcome.value?.routes.map(({ name }) => name),
    ['a', '/3', '/3 #2'],
  );
});

test('two policies of one kind written in place have different names', () => {
  const model = modelOf(
    load(`${HEAD}[[route]]
name = "r"
match = "/x"
to = "orders"
policies = [{ use = "headers", reply.set = { a = "1" } }, { use = "headers", reply.set = { b = "1" } }]
`),
  );
  assert.equal(
    model.routes[0]?.policies.map(({ policy }) => policy.name),
    ['r/headers', 'r/headers-2'],
  );
});

test('policies written in place never share a name', () => {
  const limit = 'policies = [{ use = "rate-limit", limit = "5/min", by = "ip" }]';
  const group = `[[group]]\nname = "api"\n${limit}\n[[group.route]]\nmatch = "/`;
  const model = modelOf(
    load(`${HEAD}[[route]]\nname = "api"\nmatch = "/x"\nto = "orders"\n${limit}
${group}a"\nto = "orders"\n${group}b"\nto = "orders"\n`),
  );
  assert.equal(
    model.routes.map(({ policies }) => policies.map(({ policy }) => policy.name).join()),
    ['api/rate-limit', 'api/rate-limit-2', 'api/rate-limit-3'],
  );
});

test('sections of the wrong shape are reported', () => {
  const outcome = load(`spec = 1
service = 5
route = [1]
[listener]
address = "127.0.0.1:80"
[policy."bad name"]
use = "api-key"
[[consumer]]
`);
  assert.equal(codesOf(outcome).sort(), ['name/invalid', 'schema/type', 'schema/type', 'schema/type', 'schema/type']);
});

test('[[routes]] is renamed to [[route]] everywhere', () => {
  const outcome = load(
    `${HEAD}[[routes]]\nmatch = "/1"\nto = "orders"\n[[routes]]\nmatch = "/2"\nto = "orders"\n[[route]]\nmatch = "/3"\nto = "orders"\n`,
  );
  const found = only(outcome, 'schema/unknown-key');
  assert.is(found.fix?.edits.length, 2);
  assert.is(modelOf(load(fixed(outcome, found))).routes.length, 3);
});

test('policies must be a list', () => {
  assert.ok(
    codesOf(load(`${HEAD}[[route]]\nmatch = "/1"\nto = "orders"\npolicies = "keys"\n`)).includes('schema/type'),
  );
});

test('host and prefix of a group have it as origin', () => {
  const model = modelOf(
    load(
      `${HEAD}[[group]]\nprefix = "/v1"\nhost = "api.example.com"\n[[group.route]]\nmatch = "/a"\nto = "orders"\n` +
        `[[group.route]]\nmatch = { path = "/b", host = "b.example.com" }\nto = "orders"\n[[route]]\nmatch = "/c"\nto = "orders"\n`,
    ),
  );
  const [c, a, b] = model.routes.map(({ at }) => at);
  assert.is(a!.originOf('host').from, 'group');
  assert.is(a!.originOf('host').span.start.line, HEAD.split('\n').length + 2);
  assert.is(a!.originOf('prefix').from, 'group');
  assert.is(b!.originOf('match', 'host').from, 'spec');
  assert.is(b!.originOf('host').from, 'spec');
  assert.ok([...c!.entries()].every(([path]) => path[0] !== 'host' && path[0] !== 'prefix'));
});

test('a missing or wrong version is reported with a fix', () => {
  const missing = load('[listener.main]\naddress = ":80"\n');
  assert.equal(codesOf(load(fixed(missing, only(missing, 'spec/version')))), []);
  assert.match(only(load('spec = 2\n'), 'spec/version').message, /Unknown spec version 2/);
  assert.match(only(load('spec = "1"\n'), 'spec/version').message, /integer 1 as spec version, found a string/);
  for (const written of ['"1"', '1.0']) {
    const outcome = load(`spec = ${written}\n`);
    assert.is(fixed(outcome, only(outcome, 'spec/version')), 'spec = 1\n');
  }
});

test('the admin API on TCP needs a token', () => {
  const outcome = load('spec = 1\n[admin]\naddress = "127.0.0.1:9000"\n');
  assert.is(pointed(outcome, only(outcome, 'admin/no-token').span), 'address');
  modelOf(load('spec = 1\n[admin]\naddress = "127.0.0.1:9000"\ntoken = "${env:T}"\n'));
});

test('invalid settings are replaced by their defaults', () => {
  const outcome = load('spec = 1\ndrain_timeout = 5\n[normalize]\ntrailing_slash = "strct"\n[lint]\nallow = 1\n');
  assert.equal(codesOf(outcome), ['schema/type', 'schema/value', 'schema/type']);
  assert.is(outcome.value?.normalize.trailing_slash, 'strict');
  assert.is(outcome.value?.drainTimeout, 30_000);
  assert.equal(outcome.value?.lint.allow, []);
});

test('paths follow the settings of normalisation', () => {
  const model = modelOf(
    load(`${HEAD}[normalize]\ntrailing_slash = "ignore"\n[[route]]\nmatch = "/a/"\nto = "orders"\n`),
  );
  assert.is(model.routes[0]?.match.segments.length, 1);
});

test('rewrites are templates that begin with a slash', () => {
  const rewrite = (text: string) => load(`${HEAD}[[route]]\nmatch = "/a/{id}"\nto = "orders"\nrewrite = "${text}"\n`);
  assert.is(modelOf(rewrite('/b/{id}')).routes[0]?.rewrite, '/b/{id}');
  const broken = rewrite('/b/{id');
  assert.is(pointed(broken, only(broken, 'template/syntax').span), '{');
  assert.equal(codesOf(rewrite('b/{id}')), ['route/rewrite']);
});

test('a rewrite that cannot be sent is an error at the invalid part', () => {
  const rewrite = (text: string, rules = '') =>
    load(`${HEAD}[normalize]\n${rules}\n[[route]]\nmatch = "/a/{id}"\nto = "orders"\nrewrite = '${text}'\n`);
  for (const [text, at] of [
    ['/a/../b', '..'],
    ['/a/./b', '.'],
    ['/a/..', '..'],
    ['/%2e%2e/b', '%2e%2e'],
    ['/a/..;v=1/{id}', '..;v=1'],
    ['/b#x', '#'],
    ['/b?x#y', '#'],
    ['/b c', ' '],
    ['/b?q=c d', ' '],
    ['/%zz', '%zz'],
    ['/100%', '%'],
    ['/b?x=%4', '%4'],
    ['/%{id}', '%{i'],
    ['/a%2Fb/{id}', 'a%2Fb'],
    ['/a/%5C', '%5C'],
    ['/%00', '%00'],
    ['/é/{id}', 'é'],
    ['/x\\y', '\\'],
    ['b', 'b'],
    ['{id}', '{id}'],
    ['http://h/x', 'http://h/x'],
    ['?x=1', '?x=1'],
  ] as const) {
    const broken = rewrite(text);
    assert.is(pointed(broken, only(broken, 'route/rewrite').span), at, text);
  }
  assert.equal(codesOf(rewrite('')), ['schema/empty']);
  for (const text of [
    '/a/..b/{id}',
    '/{id}..',
    '/a//b',
    '/{{x}}',
    '/b?',
    '/b?a=\\"{id}"&b={{',
    '{request.path}?x',
    '/%41%7e',
  ])
    assert.equal(codesOf(rewrite(text)), [], text);
  assert.equal(codesOf(rewrite('/a%2Fb', 'encoded_slashes = "keep"')), []);
  assert.equal(codesOf(rewrite('/a/..%2Fb', 'encoded_slashes = "keep"')), ['route/rewrite']);
  assert.equal(codesOf(rewrite('/a//b', 'double_slashes = "refuse"')), ['route/rewrite']);
  assert.equal(codesOf(rewrite('/v2/{request.path}', 'double_slashes = "refuse"')), ['route/rewrite']);
  assert.equal(codesOf(rewrite('/v2{request.path}', 'double_slashes = "refuse"')), []);
});

test('a header condition written twice in different case is an error', () => {
  const match = (headers: string) =>
    load(`${HEAD}[[route]]\nmatch = { path = "/a", headers = { ${headers} } }\nto = "orders"\n`);
  for (const headers of ['H = "1", h = "2"', 'H = "1", h = "1"', 'x-Beta = true, X-beta = false']) {
    const broken = match(headers);
    assert.is(pointed(broken, only(broken, 'match/header-twice').span), headers.includes('eta') ? 'X-beta' : 'h');
  }
  assert.equal(codesOf(match('x-a = "1", x-b = "1"')), []);
  const query = load(`${HEAD}[[route]]\nmatch = { path = "/a", query = { Q = "1", q = "2" } }\nto = "orders"\n`);
  assert.equal(codesOf(query), []);
});

test('replies contain only what a message may contain', () => {
  const reply = (headers: string) => load(`${HEAD}[[route]]\nmatch = "/a"\nreply = { headers = { ${headers} } }\n`);
  modelOf(reply('x-a = "b"'));
  assert.equal(codesOf(reply('"x a" = "b"')), ['schema/key']);
  assert.equal(codesOf(reply('Content-Length = "1"')), ['schema/key']);
  assert.equal(codesOf(reply('x = "a\\nb"')), ['schema/format']);
});

test('a plain key is marked as secret', () => {
  const found = only(load(`${HEAD}[consumer.a]\napi_keys = ["hunter2"]\n`), 'schema/format');
  assert.is(found.sensitive, true);
  assert.is(found.entity, 'consumer.a');
});

test('spans in strings with escapes point at the source', () => {
  const outcome = load(`${HEAD}[[route]]\nmatch = "GET /\\u0061/x{y}"\nto = "orders"\n`);
  assert.is(pointed(outcome, only(outcome, 'path/partial-parameter').span), '{y}');
});

test('a command with an unclosed quote is refused before it is started', () => {
  const loaded = load(`${HEAD}
[service.shop]
run = { command = "node 'shop.js" }
`);
  assert.equal(codesOf(loaded), ['schema/format']);
  assert.match(loaded.diagnostics[0]?.message ?? '', /unclosed single quote/);
  assert.ok(loaded.diagnostics[0]?.help);
});

test('a list of policies may name a reserved kind: one policy with its defaults, for all routes', () => {
  const model = modelOf(
    load(`${HEAD}
[[route]]
name = "one"
match = "GET /one"
to = "orders"
tags = ["own"]
policies = ["keys", "plan"]
[[group]]
tags = ["outer", "own"]
policies = ["plan"]
[[group.route]]
name = "two"
match = "GET /two"
to = "orders"
tags = ["own", "inner"]
`),
  );
  const [one, two] = model.routes;
  const applied = model.policies.find(({ name }) => name === 'plan');
  assert.is(applied?.declaration.use, 'plan');
  assert.is(one?.policies[1]?.policy, applied);
  assert.is(two?.policies[0]?.policy, applied);
  assert.equal([one?.tags, two?.tags], [['own'], ['outer', 'own', 'inner']]);
});

test('the routes of a plan exist', () => {
  const text = `${HEAD}
[plan.gold]
routes = ["lst", "none-*", "li?t"]
[[route]]
name = "list"
match = "GET /list"
to = "orders"
policies = ["plan"]
`;
  assert.equal(codesOf(load(text)), ['name/unresolved', 'name/unresolved']);
});

test.run();
