/** forward-auth over sockets: a service that decides, and that is slow, down, redirects or answers too much. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { atPorts } from '../../support/at-ports.js';
import { FaultTarget, flood, never, ok, refusingPort, say, sayAndClose, whole } from '../../support/fault-target.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('forward-auth');

const ask = (fields = '', path = '/orders?a=1'): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`;
const post = (body: string): string =>
  `POST /orders HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

let auth: FaultTarget;
test.before.each(async () => {
  auth = await FaultTarget.start(ok('yes', 'X-User: alice\r\n'));
});
test.after.each(() => auth.close());

const policy = (keys = '', url = `${auth.url}/check`): string =>
  `policies = [{ use = "forward-auth", url = "${url}", take = ["x-user"]${keys} }]`;

const load = ({ plane, target }: EngineContext, keys = '', more = '', url?: string): Promise<void> =>
  plane.load(specOf(target.url, { route: policy(keys, url), more }));

test('a request passes with the fields of the answer, and is counted at the service', async (context) => {
  await load(context);
  const reply = await context.plane.ask(ask('X-User: mallory\r\nCookie: s=1\r\n'));
  assert.is(reply.status, 200);
  const [asked] = auth.arrived;
  assert.is(asked!.head.split('\r\n')[0], 'GET /check HTTP/1.1');
  assert.is(asked!.header('cookie'), 's=1');
  assert.is(asked!.header('x-user'), undefined);
  assert.is(asked!.header('x-forwarded-uri'), '/orders?a=1');
  assert.is(asked!.header('x-forwarded-for'), '127.0.0.1');
  const [forwarded] = context.target.arrived;
  assert.is(forwarded!.header('x-user'), 'alice');
  assert.is(forwarded!.header('x-request-id'), asked!.header('x-request-id'));
  // The alias with an underscore is refused before the policy.
  assert.is((await context.plane.ask(ask('X_User: mallory\r\n'))).status, 400);
});

test('connections to the service are used again', async (context) => {
  await load(context);
  for (let i = 0; i < 3; i++) assert.is((await context.plane.ask(ask())).status, 200);
  assert.equal([auth.arrived.length, auth.connections], [3, 1]);
});

test('a redirect and a challenge reach the client, and the target gets nothing', async (context) => {
  await load(context);
  auth.respond = say(
    'HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Internal: 1\r\nContent-Length: 2\r\n\r\nhi',
  );
  const reply = await context.plane.ask(ask());
  assert.equal([reply.status, reply.header('location'), reply.body.toString()], [302, 'https://login.example/', 'hi']);
  assert.equal(
    reply.fields.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    ['a=1', 'b=2'],
  );
  assert.is(reply.header('x-internal'), undefined);
  auth.respond = say('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n');
  const refused = await context.plane.ask(ask());
  assert.equal([refused.status, refused.header('www-authenticate')], [401, 'Bearer']);
  assert.is(context.target.arrived.length, 0);
  assert.is((await context.plane.record(({ status }) => status === 401)).error, 'auth/refused');
});

test('a service that is down gives 503 with the cause in the log', async (context) => {
  await load(context, '', '', `http://127.0.0.1:${await refusingPort()}/check`);
  const reply = await context.plane.ask(ask());
  assert.is(reply.status, 503);
  const record = await context.plane.record(({ status }) => status === 503);
  assert.equal(
    [record.error, record.cause?.replace(/:\d+/, '')],
    ['auth/unavailable', 'http://127.0.0.1: connection refused'],
  );
  assert.is(context.target.arrived.length, 0);
});

test('a service that closes, fails or answers too much gives 503', async (context) => {
  await load(context, ', max_answer = "1KiB"');
  for (const fault of [
    sayAndClose(),
    sayAndClose('HTTP/1.1 200 OK\r\ncontent-le'),
    say('HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n'),
    flood(10_000),
  ]) {
    auth.respond = fault;
    const reply = await context.plane.ask(ask());
    assert.equal([reply.status, reply.header('content-type')], [503, 'application/problem+json']);
  }
  assert.is(context.target.arrived.length, 0);
});

test('a slow service gives 503 after the timeout', async (context) => {
  auth.respond = never;
  await load(context, ', timeout = "2s"');
  const client = context.plane.client();
  client.send(ask());
  await until(() => auth.arrived.length === 1, 'the question');
  context.time.pass(2001);
  assert.is((await client.reply()).status, 503);
  assert.is(
    (await context.plane.record(({ status }) => status === 503)).cause?.replace(/^.*: /, ''),
    'call timeout before the reply',
  );
  await until(() => auth.open === 0, 'the connection to close');
  client.destroy();
});

test('a client that leaves ends the question', async (context) => {
  auth.respond = never;
  await load(context);
  const client = context.plane.client();
  client.send(ask());
  await until(() => auth.arrived.length === 1, 'the question');
  client.socket.resetAndDestroy();
  await until(() => auth.open === 0, 'the connection to close');
  assert.is(context.target.arrived.length, 0);
});

test('a body is sent on request, within its bound, and reaches the target too', async (context) => {
  const seen: string[] = [];
  auth.respond = whole((bytes) => seen.push(`auth ${bytes}`), ok('yes'));
  context.target.respond = whole((bytes) => seen.push(`target ${bytes}`), ok('done'));
  await load(context, ', body = "10B"');
  assert.is((await context.plane.ask(post('0123456789'))).status, 200);
  assert.equal(seen, ['auth 0123456789', 'target 0123456789']);
  assert.is(auth.arrived[0]!.method, 'POST');
  assert.is((await context.plane.ask(post('0123456789a'))).status, 413);
  auth.respond = say('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  assert.is((await context.plane.ask(post('x'))).status, 403);
  assert.is((await context.plane.ask(ask())).status, 403);
  assert.is(context.target.arrived.length, 1);
});

test('without `body`, the service decides before the body of the request', async (context) => {
  await load(context);
  auth.respond = say('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
  const client = context.plane.client();
  client.send('POST /orders HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n');
  assert.is((await client.reply()).status, 403);
  client.destroy();
});

test('a declared service decides, and kept answers need no question', async (context) => {
  const service = `[service.auth]\ntargets = ["${auth.url}"]\n`;
  const keys = 'policies = [{ use = "forward-auth", service = "auth", path = "/p", cache = { ttl = "30s" } }]';
  await context.plane.load(specOf(context.target.url, { route: keys, more: service }));
  for (let i = 0; i < 3; i++) assert.is((await context.plane.ask(ask('Authorization: a\r\n'))).status, 200);
  assert.is((await context.plane.ask(ask('Authorization: b\r\n'))).status, 200);
  assert.equal(
    auth.arrived.map(({ url }) => url),
    ['/p', '/p'],
  );
});

test('the example of the README sends the request that it shows', async (context) => {
  const readme = readFileSync('src/policies/forward-auth/README.md', 'utf8');
  const spec = /```toml\n([\s\S]*?)```/.exec(readme)![1]!;
  const shown = /```\n(GET [\s\S]*?)```/.exec(readme)![1]!;
  await context.plane.load(atPorts(spec, { 8080: 0, 4003: context.target.port, 4010: auth.port }));
  const host = `Host: 127.0.0.1:8080\r\nAuthorization: Bearer TOKEN\r\n`;
  assert.is((await context.plane.ask(`GET /orders HTTP/1.1\r\n${host}\r\n`)).status, 200);
  const own = /^(user-agent|via|x-request-id):/;
  const lines = auth.arrived[0]!.head.split('\r\n').filter((line) => !own.test(line));
  assert.equal(lines.join('\n').trim(), atPorts(shown, { 4010: auth.port }).trim());
});

test.run();
