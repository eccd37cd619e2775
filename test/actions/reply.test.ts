import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSpec } from '../../src/lint/index.js';
import { bundleOf, runner } from './kit.js';

const HEAD = 'spec = 1\n[listener.main]\naddress = "127.0.0.1:8080"\n';
const specOf = (reply: string, match = 'GET /o/{id}') => `${HEAD}[[route]]\nmatch = "${match}"\nreply = ${reply}\n`;

test('a reply without variables is constant, with a content type for text', async () => {
  const run = runner(specOf('{ status = 404, body = "caf\u00e9" }'));
  const reply = await run('GET /o/7');
  assert.equal(
    [reply.status, reply.body, reply.headers.get('content-type')],
    [404, 'caf\u00e9', 'text/plain; charset=utf-8'],
  );
});

test('braces of JSON, CSS, scripts and other template languages stay as they are', async () => {
  const bodies = [
    '{"a":1}',
    '{"a":{"id":{}},"b":[{}]}',
    'body{color:red}',
    'function f(){return}',
    'a {{id}} b',
    '${id}',
    '{ id }',
    '{id:int}',
    '{x.y}',
    '{}}{',
  ];
  for (const body of bodies) {
    const text = specOf(`{ body = ${JSON.stringify(body)} }`);
    assert.equal(checkSpec({ path: 'gateway.toml', text }).diagnostics, [], body);
    assert.is((await runner(text)('GET /o/7')).body, body);
  }
});

test('variables of bodies and fields are rendered', async () => {
  const run = runner(
    specOf(
      '{ headers = { x-order = "{id}", x-host = "{request.host}", x-none = "{consumer.name}" }, body = "order {id} of {request.host}" }',
    ),
  );
  const reply = await run('GET /o/7', { host: 'a.example' });
  assert.is(reply.body, 'order 7 of a.example');
  assert.equal([reply.headers.get('x-order'), reply.headers.get('x-host')], ['7', 'a.example']);
  assert.not.ok(reply.headers.has('x-none'), 'a field without a value is not sent');
});

test('with template = false everything is literal', async () => {
  const text = specOf('{ headers = { x-a = "{id}" }, body = "{request.nope} {id}", template = false }');
  assert.equal(checkSpec({ path: 'gateway.toml', text }).diagnostics, []);
  const reply = await runner(text)('GET /o/7');
  assert.equal([reply.body, reply.headers.get('x-a')], ['{request.nope} {id}', '{id}']);
});

test('a variable cannot end a field or begin another', async () => {
  const reply = await runner(specOf('{ headers = { x-order = "{id}", location = "/v2/{id}" } }'))(
    'GET /o/a%0d%0ax-evil:1',
  );
  assert.is(reply.status, 400, 'the path is refused');
  const quoted = await runner(specOf('{ headers = { x-order = "{id}", location = "/v2/{id}" } }'))(
    'GET /o/%C3%A4%22%20x',
  );
  assert.equal([quoted.headers.get('x-order'), quoted.headers.get('location')], ['%C3%A4" x', '/v2/%C3%A4%22%20x']);
});

test('a variable cannot leave its element, attribute or string', async () => {
  const evil = 'GET /o/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E';
  const as = async (type: string, body: string, url = 'GET /o/%22%3E%3Cb%20%27%26') =>
    (
      await runner(specOf(`{ headers = { content-type = ${JSON.stringify(type)} }, body = ${JSON.stringify(body)} }`))(
        url,
      )
    ).body;
  assert.is(await as('text/html', '<p title="{id}">'), '<p title="&#34;&#62;&#60;b &#39;&#38;">');
  assert.is(await as('application/xhtml+xml', '<p>{id}'), '<p>&#34;&#62;&#60;b &#39;&#38;');
  assert.is(await as('text/plain', '{id}'), '">' + "<b '&");
  const json = await as(
    'application/problem+json; charset=utf-8',
    '{"id":"{id}","by":{consumer.name},"n":{request.header.x-n}}',
  );
  assert.equal(JSON.parse(json), { id: '"><b \'&', by: null, n: null });
  assert.not.ok((await as('application/json', '{"id":"{id}"}', evil)).includes('<'));
});

test('outside of quotes in JSON a variable becomes a value', async () => {
  const body = '{"id":{id},"list":[{request.header.x-a}]}';
  const run = runner(specOf(`{ headers = { content-type = "application/json" }, body = '${body}' }`));
  for (const [id, a, wanted] of [
    ['7', 'x', { id: 7, list: ['x'] }],
    ['007', '1,2', { id: '007', list: ['1,2'] }],
    ['x","admin":true,"y":"', 'true', { id: 'x","admin":true,"y":"', list: ['true'] }],
  ] as const)
    assert.equal(JSON.parse((await run(`GET /o/${encodeURIComponent(id)}`, { 'x-a': a })).body), wanted);
});

test('unknown variables are located; near misses are warnings', () => {
  const found = (body: string, headers = '') =>
    checkSpec({
      path: 'gateway.toml',
      text: specOf(`{ headers = { ${headers} }, body = ${JSON.stringify(body)} }`),
    }).diagnostics.map(({ code, span }) => `${code} ${span.end.offset - span.start.offset}`);
  assert.equal(found('a {consumer.nam} b'), ['template/unknown-variable 14']);
  assert.equal(found('{param.other}'), ['template/unknown-variable 13']);
  assert.equal(found('{reply.status}'), ['template/unknown-variable 14'], 'there is no reply yet');
  assert.equal(found('{consmer.name} {name}'), ['reply/literal-braces 14']);
  assert.equal(found('', 'x-region = "${REGION}"'), ['reply/literal-braces 9']);
  assert.equal(found('order {id} of {consumer.name}'), []);
});

test('a bundle holds a reply as parts', () => {
  const [route] = bundleOf(specOf('{ body = "order {id}" }')).program.routes;
  assert.equal(route!.action.settings, {
    status: 200,
    headers: [['content-type', ['text/plain; charset=utf-8']]],
    body: ['order ', { var: 'param.id' }],
  });
});

test.run();
