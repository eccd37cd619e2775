/** Authentication over sockets: policies that compose, credentials and fields of clients that must not reach a target. */
import { createHash } from 'node:crypto';
import * as assert from 'uvu/assert';
import { FaultTarget, never, ok, say, whole } from '../../support/fault-target.js';
import { until } from '../../support/until.js';
import { type RawReply, specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('authentication');

const KEY = 'key-of-acme-that-is-long';
const CONSUMER = `[consumer.acme]\napi_keys = ["sha256:${createHash('sha256').update(KEY).digest('hex')}"]\n`;
const SIGN_IN = 'HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n';
const CHALLENGE = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="a, b"\r\nContent-Length: 0\r\n\r\n';

let auth: FaultTarget;
test.before.each(async () => {
  auth = await FaultTarget.start(ok('yes', 'X-User: alice\r\n'));
});
test.after.each(() => auth.close());

const ask = (fields = '', path = '/orders'): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`;

/** A route whose callers are those of an any-of over a service and API keys. */
const composed = ({ plane, target }: EngineContext, members: string, keys = ''): Promise<void> =>
  plane.load(
    specOf(target.url, {
      route: 'policies = ["callers"]',
      more: `${CONSUMER}
[policy.service]
use = "forward-auth"
url = "${auth.url}/check"
take = ["x-user"]
${keys}
[policy.keys]
use = "api-key"
[policy.callers]
use = "any-of"
policies = ${members}
`,
    }),
  );

const challengesOf = ({ fields }: RawReply): string[] =>
  fields.filter(([name]) => name === 'www-authenticate').map(([, value]) => value);

test('any-of tries the next policy if the service asks for a credential that the request lacks', async (context) => {
  await composed(context, '["service", "keys"]');
  auth.respond = say(SIGN_IN);
  assert.is((await context.plane.ask(ask(`X-Api-Key: ${KEY}\r\nX-User: mallory\r\n`))).status, 200);
  const [forwarded] = context.target.arrived;
  assert.equal([forwarded!.header('x-api-key'), forwarded!.header('x-user')], [undefined, undefined]);
  assert.is((await context.plane.record(({ status }) => status === 200)).consumer, 'acme');
});

test('any-of passes the fields of the service that decides', async (context) => {
  await composed(context, '["keys", "service"]');
  assert.is((await context.plane.ask(ask('Authorization: Bearer t\r\nX-User: mallory\r\n'))).status, 200);
  assert.is(context.target.arrived[0]!.header('x-user'), 'alice');
  assert.is(auth.arrived[0]!.header('authorization'), 'Bearer t');
});

test('any-of stops at a refusal of the service, and at its outage', async (context) => {
  await composed(context, '["service", "keys"]', 'timeout = "1s"');
  const both = ask(`Authorization: Bearer t\r\nX-Api-Key: ${KEY}\r\n`);
  auth.respond = say('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno');
  const refused = await context.plane.ask(both);
  assert.equal([refused.status, refused.body.toString()], [401, 'no']);
  auth.respond = say('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n');
  assert.is((await context.plane.ask(ask(`X-Api-Key: ${KEY}\r\n`))).status, 403);
  auth.respond = never;
  const client = context.plane.client();
  client.send(ask(`X-Api-Key: ${KEY}\r\n`));
  await until(() => auth.arrived.length === 3, 'the question');
  context.time.pass(1001);
  const down = await client.reply();
  assert.equal([down.status, down.header('retry-after')], [503, '5']);
  client.destroy();
  assert.is((await context.plane.record(({ status }) => status === 503)).error, 'auth/unavailable');
  assert.is(context.target.arrived.length, 0);
});

test('without any credential the client gets the answer of the service, and a 401 with all challenges', async (context) => {
  await composed(context, '["keys", "service"]');
  auth.respond = say(CHALLENGE);
  const refused = await context.plane.ask(ask());
  assert.is(refused.status, 401);
  assert.equal(challengesOf(refused), ['Bearer realm="a, b"', 'ApiKey realm="api"']);
  auth.respond = say(SIGN_IN);
  const redirected = await context.plane.ask(ask());
  assert.equal([redirected.status, redirected.header('location')], [302, 'https://login.example/']);
  assert.equal(challengesOf(redirected), []);
});

test('the body that a member of any-of reads is collected within its bound', async (context) => {
  const seen: string[] = [];
  auth.respond = whole((bytes) => seen.push(`auth ${bytes}`), ok('yes'));
  context.target.respond = whole((bytes) => seen.push(`target ${bytes}`), ok('done'));
  await composed(context, '["keys", "service"]', 'body = "10B"');
  const post = (body: string, fields = ''): string =>
    `POST /orders HTTP/1.1\r\nHost: a.example\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
  assert.is((await context.plane.ask(post('0123456789'))).status, 200);
  assert.is((await context.plane.ask(post('0123456789a'))).status, 413);
  assert.is((await context.plane.ask(post('xx', 'Content-Encoding: gzip\r\n'))).status, 415);
  // The key decides, and the body is not read for the service.
  assert.is((await context.plane.ask(post('0123456789ab', `X-Api-Key: ${KEY}\r\n`))).status, 200);
  assert.equal(seen, ['auth 0123456789', 'target 0123456789', 'target 0123456789ab']);
});

test('a condition of a policy does not let its credential or the fields it sets through', async ({ plane, target }) => {
  const when = 'when = \'request.path != "/orders/1"\'';
  const more = `${CONSUMER}
[policy.keys]
use = "api-key"
query = "key"
header = "x-api-key"
${when}
[policy.service]
use = "forward-auth"
url = "${auth.url}/check"
take = ["x-user"]
${when}
`;
  await plane.load(specOf(target.url, { route: 'policies = ["keys", "service"]', more }));
  const fields = `X-Api-Key: ${KEY}\r\nX-User: mallory\r\n`;
  assert.is((await plane.ask(ask(fields, `/orders/1?key=${KEY}&a=1`))).status, 200);
  const [forwarded] = target.arrived;
  assert.not.match(forwarded!.head, KEY);
  assert.equal([forwarded!.header('x-user'), forwarded!.url], [undefined, '/orders/1?a=1']);
  assert.is(auth.arrived.length, 0);
  assert.is((await plane.ask(ask(fields, '/orders/2'))).status, 200);
  assert.is(target.arrived[1]!.header('x-user'), 'alice');
});

test.run();
