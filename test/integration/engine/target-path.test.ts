/** What a policy makes of the path for the target: seen by signatures, later policies and the target. */
import * as assert from 'uvu/assert';
import type { Exchange, PolicyInstance } from '../../../src/policies/contract.js';
import { withPolicies } from '../../support/test-policies.js';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('paths that policies set');

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const MORE = `[[route]]
match = "/api/{rest...}"
to = "it"
strip_prefix = "/api"
[[route]]
match = "/old/{id}"
to = "it"
rewrite = "/new/{id}?from=old"
`;

const setting = (path: string, seen: (string | undefined | boolean)[]): PolicyInstance => ({
  before: (exchange: Exchange) => {
    seen.push(exchange.targetPath);
    if (path !== '') seen.push(exchange.setTargetPath(path), exchange.targetPath);
    return undefined;
  },
});

test('the target, later policies and signatures see the path that a policy sets', async ({ plane, target }) => {
  const [first, second, signed]: (string | undefined | boolean)[][] = [[], [], []];
  const signer: PolicyInstance = { onAttempt: (_exchange, attempt) => void signed!.push(attempt.path) };
  const policies = [{ run: setting('/v2/%7ea b', first!) }, { run: setting('/v2/%7ea%20b', second!) }, { run: signer }];
  await plane.load(specOf(`${target.url}/base`, { more: MORE }), withPolicies(policies));
  assert.is((await plane.ask(get('/api/orders?x=1'))).status, 200);
  assert.is(target.arrived.at(-1)!.url, '/base/v2/~a%20b?x=1');
  assert.equal(first, ['/orders', false, '/orders']);
  assert.equal(second, ['/orders', true, '/v2/~a%20b']);
  assert.equal(signed, ['/base/v2/~a%20b?x=1']);
});

test('without a policy, targetPath is what the route makes of the path', async ({ plane, target }) => {
  const seen: (string | undefined | boolean)[] = [];
  await plane.load(specOf(target.url, { more: MORE }), withPolicies([{ run: setting('', seen) }]));
  for (const path of ['/api/orders', '/api/', '/old/7', '/plain']) await plane.ask(get(path));
  assert.equal(seen, ['/orders', '/', '/new/7', '/plain']);
});

test('a path that must not be sent is refused, and changes nothing', async ({ plane, target }) => {
  for (const path of ['/a/../b', '/.', 'a', '/%2e%2e/x', '/a%2fb', '/a\r\nx: y', '/a?b', '/a#b', '/é']) {
    const seen: (string | undefined | boolean)[] = [];
    await plane.load(specOf(target.url, {}), withPolicies([{ run: setting(path, seen) }]));
    assert.is((await plane.ask(get('/plain'))).status, 200, path);
    assert.equal(seen, ['/plain', false, '/plain'], path);
    assert.is(target.arrived.at(-1)!.url, '/plain');
  }
});

test('a path that a policy sets stands in place of the rewrite; the query of the rewrite stays', async (context) => {
  const { plane, target } = context;
  const edit = withPolicies([{ run: setting('/third', []) }]);
  await plane.load(specOf(target.url, { more: MORE }), edit);
  await plane.ask(get('/old/7?a=1'));
  assert.is(target.arrived.at(-1)!.url, '/third?from=old&a=1');
});

test.run();
