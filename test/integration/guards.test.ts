/** csrf and security-headers over sockets: what browsers get and what targets see, also where gw itself answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, closeAll, removeFolders, SpecFile, serveHttp, startGateway } from './control-kit.js';

test.after.each(closeAll);
test.after(removeFolders);

/** A target that names its software, and counts what reaches it. */
async function target(): Promise<{ readonly url: string; readonly seen: string[] }> {
  const seen: string[] = [];
  const { url } = await serveHttp((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.writeHead(200, { server: 'Old/1.0', 'x-powered-by': 'PHP', 'x-frame-options': 'SAMEORIGIN' }).end('page');
  });
  return { url, seen };
}

const specOf = (url: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
[service.shop]
targets = ["${url}"]
[consumer.acme]
api_keys = ["sha256:${'0123456789abcdef'.repeat(4)}"]
[policy.keys]
use = "api-key"
[policy.pages]
use = "security-headers"
[policy.own-pages]
use = "csrf"
token = { secrets = ["\${env:CSRF_SECRET}"] }
[[route]]
name = "cart"
match = "/cart"
to = "shop"
policies = ["own-pages", "pages"]
[[route]]
name = "api"
match = "/api"
to = "shop"
policies = ["keys", "pages"]
`;

const HTTPS = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1', host: 'shop.example' };

test('pages of the shop send requests with a token, those of other sites do not', async () => {
  const { url: shop, seen } = await target();
  const spec = new SpecFile(specOf(shop)).path;
  const { url } = await startGateway({ spec, env: { CSRF_SECRET: 's'.repeat(40) } });
  const page = await call(`${url}/cart`, { headers: HTTPS });
  assert.is(page.status, 200);
  const cookie = page.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const token = cookie.slice(cookie.indexOf('=') + 1);
  const send = (headers: Record<string, string>): Promise<number> =>
    call(`${url}/cart`, { method: 'POST', headers: { ...HTTPS, cookie, ...headers } }).then(({ status }) => status);
  assert.is(await send({ 'sec-fetch-site': 'same-origin', 'x-csrf-token': token }), 200);
  assert.is(await send({ origin: 'https://shop.example', 'x-csrf-token': token }), 200);
  assert.is(await send({ 'sec-fetch-site': 'cross-site', 'x-csrf-token': token }), 403);
  assert.is(await send({ origin: 'https://evil.example', 'x-csrf-token': token }), 403);
  assert.is(await send({ 'sec-fetch-site': 'same-origin' }), 403);
  assert.equal(seen, ['GET /cart', 'POST /cart', 'POST /cart']);
});

test('every reply has the fields, also a 401 and a 403 of gw', async () => {
  const { url: shop } = await target();
  const spec = new SpecFile(specOf(shop)).path;
  const { url } = await startGateway({ spec, env: { CSRF_SECRET: 's'.repeat(40) } });
  const replies = [
    await call(`${url}/cart`, { headers: HTTPS }),
    await call(`${url}/api`, { headers: HTTPS }),
    await call(`${url}/cart`, { method: 'POST', headers: { ...HTTPS, 'sec-fetch-site': 'cross-site' } }),
  ];
  assert.equal(
    replies.map(({ status }) => status),
    [200, 401, 403],
  );
  for (const { headers } of replies) {
    assert.is(headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
    assert.is(headers['x-content-type-options'], 'nosniff');
    assert.is(headers['strict-transport-security'], 'max-age=31536000');
    assert.is(headers['server'], undefined);
    assert.is(headers['x-powered-by'], undefined);
  }
  assert.is(replies[0]!.headers['x-frame-options'], 'SAMEORIGIN', 'what the target says stays');
  const plain = await call(`${url}/cart`);
  assert.is(plain.headers['strict-transport-security'], undefined);
});

test('a secret that is too short rejects the load', async () => {
  const spec = new SpecFile(specOf('http://127.0.0.1:9')).path;
  try {
    await startGateway({ spec, env: { CSRF_SECRET: 'short' } });
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), 'less than 32 bytes');
    assert.not.match(String(error), 'short"');
  }
});

test.run();
