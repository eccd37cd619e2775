/** Rules about callers: what none of them can have, and where there are none. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CONSUMER, check, KEYS, route } from './kit.js';

const TOKENS =
  '[policy.tokens]\nuse = "jwt"\njwks = "https://id.example/keys"\nissuer = "https://id.example"\naudience = "a"\n';
const MTLS = '[policy.certs]\nuse = "mtls"\n';
const BASIC = '[policy.people]\nuse = "basic"\n';

/** The messages about claims for a policy with the conditions, on routes with these authenticators. */
function found(conditions: string, ...authenticators: string[]): string[] {
  const access = `[policy.access]\nuse = "allow"\n${conditions}\n`;
  const routes = authenticators.map((name, index) =>
    route(`/r${index}`, `to = "orders"\npolicies = ["${name}", "access"]`),
  );
  const diagnostics = check(CONSUMER + KEYS + TOKENS + MTLS + BASIC + access + routes.join(''));
  assert.equal(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  return diagnostics.filter(({ code }) => code === 'allow/ungrantable-claim').map(({ message }) => message);
}

test('callers with API keys have no roles and no claims', () => {
  assert.equal(found('roles = ["admin"]', 'keys'), [
    'No caller can have the claim `roles` or `realm_access.roles`, so rule `1` never holds.',
  ]);
  assert.equal(found('claims = { tenant = "a", team = "b" }', 'keys').length, 2);
  assert.equal(found('rules = [{ groups = ["a"] }]\n[[policy.access.deny]]\nroles = ["guest"]', 'keys').length, 1);
  assert.equal(found('groups = ["a"]', 'keys'), []);
  assert.equal(found('scopes = ["a"]', 'keys'), [], 'scopes have a rule of their own');
});

test('what tokens contain is not known, and one route with tokens is enough', () => {
  assert.equal(found('roles = ["admin"]', 'tokens'), []);
  assert.equal(found('roles = ["admin"]', 'keys', 'tokens'), []);
});

test('certificates and passwords have some claims', () => {
  assert.equal(found('claims = { common_names = "a" }', 'certs'), []);
  assert.equal(found('claims = { tenant = "a" }', 'certs').length, 1);
  assert.equal(found('claims = { sub = "ann" }', 'people'), []);
  assert.equal(found('claims = { common_names = "a" }', 'keys', 'people').length, 1);
  assert.equal(found('roles = ["a"]\nrole_claims = ["dns"]', 'certs'), []);
});

test('a plan on a route where nothing authenticates: what its callers get is told', () => {
  const found = (policy: string): readonly (string | undefined)[] =>
    check(`[plan.gold]\nrate = "5/s"\n${policy}${route('/a', 'to = "orders"\npolicies = ["plan"]')}`)
      .filter(({ code }) => code === 'limit/before-authentication')
      .flatMap(({ message, help }) => [message, help]);
  const strict = found('');
  assert.match(strict[0]!, /requests have no consumer and get 403 `plan\/none`\.$/);
  assert.is(strict[1], 'Add an authenticating policy to the route.', 'a plan has no key `by`');
  assert.match(found('[policy.plan]\nuse = "plan"\ndefault = "gold"\n')[0]!, /are counted by address\.$/);
});

test.run();
