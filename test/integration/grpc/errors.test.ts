/** Errors of gw as gRPC clients get them, from every place that makes one. */
import type { ClientHttp2Session } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { refusingPort } from '../../support/fault-target.js';
import { H2Target } from '../../support/h2-target.js';
import { ask, type Http2Reply, sessionTo } from '../../support/http2/session.js';
import { Plane } from '../engine-kit.js';

interface World {
  plane: Plane;
  target: H2Target;
  session: ClientHttp2Session;
}

const test = suite<World>('gRPC errors');

const KEY = '3f1c9a2e5b7d4860a1c2e3f405162738';
const HASH = 'sha256:a7ed8f602e0b9cb27f2b1e8d8e9999c1a1f71126bada1e752997f78126efb9ae';

test.before(async (world) => {
  world.target = await H2Target.start();
  const { url } = world.target;
  world.plane = await Plane.start(`
spec = 1
[listener.main]
address = "127.0.0.1:0"
max_headers = 20
[service.it]
targets = ["${url}"]
protocol = "h2"
[service.gone]
targets = ["http://127.0.0.1:${await refusingPort()}"]
protocol = "h2"
[service.empty]
targets = [{ url = "${url}", weight = 0 }]
protocol = "h2"
[service.slow]
targets = ["${url}"]
protocol = "h2"
[consumer.acme]
api_keys = ["${HASH}"]
[policy.keys]
use = "api-key"
[policy.none]
use = "allow"
groups = ["nobody"]
[policy.rate]
use = "rate-limit"
limit = "1/hour"
by = "route"
[policy.pages]
use = "error-page"
html = "<h1>{reply.status}</h1>"
[[route]]
name = "keys"
match = "/keys/{rest...}"
to = "it"
policies = ["keys", "none", "pages"]
[[route]]
name = "rate"
match = "/rate/{rest...}"
to = "it"
policies = ["rate"]
[[route]]
name = "small"
match = "/small/{rest...}"
to = "it"
max_body = "3B"
[[route]]
name = "gone"
match = "/gone/{rest...}"
to = "gone"
[[route]]
name = "slow"
match = "/slow/{rest...}"
to = "slow"
stream = false
timeout = "50ms"
[[route]]
name = "closed"
match = "/closed/{rest...}"
reply = { status = 503, body = "<b>maintenance</b>", headers = { retry-after = "60", content-type = "text/html" } }
[[route]]
name = "guarded"
match = "/guarded/{rest...}"
reply = { status = 200, body = "secret" }
policies = ["keys"]
[[route]]
name = "get"
match = "GET /get/{rest...}"
to = "it"
[[route]]
name = "it"
match = "/it/{rest...}"
to = "it"
`);
  world.session = sessionTo(world.plane.port);
});

test.after(async ({ plane, target, session }) => {
  session.destroy();
  await plane.close();
  await target.close();
});

const call = (
  { session }: World,
  path: string,
  fields: { readonly [name: string]: string } = {},
  body = '\0\0\0\0\0',
): Promise<Http2Reply> =>
  ask(
    session,
    {
      ':method': 'POST',
      ':path': `${path}/Method`,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      ...fields,
    },
    body,
  );

/** A reply without messages: everything is in its head. */
function fails(reply: Http2Reply, code: number, message: string): void {
  const { ':status': http, 'content-type': type, 'grpc-status': got, 'grpc-message': text } = reply.headers;
  assert.equal([http, type, got, text], [200, 'application/grpc', String(code), message]);
  assert.equal([reply.body, Object.keys(reply.trailers)], ['', []]);
  assert.ok(reply.headers['x-request-id']);
  assert.is(reply.headers['content-length'], undefined);
}

test('no route', async (world) => {
  fails(
    await call(world, '/none'),
    status.UNIMPLEMENTED,
    'No such route: No route of this gateway matches the request.',
  );
});

test('only routes for other methods', async (world) => {
  const reply = await call(world, '/get');
  fails(reply, status.UNKNOWN, 'Method not allowed: The Allow field lists the methods of this path.');
  assert.is(reply.headers.allow, 'GET, HEAD');
});

test('no credentials, with the challenge; the custom page is left out', async (world) => {
  const reply = await call(world, '/keys');
  fails(reply, status.UNAUTHENTICATED, reply.headers['grpc-message'] as string);
  assert.match(String(reply.headers['grpc-message']), /key/i);
  assert.match(String(reply.headers['www-authenticate']), /realm=/);
});

