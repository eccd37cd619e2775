/** Overlays change named entities wherever they are defined, and errors point into the overlay. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codesOf, HEAD, loadFolder, modelOf, only } from './helper.js';

const BASE = `${HEAD.replace('spec = 1', 'spec = 1\ninclude = ["parts/*.toml"]')}
[consumer.acme]
plan = "gold"
[consumer.acme.tags]
to = "x"
reply = "y"
[plan.gold]
limits = { polite = "5/min" }
[[route]]
match = "GET /plain"
to = "orders"
[[group]]
name = "api"
prefix = "/api"
[[group.route]]
name = "outer"
match = "/outer"
to = "orders"
timeout = "1s"
rewrite = "/other"
[[group.group]]
name = "deep"
prefix = "/v2"
[[group.group.route]]
name = "inner"
match = "GET /inner"
to = "orders"
[[group.group.route]]
match = "GET /nameless"
to = "orders"
`;
const PART = `[service.billing]
targets = ["http://127.0.0.1:4005"]
[[group]]
name = "included"
[[group.route]]
name = "bill"
match = "/bill"
to = "billing"
`;

const over = (...texts: readonly string[]) => {
  const names = texts.map((_, index) => `over-${index}.toml`);
  const files = Object.fromEntries(texts.map((text, index) => [names[index]!, text]));
  return loadFolder({ 'gateway.toml': BASE, 'parts/billing.toml': PART, ...files }, names);
};
const changed = (...texts: readonly string[]) => modelOf(over(...texts));
const routeOf = (model: ReturnType<typeof changed>, name: string) => model.routes.find((route) => route.name === name);

test('a route in a group, a nested group or an included file is changed by name', () => {
  for (const name of ['outer', 'inner', 'bill', 'GET /plain', 'GET /api/v2/nameless']) {
    const model = changed(`[[route]]\nname = "${name}"\ntimeout = "7s"\n`);
    const route = routeOf(model, name);
    assert.is(route?.timeout, 7000, name);
    assert.is(route?.at.spanOf('timeout').file, 'over-0.toml');
    assert.is(route?.at.spanOf('timeout').start.line, 3);
    assert.is(route?.at.originOf('timeout').from, 'overlay');
    assert.not(route?.span.file.startsWith('over'), 'the route itself stays where it is declared');
    assert.is(model.routes.length, 5);
  }
});

test('a group is changed by name at any depth and may get additional routes', () => {
  const model = changed(`[[group]]
name = "deep"
prefix = "/v3"
policies = ["keys"]
[[group.route]]
name = "inner"
timeout = "2s"
[[group.route]]
name = "more"
match = "/more"
to = "orders"
`);
  assert.is(routeOf(model, 'inner')?.match.text, 'GET /api/v3/inner');
  assert.is(routeOf(model, 'inner')?.timeout, 2000);
  assert.is(routeOf(model, 'more')?.match.text, '/api/v3/more');
  assert.equal(
    routeOf(model, 'more')?.policies.map(({ policy }) => policy.name),
    ['keys'],
  );
  assert.equal(routeOf(model, 'outer')?.policies, []);
});

test('services, policies, consumers, plans and listeners are changed in place', () => {
  const model = changed(`[service.billing]
retries = 4
[policy.polite]
limit = "7/min"
[consumer.acme]
plan = "gold"
[consumer.acme.tags]
to = "z"
[plan.gold.limits]
polite = "9/min"
[listener.main]
max_headers = 9
`);
  const billing = model.services.find(({ name }) => name === 'billing');
  assert.is(billing?.config.retries, 4);
  assert.is(billing?.nameSpan.file, 'parts/billing.toml');
  assert.is(billing?.at.spanOf('retries').file, 'over-0.toml');
  assert.is(billing?.at.spanOf('targets', 0).file, 'parts/billing.toml');
  assert.equal({ ...model.consumers[0]?.config.tags }, { to: 'z', reply: 'y' });
  assert.is(model.plans[0]?.config.limits['polite']?.capacity, 9);
  assert.is(model.listeners[0]?.config.max_headers, 9);
});

test('of keys that exclude each other, the overlay wins on routes and services only', () => {
  const stripped = routeOf(changed('[[route]]\nname = "outer"\nstrip_prefix = "/api"\n'), 'outer');
  assert.equal([stripped?.rewrite, stripped?.stripPrefix], [undefined, '/api']);
  const replied = routeOf(
    changed('[[route]]\nname = "outer"\nreply.status = 503\n[[route]]\nname = "bill"\nto = "orders"\n'),
    'outer',
  );
  assert.equal([replied?.service, replied?.action.declaration.use], [undefined, 'reply']);
});

test('a policy of another kind replaces the old one completely', () => {
  const model = changed(
    '[policy.polite]\nuse = "cors"\norigins = ["https://a.example"]\n[plan.gold]\nlimits = {}\n',
    'remove = ["plan.gold.limits"]\n',
  );
  assert.is(model.policies.find(({ name }) => name === 'polite')?.declaration.use, 'cors');
});

test('several overlays: the later one wins, also over an earlier overlay', () => {
  const model = changed(
    '[[group]]\nname = "new"\n[[group.route]]\nname = "fresh"\nmatch = "/fresh"\nto = "orders"\n[[route]]\nname = "inner"\ntimeout = "2s"\n',
    '[[route]]\nname = "fresh"\ntimeout = "3s"\n[[route]]\nname = "inner"\ntimeout = "4s"\n',
  );
  assert.is(routeOf(model, 'fresh')?.timeout, 3000);
  assert.is(routeOf(model, 'inner')?.timeout, 4000);
  assert.is(routeOf(model, 'inner')?.at.spanOf('timeout').file, 'over-1.toml');
});

test('an unknown name in an overlay is an error with a suggestion', () => {
  const cases: readonly (readonly [text: string, near: string])[] = [
    ['[[route]]\nname = "iner"\ntimeout = "2s"\n', '`inner`'],
    ['[[route]]\nname = "GET /plan"\ntimeout = "2s"\n', '`GET /plain`'],
    ['[[group]]\nname = "dep"\nprefix = "/x"\n', '`deep`'],
    ['[service.biling]\nretries = 2\n', '`billing`'],
    ['[policy.polit]\nlimit = "1/s"\n', '`polite`'],
    ['[listener.mian]\nmax_headers = 9\n', '`main`'],
    ['[[group]]\nname = "api"\n[[group.route]]\nname = "outre"\ntimeout = "2s"\n', '`outer`'],
  ];
  for (const [text, near] of cases) {
    const outcome = over(text);
    assert.equal(codesOf(outcome), ['name/unresolved'], text);
    const found = only(outcome, 'name/unresolved');
    assert.is(found.span.file, 'over-0.toml');
    assert.match(found.help ?? '', near);
    assert.ok(found.fix, text);
  }
});

test('a group without name and routes is an error', () => {
  const found = only(over('[[group]]\nprefix = "/api"\npolicies = []\n'), 'name/unresolved');
  assert.is(found.span.file, 'over-0.toml');
  assert.match(found.help ?? '', /name = "NAME"/);
  assert.is(changed('[[group]]\nprefix = "/new"\n[[group.route]]\nmatch = "/x"\nto = "orders"\n').routes.length, 6);
});

test('a route in another group is reported differently from an unknown route', () => {
  const found = only(
    over('[[group]]\nname = "api"\n[[group.route]]\nname = "bill"\ntimeout = "2s"\n'),
    'name/unresolved',
  );
  assert.match(found.message, 'is not in this group');
  assert.is(found.related?.[0]?.span.file, 'parts/billing.toml');
  const moved = changed(
    'remove = ["route.bill"]\n[[group]]\nname = "api"\n[[group.route]]\nname = "bill"\nmatch = "/bill"\nto = "billing"\n',
  );
  assert.is(routeOf(moved, 'bill')?.match.text, '/api/bill');
});

test('an ambiguous name is an error', () => {
  const twice =
    '[[group]]\nname = "new"\n[[group.group]]\nname = "deep"\n[[group.group.route]]\nmatch = "/z"\nto = "orders"\n';
  const found = only(over(twice, '[[group]]\nname = "deep"\nprefix = "/y"\n'), 'name/duplicate');
  assert.is(found.span.file, 'over-1.toml');
  assert.is(found.related?.length, 2);
});

test('an ambiguous name in remove is an error', () => {
  const twice = '[[group]]\nprefix = "/new"\n[[group.route]]\nmatch = "/z"\nto = "orders"\n';
  const other = twice.replace('"/z"', '"/y"');
  for (const path of ['group./new', 'group./new.prefix']) {
    const found = only(over(twice + other, `remove = ["${path}"]\n`), 'name/duplicate');
    assert.is(found.span.file, 'over-1.toml');
    assert.is(found.related?.length, 2);
  }
});

test('remove finds routes and groups at any depth, and single keys of them', () => {
  const names = (text: string) => changed(text).routes.map(({ name }) => name);
  assert.not(names('remove = ["route.inner", "route.bill"]\n').includes('inner'));
  assert.equal(names('remove = ["group.deep"]\n'), ['GET /plain', 'outer', 'bill']);
  assert.equal(names('remove = ["group.api", "group.included"]\n'), ['GET /plain']);
  assert.not(names('remove = ["route.GET /plain"]\n').includes('GET /plain'));
  assert.is(routeOf(changed('remove = ["route.outer.timeout"]\n'), 'outer')?.timeout, 60_000);
  assert.is(routeOf(changed('remove = ["group.api.prefix"]\n'), 'outer')?.match.text, '/outer');
  const unknown = only(over('remove = ["route.iner"]\n'), 'name/unresolved');
  assert.match(unknown.help ?? '', '`route.inner`');
  assert.match(only(over('remove = ["route.inner.timeout"]\n'), 'name/unresolved').message, 'Nothing to remove');
});

test('an error in a value from an overlay points into the overlay', () => {
  const cases: readonly (readonly [text: string, code: string, line: number])[] = [
    ['[[route]]\nname = "inner"\nto = "nowhere"\n', 'name/unresolved', 3],
    ['[[route]]\nname = "inner"\ntimeouts = "1s"\n', 'schema/unknown-key', 3],
    ['[[route]]\nname = "inner"\nmatch = "GET inner"\n', 'path/no-slash', 3],
    ['[service.billing]\nretries = 99\n', 'schema/range', 2],
    ['[[group]]\nname = "deep"\nhost = "a:80"\n', 'match/host', 3],
  ];
  for (const [text, code, line] of cases) {
    const { span } = only(over(text), code);
    assert.equal([span.file, span.start.line], ['over-0.toml', line], text);
  }
});

test('invalid routes and groups in an overlay give diagnostics, not a throw', () => {
  for (const text of [
    'route = 1',
    'route = [1, "a"]',
    '[route]\nname = "inner"',
    'group = "x"',
    '[[group]]\nroute = 3',
    'service = 4',
    '[service]\nbilling = 4',
    'defaults = []',
  ]) {
    assert.ok(over(`${text}\n`).diagnostics.length > 0, text);
  }
});

test.run();
