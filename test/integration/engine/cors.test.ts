import * as assert from 'uvu/assert';
import { specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('CORS: preflights and 404/405 replies');

const A = 'https://a.example';
const B = 'https://b.example';
const KEY = `sha256:${'0'.repeat(64)}`;
const SPEC = `
[policy.a]
use = "cors"
origins = ["${A}"]
headers = ["x-version"]
methods = ["GET", "DELETE"]
[policy.b]
use = "cors"
origins = ["${B}"]
headers = ["x-other"]
[policy.any]
use = "cors"
origins = ["*"]
[policy.keys]
use = "api-key"
[consumer.c]
api_keys = ["${KEY}"]
`;

interface Line {
  readonly match: string;
  readonly policies?: string;
  readonly status?: number;
}

const routes = (...lines: readonly Line[]): string =>
  SPEC +
  lines
    .map(
      ({ match, policies = '', status = 200 }) =>
        `[[route]]\nmatch = ${match}\nreply = { status = ${status} }\npolicies = [${policies}]\n`,
    )
    .join('');

const preflight = (path: string, origin: string, more = '', method = 'GET', host = 'h'): string =>
  `OPTIONS ${path} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: ${method}\r\n${more}\r\n`;
const fields = (...names: string[]): string => `Access-Control-Request-Headers: ${names.join(',')}\r\n`;
const ALLOW = 'access-control-allow-origin';

test('a preflight is answered for a route with a header condition that it does not meet', async (context) => {
  const { target, plane } = context;
  const more = routes({
    match: '{ path = "/x", methods = ["GET"], headers = { x-version = "2" } }',
    policies: '"a", "keys"',
  });
  await plane.load(specOf(target.url, { more, route: '' }).replace('match = "/{rest...}"', 'match = "/all/{rest...}"'));
  for (const asked of ['', fields('x-version')]) {
    const reply = await plane.ask(preflight('/x', A, asked));
    assert.is(reply.status, 204);
    assert.is(reply.header(ALLOW), A);
    assert.is(reply.header('access-control-allow-headers'), 'x-version');
  }
  assert.is((await plane.ask(preflight('/x', B))).header(ALLOW), undefined);
  // No route has this method for any value of the header.
  assert.is((await plane.ask(preflight('/x', A, '', 'PUT'))).status, 404);
  assert.is((await plane.ask(preflight('/y', A))).status, 404);
});

test('if several routes can match a preflight, the first one that permits it answers', async ({ target, plane }) => {
  const more = routes(
    { match: '{ path = "/x", methods = ["GET"], headers = { x-version = "1" } }', policies: '"a"' },
    { match: '{ path = "/x", methods = ["GET"], headers = { x-version = "2" } }', policies: '"b"' },
    { match: '{ path = "/q", methods = ["GET"], query = { v = "1" } }', policies: '"a"' },
    { match: '{ path = "/q", methods = ["GET"], query = { v = "2" } }', policies: '"b"' },
    { match: '{ path = "/closed", methods = ["GET"] }' },
    { match: '{ path = "/{any}", methods = ["GET"] }', policies: '"any"' },
    { match: '{ path = "/m", methods = ["GET"] }', policies: '"a"' },
    { match: '{ path = "/m", methods = ["POST"] }', policies: '"b"' },
    { match: '{ path = "/h", host = "one.test", methods = ["GET"] }', policies: '"a"' },
    { match: '{ path = "/h", methods = ["GET"] }', policies: '"b"' },
    { match: '{ path = "/t/{id:int}", methods = ["GET"], headers = { x-v = true } }', policies: '"a"' },
    { match: '{ path = "/t/{id:[0-9]{2}}", methods = ["GET"] }', policies: '"b"' },
  );
  const text = specOf(target.url, { more });
  await plane.load(text);
  const allowed = async (path: string, origin: string, method = 'GET', host = 'h', more = ''): Promise<unknown> => {
    const reply = await plane.ask(preflight(path, origin, more, method, host));
    return reply.status === 204 ? reply.header(ALLOW) : reply.status;
  };
  assert.is(await allowed('/x', A), A);
  assert.is(await allowed('/x', B), B);
  assert.is(await allowed('/x', 'https://c.example'), '*', 'the request may go to the parameter without a header');
  assert.is(await allowed('/x', A, 'GET', 'h', fields('x-version')), A);
  // A preflight has the same query as the actual request.
  assert.is(await allowed('/q?v=1', A), A);
  assert.is(await allowed('/q?v=1', B), undefined);
  assert.is(await allowed('/q?v=2', B), B);
  assert.is(await allowed('/q?v=2&v=1', B), B);
  assert.is(await allowed('/q', B), '*');
  // The actual request would match a route without CORS, so no policy of another route answers.
  assert.is(await allowed('/closed', A), 200, 'the catch-all takes every method, and its target answers');
  assert.is(await allowed('/m', A, 'GET'), A);
  assert.is(await allowed('/m', A, 'POST'), undefined);
  assert.is(await allowed('/m', B, 'POST'), B);
  assert.is(await allowed('/h', A, 'GET', 'one.test'), A);
  assert.is(await allowed('/h', B, 'GET', 'one.test'), undefined);
  assert.is(await allowed('/h', B, 'GET', 'two.test'), B);
  assert.is(await allowed('/m', A, 'HEAD'), A, 'HEAD is taken by GET');
});

test('a route with method OPTIONS handles preflights itself', async ({ target, plane }) => {
  const more = routes(
    { match: '"OPTIONS /x"', status: 299 },
    { match: '"GET /x"', policies: '"a"' },
    { match: '"/y"', policies: '"a"', status: 298 },
  );
  await plane.load(specOf(target.url, { more }));
  assert.is((await plane.ask(preflight('/x', A))).status, 299);
  assert.is((await plane.ask(preflight('/y', A))).status, 204);
  assert.is((await plane.ask('OPTIONS /y HTTP/1.1\r\nHost: a\r\n\r\n')).status, 298);
});

test('404 and 405 on a path of CORS routes are readable by permitted origins', async ({ target, plane }) => {
  const more = routes(
    { match: '{ path = "/x", methods = ["GET"], headers = { x-version = "1" } }', policies: '"a"' },
    { match: '{ path = "/x", methods = ["GET"], headers = { x-version = "2" } }', policies: '"b"' },
    { match: '"GET /plain"' },
  );
  const text = specOf(target.url, { more }).replace('match = "/{rest...}"', 'match = "GET /all"');
  await plane.load(text);
  const ask = async (line: string, origin: string): Promise<[number, unknown, unknown]> => {
    const reply = await plane.ask(`${line} HTTP/1.1\r\nHost: h\r\n${origin === '' ? '' : `Origin: ${origin}\r\n`}\r\n`);
    return [reply.status, reply.header(ALLOW), reply.header('vary')];
  };
  assert.equal(await ask('GET /x', A), [404, A, 'Origin']);
  assert.equal(await ask('GET /x', B), [404, B, 'Origin']);
  assert.equal(await ask('GET /x', 'https://c.example'), [404, undefined, 'Origin']);
  assert.equal(await ask('POST /x', A), [404, A, 'Origin'], 'no method matches without the header');
  assert.equal(await ask('GET /x', ''), [404, undefined, undefined]);
  assert.equal(await ask('GET /none', A), [404, undefined, undefined]);
  assert.equal(await ask('POST /plain', A), [405, undefined, undefined]);
  await plane.load(
    text.replace('"GET /plain"', '"GET /plain"\nname = "plain"').replace('policies = []\n', 'policies = ["a"]\n'),
  );
  const refused = await plane.ask(`POST /plain HTTP/1.1\r\nHost: h\r\nOrigin: ${A}\r\n\r\n`);
  assert.equal([refused.status, refused.header(ALLOW), refused.header('allow')], [405, A, 'GET, HEAD']);
});

test('a policy that hides the origin from the target does not change the reply', async ({ target, plane }) => {
  const more = `${SPEC}[policy.hide]\nuse = "headers"\nrequest = { remove = ["origin"] }\n`;
  await plane.load(specOf(target.url, { route: 'policies = ["a", "hide"]', more }));
  const reply = await plane.ask(`GET / HTTP/1.1\r\nHost: h\r\nOrigin: ${A}\r\n\r\n`);
  assert.is(reply.header('access-control-allow-origin'), A);
  assert.is(target.arrived[0]?.header('origin'), undefined);
});

test.run();