test('not allowed', async (world) => {
  const reply = await call(world, '/keys', { 'x-api-key': KEY });
  fails(reply, status.PERMISSION_DENIED, reply.headers['grpc-message'] as string);
});

test('too many requests, with Retry-After', async (world) => {
  await call(world, '/rate');
  const reply = await call(world, '/rate');
  fails(reply, status.RESOURCE_EXHAUSTED, reply.headers['grpc-message'] as string);
  assert.ok(Number(reply.headers['retry-after']) > 0);
});

test('a body that is too large, by its length and by its bytes', async (world) => {
  const message = 'Request body too large: Send a smaller body.';
  fails(await call(world, '/small', { 'content-length': '5' }), status.RESOURCE_EXHAUSTED, message);
  fails(await call(world, '/small'), status.RESOURCE_EXHAUSTED, message);
});

test('an unreachable target', async (world) => {
  fails(await call(world, '/gone'), status.UNAVAILABLE, 'Service unreachable: The service could not be reached.');
});

test('a target that is late', async (world) => {
  world.target.respond = () => undefined;
  fails(
    await call(world, '/slow'),
    status.DEADLINE_EXCEEDED,
    'Request timed out: The request took longer than the route allows.',
  );
});

test('a fixed reply that is an error', async (world) => {
  const reply = await call(world, '/closed');
  fails(reply, status.UNAVAILABLE, 'Service Unavailable');
  assert.is(reply.headers['retry-after'], '60');
});

test('a head that is refused before there is an exchange', async (world) => {
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`x-${at}`, '1']));
  const reply = await call(world, '/it', many);
  fails(reply, status.INTERNAL, 'Request head too large: Send fewer or shorter header fields.');
});

test('a malformed grpc-timeout', async (world) => {
  const message = 'Malformed request: The request is not valid HTTP/1.1, or is ambiguous.';
  for (const value of ['123456789S', '5', '-1S', 'S'])
    fails(await call(world, '/it', { 'grpc-timeout': value }), status.INTERNAL, message);
});

test('errors of targets that are no replies of gRPC pass unchanged', async (world) => {
  world.target.respond = (stream) => {
    stream.respond({ ':status': 503, 'content-type': 'text/html' });
    stream.end('<h1>down</h1>');
  };
  const reply = await call(world, '/it');
  assert.equal([reply.status, reply.headers['content-type'], reply.body], [503, 'text/html', '<h1>down</h1>']);
  assert.is(reply.headers['grpc-status'], undefined);
});

test('gRPC-Web, other types and HTTP/1.1 clients of them get problems', async (world) => {
  for (const type of ['application/grpc-web', 'application/grpcx', 'application/json']) {
    const reply = await call(world, '/none', { 'content-type': type });
    assert.equal([reply.status, reply.headers['content-type']], [404, 'application/problem+json'], type);
  }
  for (const type of ['application/grpc', 'application/grpc;x=y', 'Application/gRPC+json'])
    assert.is((await call(world, '/none', { 'content-type': type })).headers['grpc-status'], '12', type);
});

test('only calls, which are POST, get such replies: caches in front of gw may keep those to a GET', async (world) => {
  for (const path of ['/none', '/closed/x']) {
    const reply = await ask(world.session, { ':method': 'GET', ':path': path, 'content-type': 'application/grpc' });
    assert.not.equal(reply.status, 200);
    assert.is(reply.headers['grpc-status'], undefined);
  }
});

const askHttp1 = async ({ plane }: World, path: string) =>
  await plane.ask(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0`,
  );

test('over HTTP/1.1 too, if the service has protocol = "h2"', async (world) => {
  const reply = await askHttp1(world, '/keys/Method');
  assert.equal([reply.status, reply.header('grpc-status'), reply.header('content-length')], [200, '16', '0']);
});

test('a Content-Type of gRPC makes no 200 of an error over HTTP/1.1 where no target speaks HTTP/2', async (world) => {
  for (const [path, status, type] of [
    ['/guarded/http1', 401, 'application/problem+json'],
    ['/closed/http1', 503, 'text/html'],
    ['/none/http1', 404, 'application/problem+json'],
  ] as const) {
    const reply = await askHttp1(world, path);
    assert.equal([reply.status, reply.header('content-type'), reply.header('grpc-status')], [status, type, undefined]);
    assert.is((await world.plane.record(({ url }) => url === path)).grpc, undefined);
  }
  fails(await call(world, '/guarded', { 'x-api-key': 'wrong' }), status.UNAUTHENTICATED, 'Unknown API key');
});

test.run();
