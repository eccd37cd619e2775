/** Routes bound to listeners do not exist on other listeners, for any kind of request. */

import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Plane, RawClient, type RawReply } from '../engine-kit.js';

interface Context {
  plane: Plane;
}

const HEAD = `spec = 1
[listener.public]
address = "127.0.0.1:0"
[listener.internal]
address = "127.0.0.2:0"
[policy.browsers]
use = "cors"
origins = ["https://app.example.com"]
methods = ["GET", "DELETE"]
`;
const route = (name: string, match: string, more = ''): string =>
  `[[route]]\nname = "${name}"\nmatch = ${match}\nreply = { body = "${name}" }\n${more}`;
const SPEC =
  HEAD +
  route('everywhere', '"GET /everywhere"') +
  route('stats', '"GET /stats"', 'listeners = ["internal"]\npolicies = ["browsers"]\n') +
  route('purge', '"DELETE /orders"', 'listeners = ["internal"]\npolicies = ["browsers"]\n') +
  route('orders', '"GET /orders"') +
  route('a-public', '"GET /a"', 'listeners = ["public"]\n') +
  route('a-internal', '"GET /a"', 'listeners = ["internal"]\n') +
  route('typed', '"GET /t/{id:int}"', 'listeners = ["internal"]\n') +
  route('other-typed', '"GET /t/{id:[0-9a-f]+}"') +
  route('tail', '"GET /t/{rest...}"');

const test = suite<Context>('listeners of routes');

test.before.each(async (context) => {
  context.plane = await Plane.start(SPEC);
});
test.after.each(({ plane }) => plane.close());

async function ask(plane: Plane, listener: 'public' | 'internal', text: string): Promise<RawReply> {
  const at = listener === 'public' ? 0 : 1;
  const client = new RawClient(connect({ port: plane.ports[at]!, host: `127.0.0.${at + 1}`, noDelay: true }));
  try {
    client.send(text);
    return await client.reply();
  } finally {
    client.destroy();
  }
}

const get = (path: string, method = 'GET', more = ''): string => `${method} ${path} HTTP/1.1\r\nHost: h\r\n${more}\r\n`;

test('a route is served only on its listeners, and another route can have the same path elsewhere', async ({
  plane,
}) => {
  for (const [path, publicly, internally] of [
    ['/everywhere', 'everywhere', 'everywhere'],
    ['/stats', undefined, 'stats'],
    ['/a', 'a-public', 'a-internal'],
    ['/t/7', 'other-typed', 'typed'],
    ['/t/x', 'tail', 'tail'],
  ] as const) {
    for (const [listener, name] of [
      ['public', publicly],
      ['internal', internally],
    ] as const) {
      const reply = await ask(plane, listener, get(path));
      assert.is(reply.status, name === undefined ? 404 : 200, `${listener} ${path}`);
      if (name !== undefined) assert.is(String(reply.body), name);
    }
  }
});

/** Text of a reply without the parts that differ between requests. */
const comparable = ({ status, fields, body }: RawReply): string =>
  JSON.stringify([status, fields.filter(([name]) => name !== 'date' && name !== 'x-request-id'), String(body)])
    .replaceAll(/"(request_id|instance)\\":\\"[^"]*"/g, '')
    .replaceAll(/urn:gw:request:[^"\\]*|\\"request_id\\":\\"[^"\\]*\\"/g, '');

test('no reply reveals a route of another listener: 404, 405, Allow, preflights, TRACE, Max-Forwards', async ({
  plane,
}) => {
  const origin = 'Origin: https://app.example.com\r\n';
  for (const [method, more] of [
    ['GET', ''],
    ['GET', origin],
    ['DELETE', origin],
    ['POST', ''],
    ['OPTIONS', ''],
    ['OPTIONS', `${origin}Access-Control-Request-Method: GET\r\n`],
    ['OPTIONS', 'Max-Forwards: 0\r\n'],
    ['TRACE', 'Max-Forwards: 0\r\n'],
  ] as const) {
    const hidden = await ask(plane, 'public', get('/stats', method, more));
    const nowhere = await ask(plane, 'public', get('/nowhere', method, more));
    assert.is(comparable(hidden), comparable(nowhere), `${method} ${more}`);
  }
  const wrong = await ask(plane, 'public', get('/orders', 'DELETE', origin));
  assert.is(wrong.status, 405);
  assert.is(wrong.header('allow'), 'GET, HEAD');
  assert.is(wrong.header('access-control-allow-origin'), undefined);
  const preflight = `${origin}Access-Control-Request-Method: DELETE\r\n`;
  assert.is((await ask(plane, 'public', get('/orders', 'OPTIONS', preflight))).status, 405);
  assert.is((await ask(plane, 'internal', get('/orders', 'OPTIONS', preflight))).status, 204);
  assert.is((await ask(plane, 'internal', get('/orders', 'POST'))).header('allow'), 'DELETE, GET, HEAD');
});

test('a reload moves a route between listeners, also for open connections', async ({ plane }) => {
  const open = [0, 1].map(
    (at) => new RawClient(connect({ port: plane.ports[at]!, host: `127.0.0.${at + 1}`, noDelay: true })),
  );
  const statuses = async (): Promise<number[]> => {
    const found: number[] = [];
    for (const client of open) {
      client.send(get('/stats'));
      found.push((await client.reply()).status);
    }
    return found;
  };
  try {
    assert.equal(await statuses(), [404, 200]);
    await plane.load(SPEC.replaceAll('["internal"]\npolicies', '["public"]\npolicies'));
    assert.equal(await statuses(), [200, 404]);
    // The same sockets under different names.
    const [first, second] = plane.ports;
    const swapped = SPEC.replace('127.0.0.1:0', `127.0.0.2:${second}`).replace('127.0.0.2:0', `127.0.0.1:${first}`);
    await plane.load(swapped);
    assert.equal(await statuses(), [200, 404]);
    await plane.load(
      swapped
        .replaceAll(/listeners = .*\n/g, '')
        .replaceAll(/\[\[route\]\]\nname = "(a-internal|typed)"[^[]*\n(?=\[\[)/g, ''),
    );
    assert.equal(await statuses(), [200, 200]);
  } finally {
    for (const client of open) client.destroy();
  }
});

test.run();
