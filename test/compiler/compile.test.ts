import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canonicalJson } from '../../src/bundle/canonical.js';
import { decodeBundle, encodeBundle } from '../../src/bundle/encode.js';
import { Matcher } from '../../src/bundle/match/match.js';
import { Trie } from '../../src/bundle/trie/trie.js';
import { compile } from '../../src/compiler/index.js';
import { view } from '../bundle/kit.js';
import { seededBelow } from '../support/random.js';
import { BASE, compiled, modelOf } from './kit.js';

const SPEC = `${BASE}
retries = 3
[service.managed]
run = { command = "node x.js", env = { A = "\${env:A}" }, cwd = "x" }
[consumer.acme]
plan = "gold"
tags = { tier = "1" }
[plan.gold]
limits = { polite = "100/min" }
[policy.polite]
use = "rate-limit"
limit = "10/s"
by = "ip"
[policy.nothing]
use = "headers"
[policy.keys]
use = "api-key"

[[route]]
name = "get-order"
match = "GET /orders/{id:int}"
to = "orders"
timeout = "5s"
policies = ["polite", { use = "headers", request.set = { x-id = "{id}" } }, "keys", "nothing", "polite"]
rewrite = "/v2/{param.id}"

[[route]]
name = "search"
match = { host = "*.example.com", path = "/search/{kind:[a-z]+}/{rest...}", methods = ["POST"], headers = { X-Beta = "1" }, query = { q = { matches = "[a-z]+" } } }
to = "managed"
strip_prefix = "/search"
max_body = "1MiB"

[[route]]
name = "health"
match = "/health"
reply = { status = 200, body = "ok" }

[[group]]
prefix = "/api"
policies = [{ use = "headers", reply.set = { x-api = "1" } }]
[[group.route]]
name = "listed"
match = "GET /items"
to = "orders"
`;

test('the same spec gives the same bytes', () => {
  const first = compiled(SPEC);
  const second = compiled(SPEC);
  assert.equal(encodeBundle(first.bundle), encodeBundle(second.bundle));
  assert.is(first.bundle.sha256, second.bundle.sha256);
});

test('the returned bundle equals its decoded bytes', () => {
  const { bundle } = compiled(SPEC);
  const decoded = decodeBundle(encodeBundle(bundle));
  assert.is(decoded.sha256, bundle.sha256);
  assert.is(canonicalJson(decoded.program), canonicalJson(bundle.program));
});

test('routes: match, parameters, templates, sources', () => {
  const { program, trie } = compiled(SPEC).bundle;
  const [order, search, health] = program.routes;
  assert.equal(order!.params, ['id']);
  assert.equal(order!.rewrite, ['/v2/', { var: 'param.id' }]);
  assert.is(order!.timeout, 5000);
  assert.equal(
    { ...order!.source },
    { from: 'spec', file: 'gateway.toml', line: SPEC.split('\n').indexOf('[[route]]') + 1 },
  );
  assert.equal(search!.params, ['kind', 'rest']);
  assert.is(program.services[search!.service]!.name, 'managed');
  assert.is(search!.stripPrefix, '/search');
  assert.is(search!.maxBodyBytes, 1024 ** 2);
  assert.is(health!.service, -1);
  assert.is(health!.action.summary, 'reply 200');
  const matcher = new Matcher(Trie.open(trie));
  assert.is(matcher.match(view('HEAD /orders/7')), 0);
  assert.is(matcher.match(view('POST a.example.com/search/x/y/z?q=abc', { 'x-beta': '1' })), 1);
  assert.is(matcher.match(view('POST a.example.com/search/x/y/z?q=1', { 'x-beta': '1' })), -1);
  assert.is(matcher.match(view('GET /api/items')), 3);
});

test('policies: phase order, each once, idle ones dropped, identity from use, name and settings', () => {
  const { bundle, stats } = compiled(SPEC);
  const { policies, routes } = bundle.program;
  assert.equal(
    routes[0]!.policies.map((index) => policies[index]!.name),
    ['keys', 'polite', 'get-order/headers'],
  );
  assert.is(stats.passes.find(({ pass }) => pass === 'idle-policies')!.summary, 'dropped 1 policy that cannot act');
  for (const policy of policies) assert.match(policy.identity, /^[0-9a-f]{32}$/);
  const limit = policies.find(({ name }) => name === 'polite')!;
  assert.is(limit.origins['limit']!.from, 'spec');
  assert.is(limit.origins['cost']!.from, 'default');
  const unrelated = compiled(SPEC.replace('retries = 3', 'retries = 4')).bundle.program.policies;
  assert.equal(
    unrelated.map(({ identity }) => identity),
    policies.map(({ identity }) => identity),
  );
  const changed = compiled(SPEC.replace('"10/s"', '"11/s"')).bundle.program.policies;
  assert.is.not(changed.find(({ name }) => name === 'polite')!.identity, limit.identity);
});

