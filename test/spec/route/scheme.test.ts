import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../src/compiler/index.js';
import { codes, HEAD, ORDERS, checked as readSpec } from '../../lint/kit.js';
import { codesOf, load, modelOf, HEAD as START } from '../helper.js';

const SCHEMES = `${START}
[[group]]
scheme = "https"
[[group.route]]
match = "GET /inherited"
to = "orders"
[[group.route]]
match = { path = "/own", scheme = "http", headers = { x = true } }
to = "orders"
[[group.group]]
prefix = "/inner"
[[group.group.route]]
match = "/deep"
to = "orders"
[[route]]
match = "/any"
to = "orders"
`;

test('routes have the scheme of their match, or of the innermost group with one', () => {
  const model = modelOf(load(SCHEMES));
  assert.equal(
    model.routes.map(({ match }) => [
      match.text,
      ...match.conditions.map(({ on, name, test: wanted }) => [on, name, wanted]),
    ]),
    [
      ['/any'],
      ['GET /inherited', ['scheme', '', { op: 'equals', value: 'https' }]],
      ['/own', ['scheme', '', { op: 'equals', value: 'http' }], ['header', 'x', { op: 'present' }]],
      ['/inner/deep', ['scheme', '', { op: 'equals', value: 'https' }]],
    ],
  );
  const { origins } = compile(model).bundle.program.provenance;
  assert.is(origins['route.GET /inherited.scheme']?.from, 'group');
  assert.is(origins['route./own.scheme'], undefined);
});

test('other schemes are errors', () => {
  for (const scheme of ['"ws"', '"HTTPS"', 'true', '["http"]'])
    assert.is(
      codesOf(load(`${START}[[route]]\nmatch = { path = "/x", scheme = ${scheme} }\nto = "orders"\n`)).length,
      1,
    );
  assert.is(codesOf(load(`${START}[[group]]\nscheme = ""\n[[group.route]]\nmatch = "/x"\nto = "orders"\n`)).length, 1);
});

test('a scheme that no listener of the route receives is a warning, one for a group', () => {
  const secure = 'tls = { cert = "c.pem", key = "k.pem" }\n';
  const other = `[listener.secure]\naddress = "127.0.0.1:8443"\n${secure}`;
  const group = (scheme: string, more = '') =>
    `[[group]]\nscheme = "${scheme}"\n${more}[[group.route]]\nmatch = "/a"\nto = "orders"\n[[group.route]]\nmatch = "/b"\nto = "orders"\n`;
  const found = (text: string) => readSpec(text).diagnostics.filter(({ code }) => code === 'route/scheme');
  const [warning, ...more] = found(HEAD + ORDERS + group('https'));
  assert.match(warning?.message ?? '', /^Route `\/a` never matches: .* over https\. The same is true of 1 more/);
  assert.is(more.length, 0);
  assert.equal(codes(found(HEAD + ORDERS + group('http'))), []);
  assert.equal(codes(found(`${HEAD}trusted_proxies = ["10.0.0.0/8"]\n${ORDERS}${group('https')}`)), []);
  assert.equal(codes(found(HEAD + secure + ORDERS + group('http'))), ['route/scheme']);
  assert.equal(codes(found(HEAD + other + ORDERS + group('https'))), []);
  assert.equal(codes(found(HEAD + other + ORDERS + group('https', 'listeners = ["main"]\n'))), ['route/scheme']);
});

test.run();
