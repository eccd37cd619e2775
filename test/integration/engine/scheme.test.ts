/** Conditions on the scheme behind a proxy that terminates TLS, and without one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ask, sessionTo } from '../../support/http2/session.js';
import { Plane } from '../engine-kit.js';

const test = suite('scheme of routes');

/** The peer of the tests is 127.0.0.1. */
const specOf = (trusted: string): string => `spec = 1
[listener.main]
address = "127.0.0.1:0"
trusted_proxies = ["${trusted}"]
[policy.browsers]
use = "cors"
origins = ["https://app.example.com"]
[[route]]
name = "to-https"
match = { path = "/{rest...}", scheme = "http" }
redirect = { scheme = "https", status = 308 }
[[group]]
scheme = "https"
[[group.route]]
name = "orders"
match = "GET /orders/{id}"
policies = ["browsers"]
reply = { body = "order {id}" }
[[route]]
name = "health"
match = "GET /healthz"
reply = { body = "well" }
`;

const request = (path: string, fields: readonly string[] = [], method = 'GET'): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: shop.example', ...fields, '', ''].join('\r\n');

const HTTPS = ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Proto: https'];
const HTTP = ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-Proto: http'];

async function withPlane(trusted: string, work: (plane: Plane) => Promise<void>): Promise<void> {
  const plane = await Plane.start(specOf(trusted));
  try {
    await work(plane);
  } finally {
    await plane.close();
  }
}

test('the scheme that a trusted proxy reports selects the route', async () => {
  await withPlane('127.0.0.1', async (plane) => {
    const outcome = async (path: string, fields?: readonly string[], method?: string) => {
      const reply = await plane.ask(request(path, fields, method));
      return reply.header('location') ?? `${reply.status} ${reply.body}`;
    };
    assert.is(await outcome('/orders/7', HTTPS), '200 order 7');
    assert.is(await outcome('/orders/7?a=1', HTTP), 'https://shop.example/orders/7?a=1');
    assert.is(await outcome('/orders/7'), 'https://shop.example/orders/7');
    assert.is(await outcome('/orders/7', ['Forwarded: for=192.0.2.7;proto=https']), '200 order 7');
    assert.is(await outcome('/orders/7', ['X-Forwarded-Proto: wss']), '200 order 7');
    // Repeated on one connection or not, the fields of each request count.
    assert.is(await outcome('/orders/7', HTTPS), '200 order 7');
    for (const fields of [HTTP, HTTPS]) assert.is(await outcome('/healthz', fields), '200 well');
    assert.match(await outcome('/nothing', HTTPS), /^404 /);
    assert.match(await outcome('/orders/7', [...HTTPS, 'Content-Length: 0'], 'POST'), /^405 /);
    assert.is(await outcome('/orders/7', [...HTTP, 'Content-Length: 0'], 'POST'), 'https://shop.example/orders/7');
  });
});

test('the scheme that another client reports has no effect', async () => {
  await withPlane('10.0.0.0/8', async (plane) => {
    for (const fields of [HTTPS, ['Forwarded: for=192.0.2.7;proto=https'], [':scheme: https'], ['Scheme: https']]) {
      const reply = await plane.ask(request('/orders/7', fields));
      if (reply.status !== 400) assert.is(reply.header('location'), 'https://shop.example/orders/7', fields.join());
      assert.not.match(String(reply.body), 'order 7');
    }
  });
});

test('an https URL over a connection without TLS: only a trusted proxy may send it, and it is no proof of https', async () => {
  const absolute = (path: string): string => request(`https://shop.example${path}`);
  await withPlane('127.0.0.1', async (plane) => {
    assert.is((await plane.ask(absolute('/healthz'))).status, 200);
    assert.is((await plane.ask(absolute('/orders/7'))).header('location'), 'https://shop.example/orders/7');
    const session = sessionTo(plane.port);
    const reply = await ask(session, { ':path': '/healthz', ':scheme': 'https', ':authority': 'shop.example' });
    assert.equal([reply.status, reply.body], [200, 'well']);
    session.destroy();
  });
  await withPlane('10.0.0.0/8', async (plane) => {
    assert.is((await plane.ask(absolute('/healthz'))).status, 421);
  });
});

test('a preflight over https is answered by the route for https', async () => {
  await withPlane('127.0.0.1', async (plane) => {
    const asking = ['Origin: https://app.example.com', 'Access-Control-Request-Method: GET'];
    const secure = await plane.ask(request('/orders/7', [...HTTPS, ...asking], 'OPTIONS'));
    assert.equal([secure.status, secure.header('access-control-allow-origin')], [204, 'https://app.example.com']);
    const plain = await plane.ask(request('/orders/7', [...HTTP, ...asking], 'OPTIONS'));
    assert.is(plain.status, 308);
  });
});

test.run();
