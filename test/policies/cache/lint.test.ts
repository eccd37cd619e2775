/** What lint says about settings of a cache that contradict each other or do nothing. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSpec } from '../../../src/lint/index.js';

const ROUTE = '[[route]]\nname = "a"\nmatch = "GET /a"\nto = "it"\npolicies = ["c"]\n';

/** Codes and messages for a cache with these settings. */
function found(settings: string, routes = ROUTE): readonly string[] {
  const text = `spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.it]\ntargets = ["http://127.0.0.1:4001"]\n[policy.c]\nuse = "cache"\n${settings}\n${routes}`;
  return checkSpec({ path: 'gateway.toml', text }).diagnostics.map(({ code, message }) => `${code} ${message}`);
}

test('settings that have no effect beside others are named, each alone', () => {
  for (const [settings, message] of [
    ['ttl = "forever"\nstale_while_revalidate = "1h"', /^cache\/no-effect .*`stale_while_revalidate` has no effect/],
    ['ttl = "forever"\nstale_if_error = "1h"', /^cache\/no-effect .*`stale_if_error` has no effect/],
    ['ttl = "1h"\nheuristic = {}', /^cache\/no-effect .*`heuristic` is used only for statuses/],
    ['key = { consumer = false, claims = ["sub"] }', /^cache\/no-effect .*`claims` has no effect/],
    ['collapse = false\ncollapse_wait = "1s"', /^cache\/no-effect .*no request waits/],
  ] as const) {
    const all = found(settings);
    assert.is(all.length, 1, settings);
    assert.match(all[0]!, message);
  }
});

test('the same settings alone are fine', () => {
  for (const settings of [
    'ttl = "1h"\nstale_while_revalidate = "1h"\nstale_if_error = "1h"',
    'heuristic = {}',
    'key = { claims = ["sub"] }',
    'key = { consumer = false }',
    'collapse = false',
    'collapse_wait = "1s"',
    'negative = { 404 = "10s", 503 = "1s", 301 = "1h" }',
  ])
    assert.equal(found(settings), [], settings);
});

test('statuses of which no reply is stored', () => {
  for (const status of [304, 412, 416, 428, 429, 431, 511])
    assert.match(found(`negative = { ${status} = "1s" }`).join(), /^cache\/status A reply with status \d+ answers one/);
});

test('a route without GET: a warning if nothing can ever be stored', () => {
  const route = (name: string, match: string): string => ROUTE.replace('"a"', `"${name}"`).replace('GET /a', match);
  assert.match(found('', route('a', 'HEAD /a')).join(), /^cache\/no-get Route `a` takes only HEAD/);
  assert.match(found('', route('a', 'POST /a')).join(), /^cache\/no-get Route `a` takes only POST/);
  // It removes what the other route stores.
  assert.equal(found('', route('a', 'GET /a') + route('b', 'POST /a')), []);
  assert.match(found('', route('a', 'GET /a') + route('b', 'OPTIONS /a')).join(), /^cache\/no-get Route `b`/);
  assert.equal(found('', route('a', '/a')), []);
});

test.run();