test('services, consumers, plans and settings', () => {
  const { program } = compiled(
    `${SPEC}\n[normalize]\ntrailing_slash = "ignore"\n[admin]\ntoken = "\${env:T}"\n`,
  ).bundle;
  const [orders, managed] = program.services;
  assert.is(orders!.retries, 3);
  assert.equal(orders!.targets, [{ url: 'http://127.0.0.1:4003', weight: 1 }]);
  assert.equal(managed!.targets, []);
  assert.equal({ ...managed!.run!.env }, { A: { $ref: '${env:A}' } });
  assert.equal(program.consumers[0]!.plan, 'gold');
  assert.equal(program.plans[0]!.limits, { polite: { capacity: 100, periodMs: 60_000 } });
  assert.equal(program.admin, { token: { $ref: '${env:T}' } });
  assert.is(program.normalize.trailingSlash, 'ignore');
  assert.is(program.provenance.files[0]!.path, 'gateway.toml');
  const { origins } = program.provenance;
  assert.is(origins['service.orders.retries']!.line, SPEC.split('\n').indexOf('retries = 3') + 1);
  assert.is(origins['service.orders.connect_timeout'], undefined, 'a default has no place');
  assert.is(origins['route.get-order.timeout']!.from, 'spec');
  assert.is(origins['route.get-order.match'], undefined, 'the place is that of the route');
});

test('the trie is in shared memory on request', () => {
  assert.ok(compiled(SPEC).bundle.trie instanceof ArrayBuffer);
  const { bundle } = compile(modelOf(SPEC), { shared: true });
  assert.ok(bundle.trie instanceof SharedArrayBuffer);
  assert.is(bundle.sha256, compiled(SPEC).bundle.sha256);
});

test('stats count the output', () => {
  const { stats, bundle } = compiled(SPEC);
  assert.is(stats.routes, 4);
  assert.is(stats.services, 2);
  assert.is(stats.policies, bundle.program.policies.length);
  assert.is(stats.trieBytes, bundle.trie.byteLength);
  assert.ok(stats.trieNodes > 8 && stats.programBytes > 1000);
  assert.is(stats.trieDepth, 2);
  assert.equal(
    stats.passes.map(({ pass }) => pass),
    ['dead-routes', 'idle-policies', 'condition-order', 'equal-settings'],
  );
});

test('the order of entities in the files has no effect on matching', () => {
  const routes = [
    'GET /a/{x}',
    'GET /a/{x:int}',
    '/a/b',
    'PUT /a/b',
    '/{all...}',
    'GET /a/{x}/c',
    '/a/{y}/{z:uuid}',
  ].map((match) => `[[route]]\nname = "${match}"\nmatch = "${match}"\nto = "orders"\n`);
  const requests = [
    'GET /a/b',
    'PUT /a/b',
    'GET /a/7',
    'GET /a/x',
    'POST /a/x',
    'GET /a/1/c',
    'GET /q/r/s',
    'HEAD /a/7',
  ];
  const winners = (texts: readonly string[]): (string | undefined)[] => {
    const { program, trie } = compiled(BASE + texts.join('\n')).bundle;
    const matcher = new Matcher(Trie.open(trie));
    return requests.map((request) => program.routes[matcher.match(view(request))]?.name);
  };
  const expected = winners(routes);
  const next = seededBelow(8);
  for (let round = 0; round < 10; round++) {
    const mixed = [...routes].sort(() => next(3) - 1);
    assert.equal(winners(mixed), expected);
  }
});

test('parameters with one pattern share an automaton', () => {
  const routes = Array.from({ length: 50 }, (_, i) => `[[route]]\nmatch = "/r${i}/{id:int}"\nto = "orders"\n`);
  const { trie } = compiled(BASE + routes.join('\n')).bundle;
  assert.is(Trie.open(trie).dfaCount, 1);
});

test.run();
