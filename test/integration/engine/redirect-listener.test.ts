/** Listeners that only redirect to https, and answer the challenges of ACME HTTP-01. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSpec } from '../../../src/spec/index.js';
import { Plane } from '../engine-kit.js';

const spec = (listener: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
${listener}
[[route]]
name = "all"
match = "/{rest...}"
reply = { status = 200, body = "a route" }
`;

const test = suite<{ plane: Plane }>('redirect listener');
test.before(async (context) => {
  context.plane = await Plane.start(spec('redirect = "https"'));
});
test.after(({ plane }) => plane.close());

const ask = (plane: Plane, line: string, fields = 'host: Shop.Example:8080\r\n') =>
  plane.ask(`${line} HTTP/1.1\r\n${fields}\r\n`, { head: line.startsWith('HEAD') });

test('every request gets 308 to the same URL by https', async ({ plane }) => {
  for (const [line, location] of [
    ['GET /a/b?x=1&y', 'https://shop.example/a/b?x=1&y'],
    ['POST /', 'https://shop.example/'],
    ['HEAD /a', 'https://shop.example/a'],
    ['GET //evil.example/x', 'https://shop.example//evil.example/x'],
    ['OPTIONS *', 'https://shop.example/'],
    ['GET http://shop.example/x', 'https://shop.example/x'],
    ['GET /.well-known/acme-challenge/unknown', 'https://shop.example/.well-known/acme-challenge/unknown'],
  ] as const) {
    const reply = await ask(plane, line);
    assert.is(reply.status, 308, line);
    assert.is(reply.header('location'), location);
  }
});

test('a request that came by https does not loop; one without a host is refused', async ({ plane }) => {
  const forwarded = await ask(plane, 'GET /', 'host: shop.example\r\nx-forwarded-proto: https\r\n');
  assert.is(forwarded.status, 421);
  const none = await plane.ask('GET / HTTP/1.0\r\n\r\n');
  assert.is(none.status, 400);
});

test('a reload changes the port, and makes the listener serve routes', async ({ plane }) => {
  await plane.load(spec('redirect = "https:8443"'));
  assert.is((await ask(plane, 'GET /a')).header('location'), 'https://shop.example:8443/a');
  await plane.load(spec(''));
  assert.is(String((await ask(plane, 'GET /a')).body), 'a route');
});

const problems = (text: string): string[] =>
  loadSpec({ path: 'gateway.toml', text }).diagnostics.map(({ code, message }) => `${code}: ${message}`);

test('the spec: https with a port, and no TLS on the same listener', () => {
  for (const wrong of ['http', 'https:', 'https:0', 'https:70000', 'https://x'])
    assert.match(String(problems(spec(`redirect = "${wrong}"`))), /schema\/value: Expected `"https"`/, wrong);
  const both = spec('redirect = "https"\ntls = { cert = "a.pem", key = "a.key" }');
  assert.match(String(problems(both)), /schema\/value: `redirect` leads to https, but the listener has `tls`/);
});

test.run();
