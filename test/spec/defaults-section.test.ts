/** `[defaults]`, lists of hosts, `without` and `listeners`: values that routes, services and listeners inherit. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { codesOf, HEAD, load, loadFolder, modelOf, only } from './helper.js';

const two = `${HEAD}[listener.internal]\naddress = "127.0.0.1:9090"\n`;
const route = (match: string, more = '', name = ''): string =>
  `[[route]]\n${name === '' ? '' : `name = "${name}"\n`}match = ${match}\nto = "orders"\n${more}`;
const policiesOf = (text: string): string[][] =>
  modelOf(load(text)).routes.map(({ policies }) => policies.map(({ policy }) => policy.name));

test('services and listeners inherit defaults for unset keys, with their origin', () => {
  const text = `${HEAD.replace('[service.orders]', '[service.orders]\nretries = 1')}[service.other]
targets = ["http://127.0.0.1:4004"]
[defaults.service]
retries = 4
connect_timeout = "2s"
[defaults.listener]
max_headers = 50
[[route]]
match = "/"
to = "other"
`;
  const model = modelOf(load(text));
  const [orders, other] = model.services;
  assert.equal([orders?.config.retries, orders?.config.connect_timeout], [1, 2000]);
  assert.equal([other?.config.retries, other?.config.connect_timeout], [4, 2000]);
  assert.is(model.listeners[0]?.config.max_headers, 50);
  const line = text.split('\n').indexOf('retries = 4') + 1;
  assert.is(other?.at.spanOf('retries').start.line, line);
  assert.is(other?.at.originOf('retries').from, 'spec');
  const { origins } = compile(model).bundle.program.provenance;
  assert.is(origins['service.other.retries']?.line, line);
  assert.is(origins['service.orders.retries']?.line, text.split('\n').indexOf('retries = 1') + 1);
});

test('tls defaults: a complete default applies to every listener, a partial one only to listeners with tls', () => {
  const listeners = (defaults: string) =>
    modelOf(
      load(`${HEAD}[listener.secure]
address = "127.0.0.1:8443"
tls = { cert = "own.pem", key = "own.key" }
[defaults.listener]
tls = ${defaults}
`),
    ).listeners.map(({ config }) => config.tls && [config.tls.cert, config.tls.key]);
  assert.equal(listeners('{ cert = "all.pem", key = "all.key" }'), [
    ['all.pem', 'all.key'],
    ['own.pem', 'own.key'],
  ]);
  assert.equal(listeners('{ cert = "all.pem" }'), [undefined, ['own.pem', 'own.key']]);
});

test('an invalid default is reported once, at its place; keys without defaults are unknown', () => {
  const many = Array.from({ length: 3 }, (_, i) => `[service.s${i}]\ntargets = ["http://127.0.0.1:4${i}04"]\n`).join(
    '',
  );
  for (const [table, line, code] of [
    ['service', 'retries = 99', 'schema/range'],
    ['service', 'retires = 1', 'schema/unknown-key'],
    ['service', 'targets = ["http://127.0.0.1:1"]', 'schema/unknown-key'],
    ['listener', 'address = ":80"', 'schema/unknown-key'],
    ['listener', 'max_headers = "x"', 'schema/type'],
  ] as const) {
    const text = `${HEAD}${many}[defaults.${table}]\n${line}\n`;
    const outcome = load(text);
    assert.equal(codesOf(outcome), [code], line);
    assert.is(outcome.diagnostics[0]?.span.start.line, text.split('\n').indexOf(line) + 1);
  }
  assert.equal(codesOf(load(`${HEAD}[defaults]\nroute = 1\n`)), ['schema/unknown-key']);
  assert.equal(codesOf(load(`${HEAD}[defaults]\npolicies = "keys"\n`)), ['schema/type']);
});

test('default policies precede those of groups and routes, and run in the order of phases', () => {
  const text = `${HEAD}[defaults]\npolicies = ["polite", "keys"]\n[[group]]\npolicies = [{ use = "headers", reply.set = { a = "b" } }]\n[[group.route]]\nmatch = "/a"\nto = "orders"\n${route('"/b"')}`;
  assert.equal(policiesOf(text), [
    ['polite', 'keys'],
    ['polite', 'keys', 'group/headers'],
  ]);
  const { program } = compile(modelOf(load(text))).bundle;
  assert.equal(
    program.routes[0]?.policies.map((index) => program.policies[index]?.name),
    ['keys', 'polite'],
  );
});

test('without removes inherited policies on routes and groups, and they can be added again', () => {
  const defaults = '[defaults]\npolicies = ["keys", { use = "headers", reply.set = { a = "b" } }]\n';
  assert.equal(policiesOf(`${HEAD}${defaults}${route('"/a"', 'without = ["keys"]\n')}`), [['defaults/headers']]);
  assert.equal(policiesOf(`${HEAD}${defaults}${route('"/a"', 'without = ["defaults/headers"]\n')}`), [['keys']]);
  assert.equal(policiesOf(`${HEAD}${defaults}${route('"/a"', 'without = ["keys"]\npolicies = ["keys"]\n')}`), [
    ['defaults/headers', 'keys'],
  ]);
  const grouped = `${HEAD}${defaults}[[group]]\nwithout = ["keys"]\npolicies = ["polite"]\n[[group.route]]\nmatch = "/a"\nto = "orders"\n[[group.group]]\npolicies = ["keys"]\n[[group.group.route]]\nmatch = "/b"\nto = "orders"\nwithout = ["polite"]\n`;
  const model = modelOf(load(grouped));
  assert.equal(
    model.routes.map(({ policies, without }) => [
      policies.map(({ policy }) => policy.name),
      without.map(({ name }) => name),
    ]),
    [
      [['defaults/headers', 'polite'], ['keys']],
      [['defaults/headers', 'keys'], ['polite']],
    ],
  );
});

test('without: an unknown name is an error, a policy that is not inherited a warning', () => {
  const text = `${HEAD}[defaults]\npolicies = ["keys"]\n`;
  const unknown = only(load(text + route('"/a"', 'without = ["kyes"]\n')), 'name/unresolved');
  assert.match(unknown.help ?? '', '`keys`');
  assert.is(unknown.severity, 'error');
  assert.equal(codesOf(load(text + route('"/a"', 'without = ["polite"]\n'))), ['policy/not-inherited']);
  // An error in the defaults gives no second diagnostic here.
  assert.equal(codesOf(load(`${HEAD}[defaults]\npolicies = ["kyes"]\n${route('"/a"', 'without = ["keys"]\n')}`)), [
    'name/unresolved',
  ]);
});

test('an invalid default policy removes every route instead of serving it without the policy', () => {
  const { value } = load(`${HEAD}[defaults]\npolicies = ["kyes"]\n${route('"/a"')}`);
  assert.equal(value?.routes, []);
});

const lint = (text: string): string[] =>
  checkSpec({ path: '/nowhere/gateway.toml', text }).diagnostics.map(({ code }) => code);
const KEYED = `${HEAD.replace(/\[policy.polite\][\s\S]*/, '')}[consumer.acme]\napi_keys = ["sha256:80a00f0b51c6d51dc228b0b2b1f4fb3a510da55c0aaef2a956d7c488180d68f9"]\n`;

test('authentication removed with `without` is not reported as missing', () => {
  const routes = route('"/a"') + route('"/b"') + route('"/c"', 'without = ["keys"]\n');
  assert.equal(lint(`${KEYED}[defaults]\npolicies = ["keys"]\n${routes}`), []);
  const forgotten = route('"/a"', 'policies = ["keys"]\n') + route('"/b"', 'policies = ["keys"]\n') + route('"/c"');
  assert.equal(lint(KEYED + forgotten), ['route/unauthenticated']);
});

test('an inherited limit by consumer is not reported on a route without authentication', () => {
  const limit = '[policy.lim]\nuse = "rate-limit"\nlimit = "5/s"\nby = "consumer"\n';
  const routes = route('"/a"') + route('"/c"', 'without = ["keys"]\n');
  assert.equal(lint(`${KEYED}${limit}[defaults]\npolicies = ["keys", "lim"]\n${routes}`), []);
});

test('rules include defaults: a default policy is used, and naming it again is reported as repeated', () => {
  assert.equal(lint(`${KEYED}[defaults]\npolicies = ["keys"]\n${route('"/a"')}`), []);
  assert.equal(lint(`${KEYED}[defaults]\npolicies = ["keys"]\n${route('"/a"', 'policies = ["keys"]\n')}`), [
    'policy/repeated',
  ]);
});

test('defaults may be split over several files, each key once', () => {
  const root = HEAD.replace('spec = 1', 'spec = 1\ninclude = ["a.toml", "b.toml"]');
  const files = (b: string) => ({
    'gateway.toml': root,
    'a.toml': '[defaults.service]\nretries = 2\n',
    'b.toml': b,
  });
  const model = modelOf(loadFolder(files('[defaults]\npolicies = ["keys"]\n[defaults.service]\nmax_queue = 9\n')));
  assert.equal([model.services[0]?.config.retries, model.services[0]?.config.max_queue], [2, 9]);
  assert.equal(codesOf(loadFolder(files('[defaults.service]\nretries = 3\n'))), ['name/duplicate']);
});

test('an overlay changes defaults, and is the origin of its values', () => {
  const base = `${HEAD}[defaults]\npolicies = ["keys"]\n[defaults.service]\nretries = 2\n${route('"/a"')}`;
  const overlay = '[defaults]\npolicies = ["polite"]\n[defaults.service]\nretries = 3\n';
  const model = modelOf(loadFolder({ 'gateway.toml': base, 'o.toml': overlay }, ['o.toml']));
  assert.is(model.services[0]?.config.retries, 3);
  assert.is(model.services[0]?.at.originOf('retries').from, 'overlay');
  assert.is(model.services[0]?.at.spanOf('retries').file, 'o.toml');
  assert.equal(
    model.routes[0]?.policies.map(({ policy }) => policy.name),
    ['polite'],
  );
  const without = modelOf(
    loadFolder({ 'gateway.toml': base, 'o.toml': 'remove = ["defaults.policies"]\n' }, ['o.toml']),
  );
  assert.equal(without.routes[0]?.policies, []);
});

test('a list of hosts makes one route with each host once', () => {
  const text = `${HEAD}${route('{ path = "/a", host = ["A.example", "*.b.example", "bücher.example"] }')}`;
  const model = modelOf(load(text));
  assert.equal(model.routes[0]?.match.hosts, ['a.example', '*.b.example', 'xn--bcher-kva.example']);
  assert.is(model.routes[0]?.name, 'a.example,*.b.example,xn--bcher-kva.example/a');
  assert.is(compile(model).bundle.program.routes.length, 1);
  assert.equal(codesOf(load(`${HEAD}${route('{ path = "/a", host = ["a.example", "A.example."] }')}`)), [
    'match/repeated-host',
  ]);
  const wrong = load(`${HEAD}${route('{ path = "/a", host = ["a.example", "b.example:80"] }')}`);
  assert.is(only(wrong, 'match/host').span.start.column, HEAD_COLUMN);
  assert.equal(codesOf(load(`${HEAD}${route('{ path = "/a", host = [] }')}`)), ['schema/empty']);
  assert.equal(codesOf(load(`${HEAD}${route('{ path = "/a", host = ["a", 1] }')}`)), ['schema/type']);
});
const HEAD_COLUMN = 'match = { path = "/a", host = ["a.example", '.length + 1;

test('hosts of a group apply to its routes, and routes that overlap under one host are ambiguous', () => {
  const group = `${HEAD}[[group]]\nhost = ["a.example", "b.example"]\n[[group.route]]\nmatch = "GET /x"\nto = "orders"\n`;
  assert.equal(modelOf(load(group)).routes[0]?.match.hosts, ['a.example', 'b.example']);
  assert.equal(lint(group + route('{ path = "/x", host = ["c.example"] }')), ['policy/unused', 'policy/unused']);
  const overlap = checkSpec({
    path: '/n/g.toml',
    text: group + route('{ path = "/x", methods = ["GET"], host = "b.example" }'),
  });
  const found = overlap.diagnostics.find(({ code }) => code === 'route/ambiguous');
  assert.match(found?.message ?? '', 'GET http://b.example/x');
});

test('listeners come from the route, else the innermost group, else the defaults, else all are used', () => {
  const text = `${two}[defaults]
