import { test } from 'uvu';
import * as assert from 'uvu/assert';
import aggregate from '../../../src/actions/aggregate/index.js';
import { renderExplanation } from '../../../src/cli/explanation.js';
import { explain } from '../../../src/control/explain.js';
import { checkSpec } from '../../../src/lint/index.js';
import { bundleOf, runner } from '../kit.js';

const HEAD = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.shop]
targets = ["http://127.0.0.1:4001"]
[[route]]
name = "page"
match = "GET /page/{id}"
`;
const call = (name: string, more: string): string =>
  `[route.aggregate.call.${name}]\nservice = "shop"\npath = "/${name}"\n${more}\n`;

const found = (text: string): string[] =>
  checkSpec({ path: 'gateway.toml', text: HEAD + text }).diagnostics.map(({ code, message }) => `${code}: ${message}`);

test('a cycle of three is shown with each of its edges, of any kind', () => {
  const { diagnostics } = checkSpec({
    path: 'gateway.toml',
    text:
      HEAD +
      call('a', 'body = "{calls.b.body}"') +
      call('b', 'after = ["c"]') +
      call('c', 'for_each = "a.x"\nmax_items = 2'),
  });
  const cycle = diagnostics.find(({ code }) => code === 'aggregate/cycle')!;
  assert.match(cycle.message, '`a` -> `b` -> `c` -> `a`');
  assert.equal(
    cycle.related?.map(({ message }) => message),
    ['`b` waits for `c`', '`c` reads `a.x`'],
  );
  assert.is(cycle.span.start.line, 12);
});

test('names are checked: calls, parts of calls, items, variables, services, merge', () => {
  assert.match(found(call('a', 'query = { x = "{calls.b.body}" }'))[0]!, 'Unknown call `b`; the calls are `a`.');
  assert.match(found(call('a', 'query = { x = "{item}" }'))[0]!, 'The path has no parameter `item`');
  assert.match(found(call('a', 'query = { x = "{item.id}" }'))[0]!, '`item.id` is an item of `for_each`');
  assert.match(found(call('a', 'if = "consumer.name"'))[0]!, 'Unknown call `consumer`; the calls are `a`.');
  assert.match(found(call('a', 'headers = { x = "{calls.a.code}" }'))[0]!, '`calls.a.code` is not a value of a call');
  assert.match(found(call('a', 'headers = { x = "{consumer.nam}" }'))[0]!, 'Unknown variable `{consumer.nam}`');
  assert.match(found(call('a', '').replace('"shop"', '"shpo"'))[0]!, 'name/unresolved');
  assert.match(found(call('a', 'query = { x = "{body.x}" }'))[0]!, 'the body of the request, which is not read');
  assert.match(found(call('a', 'json = \'{ "x": $body }\'\nmethod = "POST"'))[0]!, '`$body` is a value of the body');
  assert.match(found(`[route.aggregate]\nmerge = ["b"]\n${call('a', '')}`)[0]!, 'Unknown call `b`');
  assert.match(found(call('errors', ''))[0]!, 'schema/key');
  assert.match(found('[route.aggregate.call]\n')[0]!, 'schema/empty');
});

test('JSONata is checked: its syntax, its variables, and which calls it reads', () => {
  const each = (text: string): string => call('a', '') + call('b', `for_each = '${text}'\nmax_items = 3`);
  assert.match(found(each('a.list['))[0]!, 'aggregate/jsonata');
  assert.match(found(each('a.list[id = $item]'))[0]!, '`$item` is neither bound nor a function');
  assert.match(found(each('$$.*'))[0]!, 'may read the results of all calls');
  assert.equal(found(each('a.list[id > 1].{ "x": id }')), []);
  const { diagnostics } = checkSpec({ path: 'gateway.toml', text: HEAD + each('b.list[id > 1]') });
  assert.match(diagnostics[0]!.message, 'Call `b` waits for itself: it reads `b`.');
  const merge = (text: string): string[] =>
    found(`[route.aggregate]\nmerge = '${text}'\n${call('a', '')}${call('b', '')}`);
  assert.match(merge('{ "x": a.x }')[0]!, 'aggregate/unused-call');
  assert.equal(merge('{ "x": a.x, "y": $calls.b.status }'), []);
  assert.equal(merge('$'), []);
  assert.match(merge('{ "x": a.x, "y": $calls.c.status, "z": b }')[0]!, 'Unknown call `c`');
});

test('the path of a call has only characters that a request can contain', () => {
  for (const [path, wrong] of [
    ['/a b/{id}', '" "'],
    ['/a#b', '"#"'],
    ['/käse?x=1', '"ä"'],
  ] as const)
    assert.match(
      found(`[route.aggregate.call.a]\nservice = "shop"\npath = "${path}"\n`)[0]!,
      `aggregate/path: A path cannot contain ${wrong}.`,
    );
});

test('the body of a call is JSON whatever its values are, unless it has another type', () => {
  const body = (text: string, more = ''): string[] => found(call('a', `method = "POST"\nbody = '${text}'\n${more}`));
  for (const text of ['{ "a": {id}, "b": "x {id} {query.q}" }', '{calls.b.body}', '"{id}\\""', '[{id}, {id}]'])
    assert.equal(
      body(text, call('b', '')).filter((one) => one.includes('json')),
      [],
      text,
    );
  for (const text of ['{ "a": {id}', '{id} {id}', '{ "a": x{id} }', '{ "a": "{id} }'])
    assert.match(body(text)[0]!, 'aggregate/json: The body of the call is not JSON', text);
  assert.equal(body('a={id}', 'headers = { Content-Type = "application/x-www-form-urlencoded" }'), []);
  assert.match(body('x', 'headers = { content-type = "application/problem+json; a=b" }')[0]!, 'aggregate/json');
});

test('a field of a call is set once', () => {
  assert.match(found(call('a', 'headers = { Accept = "a/b", accept = "c/d" }'))[0]!, 'The field `accept` is set twice');
});

test('a default has an effect on a call that may not be sent', () => {
  const omitted = 'default = 1\non_failure = "omit"\n';
  assert.match(found(call('a', omitted))[0]!, 'The default has no effect');
  assert.equal(found(call('a', `${omitted}when = 'request.query["x"] == "1"'`)), []);
  assert.equal(found(call('a', '') + call('b', `${omitted}if = "a.x"`)), []);
});

test('a fan-out has no status of its own', () => {
  const text =
    call('a', '') + call('b', 'for_each = "a"\nmax_items = 3') + call('c', 'headers = { x = "{calls.b.status}" }');
  assert.match(found(text)[0]!, '`b` has a reply for each item');
});

test('a spec without faults gives no diagnostics', () => {
  assert.equal(
    found(
      call('a', 'query = { id = "{id}", page = "{query.page}" }') +
        call('b', `for_each = "a.list"\nmax_items = 3\nbody = '{"x": {item.id}, "y": "{z}"}'\nmethod = "POST"`),
    ),
    [],
  );
});

test('what templates read of the request is declared for caches; conditions and parameters are checked', () => {
  const config = {
    call: {
      a: {
        path: '/x/{id}/{claims.sub}',
        query: { page: '{query.page}', item: '{item.id}' },
        headers: { 'x-lang': '{request.header.Accept-Language}' },
        body: '{"by": "{consumer.name}", "of": {calls.b.body}}',
      },
    },
    headers: { 'x-id': '{request.id}' },
    merge:
      '{ "a": a, "m": $request.method, "q": $request.query.sort, "l": $request.headers.Accept, "c": $claims.sub, "r": $request }',
  };
  assert.equal(
    aggregate.requestFacts?.(config)?.map(({ at: _, ...fact }) => fact),
    [
      { kind: 'param', name: 'id' },
      { kind: 'claims', name: 'sub' },
      { kind: 'query', name: 'page' },
      { kind: 'field', name: 'accept-language' },
      { kind: 'consumer' },
      { kind: 'id' },
      { kind: 'query', name: 'sort' },
      { kind: 'field', name: 'accept' },
      { kind: 'claims', name: 'sub' },
      { kind: 'anything' },
    ],
  );
  assert.match(found(call('a', `when = 'request.params["no"] == "1"'`))[0]!, 'has no parameter `no`');
});

test('explain prints the plan, and what would be called first', async () => {
  const bundle = bundleOf(HEAD + call('a', 'timeout = "1s"') + call('b', 'if = "a.x"\ndefault = []'));
  const explanation = await explain(bundle, { method: 'GET', url: '/page/1', headers: {} });
  const text = renderExplanation(explanation, (_style, plain) => plain);
  assert.match(
    text,
    `  action aggregate: 2 calls: a, b
    all calls within 10s; the reply has a, b
    stage 1:
      a: GET /a of shop; within 1s
    stage 2:
      b: GET /b of shop; after a; if a.x; a default if it fails or is not sent
`,
  );
  assert.match(text, 'action aggregate would call shop: GET /a');
});

test('runs offline with mocks', async () => {
  const run = runner(HEAD + call('a', '') + call('b', 'query = { of = "{calls.a.body.id}" }'));
  const mocks = { shop: ({ path }: { path: string }) => ({ body: JSON.stringify({ id: path }) }) };
  const reply = await run('GET /page/1', {}, { mocks });
  assert.equal(JSON.parse(reply.body), { a: { id: '/a' }, b: { id: '/b?of=%2Fa' } });
});

test.run();
