/** A client cannot say who it is: fields by which policies tell targets about the caller come from policies alone. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { identityGuardsOf } from '../../src/proxy/exchange/identity-fields.js';
import { type FaultTarget, type Plane, type RawReply, specOf } from '../integration/engine-kit.js';
import { sharedEngineSuite } from '../integration/engine-suite.js';

const test = sharedEngineSuite('identity smuggling');
const hashOf = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

const spec = (target: FaultTarget, listener = ''): string =>
  specOf(target.url, {
    listener,
    more: `
[consumer.acme]
api_keys = ["${hashOf('key-of-acme')}"]
[consumer.bolt]
api_keys = ["${hashOf('key-of-bolt')}"]
[policy.key]
use = "api-key"
[policy.who]
use = "headers"
request.set = { x-user = "{consumer.name}", x-consumer-name = "{consumer.name}" }
[policy.some]
use = "headers"
when = 'consumer.name == "acme"'
request.set = { x-user = "{consumer.name}", x-consumer-name = "{consumer.name}" }
[policy.more]
use = "headers"
request.add = { x-group = "{consumer.name}" }
[policy.signs]
use = "upstream-auth"
fields = { x-tenant = "{consumer.name}", x-static = "of-gw" }
[policy.passes]
use = "headers"
request.set = { x-user = "{request.header.x-user}" }
[[route]]
match = "/set"
to = "it"
policies = ["key", "who"]
[[route]]
match = "/some"
to = "it"
policies = ["key", "some"]
[[route]]
match = "/add"
to = "it"
policies = ["key", "more"]
[[route]]
match = "/plain"
to = "it"
policies = ["key"]
[[route]]
match = "/open"
to = "it"
[[route]]
match = "/passes"
to = "it"
policies = ["key", "passes"]
[[route]]
match = "/signs"
to = "it"
policies = ["key", "signs"]
[service.other]
targets = ["${target.url}"]
[[route]]
match = "/other"
to = "other"
`,
  });

const ask = (plane: Plane, path: string, fields: string): Promise<RawReply> =>
  plane.ask(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: key-of-bolt\r\n${fields}\r\n\r\n`);

const linesOf = (target: FaultTarget): readonly (readonly [name: string, value: string])[] =>
  target.arrived
    .at(-1)!
    .head.split('\r\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);

const got = (target: FaultTarget, name: string): readonly string[] =>
  linesOf(target)
    .filter(([field]) => field === name)
    .map(([, value]) => value);

const FORGED = 'X-User: acme\r\nx-user: acme\r\nX-USER:acme\r\nX-Group: acme\r\nx-group: acme\r\nX-Accept: 1';

test('a field that a policy sets to the caller has one value, whatever the client sends', async ({ target, plane }) => {
  await plane.load(spec(target));
  await ask(plane, '/set', FORGED);
  assert.equal(got(target, 'x-user'), ['bolt']);
  assert.equal(got(target, 'x-accept'), ['1']);
});

test('a policy whose condition does not hold lets no forged identity pass', async ({ target, plane }) => {
  await plane.load(spec(target));
  await ask(plane, '/some', FORGED);
  assert.equal(got(target, 'x-user'), []);
});

test('a field that is added follows no value of the client', async ({ target, plane }) => {
  await plane.load(spec(target));
  await ask(plane, '/add', FORGED);
  assert.equal(got(target, 'x-group'), ['bolt']);
});

test('other routes to the same service do not take a forged identity', async ({ target, plane }) => {
  await plane.load(spec(target));
  for (const path of ['/plain', '/open']) {
    await ask(plane, path, FORGED);
    assert.equal([...got(target, 'x-user'), ...got(target, 'x-group')], [], path);
    assert.equal(got(target, 'x-accept'), ['1']);
  }
});

test('a field by which upstream-auth names the caller is taken from the client on all routes of the service', async ({
  target,
  plane,
}) => {
  await plane.load(spec(target));
  const ask = (path: string) =>
    plane.ask(
      `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: key-of-bolt\r\nX-Tenant: acme\r\nX-Static: of-the-client\r\n\r\n`,
    );
  for (const [path, tenant, fixed] of [
    ['/signs', ['bolt'], ['of-gw']],
    ['/plain', [], ['of-the-client']],
    ['/open', [], ['of-the-client']],
    ['/other', ['acme'], ['of-the-client']],
  ] as const) {
    assert.is((await ask(path)).status, 200, path);
    assert.equal([got(target, 'x-tenant'), got(target, 'x-static')], [tenant, fixed], path);
  }
});

test('a route that passes the field on by intention keeps it, and so does another service', async ({
  target,
  plane,
}) => {
  await plane.load(spec(target));
  await ask(plane, '/passes', 'X-User: mine');
  assert.equal(got(target, 'x-user'), ['mine']);
  await ask(plane, '/other', 'X-User: mine');
  assert.equal(got(target, 'x-user'), ['mine']);
});

test('X-Consumer-* of a client reaches no target, in any mix of case, on any route', async ({ target, plane }) => {
  for (const listener of ['', 'trusted_proxies = ["127.0.0.0/8", "::1"]']) {
    await plane.load(spec(target, listener));
    const forged = [
      'x-consumer-name: acme',
      'X-Consumer-Name: acme',
      'X-CONSUMER-NAME: acme',
      'x-consumer-id:acme',
      'X-Consumer-: acme',
      'X-Consumer-Groups: \tadmins\t',
      'x-consumer-custom-id-of-any-length: acme',
      'X-Consumer: kept',
    ].join('\r\n');
    for (const path of ['/set', '/some', '/plain', '/open', '/other']) {
      // The fields of the second request are known.
      for (let times = 0; times < 2; times++) {
        await ask(plane, path, forged);
        const arrived = linesOf(target).filter(([name]) => name.startsWith('x-consumer'));
        assert.equal(
          arrived.map(([name, value]) => `${name}: ${value}`).sort(),
          path === '/set' ? ['x-consumer-name: bolt', 'x-consumer: kept'] : ['x-consumer: kept'],
          path,
        );
      }
    }
  }
});

test('underscores do not make another name of these fields', async ({ target, plane }) => {
  await plane.load(spec(target));
  const before = target.arrived.length;
  for (const name of ['x_user', 'X_User', 'x_group', 'X_Consumer_Name', 'x-consumer_groups', 'X_CONSUMER-ID'])
    for (const path of ['/set', '/open', '/other'])
      assert.is((await ask(plane, path, `${name}: acme`)).status, 400, `${name} ${path}`);
  assert.is(target.arrived.length, before);
});

test('Connection cannot remove what a policy has set', async ({ target, plane }) => {
  await plane.load(spec(target));
  for (const listed of ['x-user', 'X-User, x-consumer-name', 'close, X-CONSUMER-NAME', 'x-user, x-api-key']) {
    await ask(plane, '/set', `Connection: ${listed}\r\nX-User: acme\r\nx-consumer-name: acme`);
    assert.equal([got(target, 'x-user'), got(target, 'x-consumer-name')], [['bolt'], ['bolt']], listed);
  }
});

test('what a policy reads or passes on stays, although another route sets the field', () => {
  const authenticate = (): never => {
    throw new Error('not called');
  };
  const sets = { identityFields: ['X-User', 'authorization'] };
  const routes = [
    { service: 0, instances: [sets] },
    { service: 0, instances: [] },
    { service: 0, instances: [{ passedFields: ['x-user'] }] },
    { service: 0, instances: [{ authenticate, requestFields: ['x-user'] }] },
    { service: 0, instances: [{ requestFields: ['x-user'] }] },
    { service: 1, instances: [] },
  ];
  const user = ['x-user'];
  const removed = identityGuardsOf(routes).map((guard) => guard?.fields);
  assert.equal(removed, [user, user, undefined, undefined, user, undefined]);
});

test.run();
