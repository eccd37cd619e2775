/** `when` of policies, over sockets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, specOf } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
}
const test = suite<Context>('conditions of policies');

const POLICIES = `
[policy.keys]
use = "api-key"
when = '"x-api-key" in request.headers'

[consumer.acme]
api_keys = ["sha256:80a00f0b51c6d51dc228b0b2b1f4fb3a510da55c0aaef2a956d7c488180d68f9"]

[policy.few-posts]
use = "rate-limit"
limit = "1/h"
by = "ip"
when = 'request.method == "POST"'

[policy.errors]
use = "headers"
reply.set = { x-failed = "{reply.status}" }
when = 'reply.status >= 400 || request.query.mark == "1"'

[policy.level]
use = "headers"
request.set = { x-level = "high" }
when = '"x-level" in request.headers && int(request.headers["x-level"]) > 3'
`;
const SPEC = { more: POLICIES, route: 'policies = ["keys", "few-posts", "errors", "level"]' };

test.before.each(async (context) => {
  context.target = await FaultTarget.start();
  context.plane = await Plane.start(specOf(context.target.url, SPEC));
});
test.after.each(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

const request = (method: string, path: string, fields: readonly string[] = []): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: a.example', 'Content-Length: 0', ...fields, '', ''].join('\r\n');

test('a policy takes part only if its condition holds', async ({ plane, target }) => {
  assert.is((await plane.ask(request('GET', '/'))).status, 200);
  assert.is((await plane.ask(request('GET', '/', ['X-Api-Key: wrong']))).status, 401);
  for (const expected of [200, 429]) assert.is((await plane.ask(request('POST', '/'))).status, expected);
  assert.is((await plane.ask(request('GET', '/'))).status, 200);
  assert.is(target.arrived.length, 3);
});

test('a condition on the reply is evaluated for every reply of the route', async ({ plane }) => {
  assert.is((await plane.ask(request('GET', '/'))).header('x-failed'), undefined);
  assert.is((await plane.ask(request('GET', '/?mark=1'))).header('x-failed'), '200');
  assert.is((await plane.ask(request('GET', '/', ['X-Api-Key: wrong']))).header('x-failed'), '401');
});

test('a condition that cannot be evaluated refuses the request, and says why', async ({ plane, target }) => {
  assert.is((await plane.ask(request('GET', '/', ['X-Level: 5']))).status, 200);
  assert.is(target.arrived.at(-1)?.header('x-level'), 'high');
  const reply = await plane.ask(request('GET', '/', ['X-Level: many']));
  assert.is(reply.status, 500);
  assert.match(reply.body.toString(), 'policy/failed');
  assert.ok(plane.logs.some(({ fields }) => /no int in this string/.test(String(fields?.['cause']))));
  assert.is(target.arrived.length, 1);
});

test('malformed code in a bundle fails the load, and the old generation serves', async ({ plane, target }) => {
  const broken = plane.load(specOf(target.url, SPEC), (program) => ({
    ...program,
    policies: program.policies.map((policy) => ({ ...policy, when: { source: 'x', code: ['fact', 'no.such'] } })),
  }));
  assert.match(await broken.then(String, String), /malformed expression/);
  assert.is((await plane.ask(request('GET', '/'))).status, 200);
});

test.run();