listeners = ["main"]
[[group]]
listeners = ["internal"]
[[group.route]]
match = "/a"
to = "orders"
[[group.route]]
match = "/b"
to = "orders"
listeners = ["main", "internal"]
${route('"/c"')}`;
  const named = (of: string) =>
    Object.fromEntries(
      modelOf(load(of)).routes.map(({ name, listeners }) => [name, listeners.map((each) => each.name)]),
    );
  assert.equal(named(text), { '/a': ['internal'], '/b': ['main', 'internal'], '/c': ['main'] });
  assert.equal(named(two + route('"/c"')), { '/c': [] });
  const route_ = modelOf(load(text)).routes.find(({ name }) => name === '/a');
  assert.is(route_?.at.originOf('listeners').from, 'group');
  assert.is(route_?.at.spanOf('listeners').start.line, text.split('\n').indexOf('listeners = ["internal"]') + 1);
});

test('an unknown listener is an error with a suggestion on routes, groups and defaults', () => {
  for (const [text, line] of [
    [two + route('"/a"', 'listeners = ["internl"]\n'), 'listeners = ["internl"]'],
    [`${two}[defaults]\nlisteners = ["internl"]\n${route('"/a"')}`, 'listeners = ["internl"]'],
    [
      `${two}[[group]]\nlisteners = ["internl"]\n[[group.route]]\nmatch = "/a"\nto = "orders"\n`,
      'listeners = ["internl"]',
    ],
  ] as const) {
    const outcome = load(text);
    assert.equal(codesOf(outcome), ['name/unresolved']);
    assert.match(outcome.diagnostics[0]?.help ?? '', '`internal`');
    assert.is(outcome.diagnostics[0]?.span.start.line, text.split('\n').indexOf(line) + 1);
    assert.equal(outcome.value?.routes, []);
  }
});

test('equal routes on different listeners are allowed, on a common listener they are reported', () => {
  const on = (match: string, names: string, name: string): string => route(match, `listeners = [${names}]\n`, name);
  const codes = (...routes: string[]): string[] =>
    lint(`${KEYED}[listener.internal]\naddress = "127.0.0.1:9090"\n${routes.join('')}`).filter((code) =>
      /^(route|listener)\//.test(code),
    );
  assert.equal(codes(on('"/a"', '"main"', 'x'), on('"/a"', '"internal"', 'y')), []);
  assert.equal(codes(on('"/a"', '"main"', 'x'), on('"/a"', '"main"', 'y')), ['listener/unused', 'route/duplicate']);
  assert.equal(codes(on('"/a"', '"main", "internal"', 'x'), on('"/a"', '"main"', 'y')), ['route/ambiguous']);
  assert.equal(codes(on('"/a"', '"main"', 'x'), route('"/a"')), ['route/ambiguous']);
  const all = 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS';
  assert.equal(codes(on(`"${all} /a"`, '"main"', 'x'), route('"/a"')), []);
  assert.equal(codes(route(`"${all} /a"`), on('"/a"', '"main"', 'y')), ['route/shadowed']);
  assert.equal(codes(on('"/b"', '"main"', 'x')), ['listener/unused']);
});

test.run();
