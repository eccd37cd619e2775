/** X-Forwarded-Prefix: what a target does not see of the path. */
import * as assert from 'uvu/assert';
import { ok, specOf } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('X-Forwarded-Prefix');
const TRUST = 'trusted_proxies = ["127.0.0.1"]';

for (const [route, path, given, expected, listener = ''] of [
  ['match = "/api/{rest...}"\nstrip_prefix = "/api"', '/api/orders', '', '/api'],
  ['match = "/api/{rest...}"\nstrip_prefix = "/api"', '/api/', '', '/api'],
  ['match = "/api/{rest...}"\nrewrite = "/{param.rest}"', '/api/orders/7', '', '/api'],
  ['match = "/api/{rest...}"\nrewrite = "/v2/{param.rest}"', '/api/orders', '', undefined],
  ['match = "/{rest...}"', '/orders', '', undefined],
  ['match = "/{rest...}"', '/orders', '/forged', undefined],
  ['match = "/{rest...}"', '/orders', '/outer', '/outer', TRUST],
  ['match = "/api/{rest...}"\nstrip_prefix = "/api"', '/api/orders', '/forged', '/api'],
  ['match = "/api/{rest...}"\nstrip_prefix = "/api"', '/api/orders', '/outer/', '/outer/api', TRUST],
  [
    'match = "/api/{rest...}"\nstrip_prefix = "/api"\npolicies = [{ use = "headers", request.remove = ["x-forwarded-prefix"] }]',
    '/api/orders',
    '',
    undefined,
  ],
] as const)
  test(`${path} by ${JSON.stringify(route)}, ${given || 'none'} received: ${expected}`, async ({ plane, target }) => {
    target.respond = ok('fine');
    await plane.load(specOf(target.url, { listener }).replace('match = "/{rest...}"', route));
    const client = plane.client();
    // The second head is a repetition of the first.
    for (let i = 0; i < 2; i++) {
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n${given === '' ? '' : `X-Forwarded-Prefix: ${given}\r\n`}\r\n`);
      assert.is((await client.reply()).status, 200);
      assert.is(target.arrived.at(-1)!.header('x-forwarded-prefix'), expected);
    }
    client.destroy();
  });

test.run();
