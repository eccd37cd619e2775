/** Reused heads must equal newly written heads, except for the request id. */
import * as assert from 'uvu/assert';
import { seeded } from '../../support/random.js';
import { type Fault, Plane, type RawClient, specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('repeated heads');

const ID = /^(x-request-id: )[^\r\n]+/gm;
const withoutId = (text: string): string => text.replace(ID, '$1-');

const DATE = 'date: Sat, 21 Nov 2026 10:00:00 GMT\r\n';

/** Heads of bodiless requests, without the final empty line. */
const REQUESTS: string[] = [
  'GET /a HTTP/1.1\r\nHost: a.example\r\n',
  'GET /another HTTP/1.1\r\nHost: a.example\r\n',
  'GET /a?query=1 HTTP/1.1\r\nHost: a.example\r\n',
  'GET /a HTTP/1.1\r\nHost: b.example\r\n',
  'GET /a HTTP/1.1\r\nHost: a.example:80\r\n',
  'GET /a HTTP/1.1\r\nHost: a.example\r\nX-One: 1\r\n',
  'GET /a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\n',
  'HEAD /a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\n',
  'POST /a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\nContent-Length: 0\r\n',
  'DELETE /a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\n',
  'OPTIONS /a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\nMax-Forwards: 5\r\n',
  'GET /a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\nConnection: x-one\r\n',
  'GET /a HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\nX-One: 2\r\n',
  'GET /a HTTP/1.1\r\nHost: a.example\r\nX-Request-Id: mine\r\nX-One: 2\r\n',
  'GET http://c.example/a HTTP/1.1\r\nHost: a.example\r\nX-One: 2\r\n',
  'GET /a HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\nX-One: 2\r\n',
];

for (const path of ['/less-one/a', '/less-two/a', '/less-both/a', '/edited/a'])
  for (const value of [1, 2])
    REQUESTS.push(`GET ${path} HTTP/1.1\r\nHost: a.example\r\nX-One: ${value}\r\nX-Two: 2\r\n`);

const EDITS = `
[[route]]
match = "/less-one/{rest...}"
to = "it"
policies = [{ use = "headers", request.remove = ["x-one"] }]
[[route]]
match = "/less-two/{rest...}"
to = "it"
policies = [{ use = "headers", request.remove = ["x-two"] }]
[[route]]
match = "/less-both/{rest...}"
to = "it"
policies = [{ use = "headers", request.remove = ["x-one", "x-two"] }]
[[route]]
match = "/edited/{rest...}"
to = "it"
policies = [{ use = "headers", request.set = { x-one = "3" } }]
`;

for (const listener of ['', 'trusted_proxies = ["127.0.0.1"]'])
  for (const service of ['', 'host = "preserve"'])
    test(`a request head is forwarded on a reused connection as on a new one (${listener} ${service})`, async ({
      target,
      plane,
    }) => {
      await plane.load(specOf(target.url, { listener, service, more: EDITS }));
      const heads: string[] = [];
      target.respond = (request, socket) => {
        heads.push(withoutId(request.head));
        socket.write(`HTTP/1.1 200 OK\r\n${DATE}content-length: 0\r\n\r\n`);
      };
      const ask = async (client: RawClient, head: string): Promise<string> => {
        client.send(`${head}\r\n`);
        await client.reply({ head: head.startsWith('HEAD') });
        return heads.at(-1)!;
      };
      const alone: string[] = [];
      for (const head of REQUESTS) {
        const client = plane.client();
        alone.push(await ask(client, head));
        client.destroy();
      }
      const client = plane.client();
      const random = seeded(3);
      for (let i = 0; i < 250; i++) {
        const at = Math.floor(random() * REQUESTS.length);
        for (let times = Math.floor(random() * 4); times >= 0; times--)
          assert.is(await ask(client, REQUESTS[at]!), alone[at]!, REQUESTS[at]!);
      }
      client.destroy();
    });

test('a repeated head carries the request id of its own exchange', async ({ target, plane }) => {
  const ids: (string | undefined)[] = [];
  target.respond = (request, socket) => {
    ids.push(request.header('x-request-id'));
    socket.write(`HTTP/1.1 200 OK\r\n${DATE}content-length: 2\r\n\r\nok`);
  };
  const client = plane.client();
  for (let i = 0; i < 6; i++) {
    client.send(`${REQUESTS[0]}\r\n`);
    assert.is((await client.reply()).header('x-request-id'), ids[i]);
  }
  assert.is(new Set(ids).size, 6);
  client.destroy();
});

/** Each with different text, so that none is known from an earlier case. */
const REPLIES: Record<string, string> = {
  plain: `HTTP/1.1 200 OK\r\n${DATE}x-a: plain\r\ncontent-length: 2\r\n\r\nok`,
  'without a date': 'HTTP/1.1 200 OK\r\nx-a: undated\r\ncontent-length: 2\r\n\r\nok',
  'another reason': `HTTP/1.1 200 Fine\r\n${DATE}x-a: reason\r\ncontent-length: 2\r\n\r\nok`,
  'no reason': `HTTP/1.1 404 \r\n${DATE}x-a: none\r\ncontent-length: 0\r\n\r\n`,
  listed: `HTTP/1.1 200 OK\r\n${DATE}x-a: listed\r\nconnection: x-a\r\ncontent-length: 2\r\n\r\nok`,
  chunked: `HTTP/1.1 200 OK\r\n${DATE}x-a: chunks\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  'no content': `HTTP/1.1 204 No Content\r\n${DATE}x-a: empty\r\n\r\n`,
  'asks for an upgrade': `HTTP/1.1 426 X\r\n${DATE}upgrade: echo/2\r\nconnection: upgrade\r\ncontent-length: 0\r\n\r\n`,
  'not modified': `HTTP/1.1 304 Not Modified\r\n${DATE}x-a: same\r\ncontent-length: 7\r\n\r\n`,
};

const POLICIES = `
[[route]]
match = "/edited/{rest...}"
to = "it"
policies = [{ use = "headers", reply.set = { x-b = "2" } }]
[[route]]
match = "/added/{rest...}"
to = "it"
policies = [{ use = "headers", reply.add = { x-b = "2" } }]
`;

async function textOf(plane: Plane, head: string): Promise<string> {
  const client = plane.client();
  client.send(`${head}\r\n`);
  const last = 'GET /last HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n';
  client.send(last);
  await client.end();
  client.destroy();
  return withoutId(client.pending).replace(/^date: (?!Sat, 21 Nov 2026 10)[^\r]+/gm, 'date: NOW');
}

for (const [name, reply] of Object.entries(REPLIES))
  test(`a repeated reply is sent as the first time: ${name}`, async ({ target }) => {
    const respond: Fault = (request, socket) => {
      if (request.url === '/last') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      else if (request.method === 'HEAD') socket.write(reply.slice(0, reply.indexOf('\r\n\r\n') + 4));
      else socket.write(reply);
    };
    target.respond = respond;
    const plane = await Plane.start(specOf(target.url, { more: POLICIES }));
    try {
      const first = await textOf(plane, REQUESTS[0]!);
      assert.match(first, reply.slice(9, reply.indexOf('\r\n')));
      for (let i = 0; i < 3; i++) {
        assert.is(await textOf(plane, REQUESTS[0]!), first);
        const edited = await textOf(plane, 'GET /edited/a HTTP/1.1\r\nHost: a.example\r\n');
        assert.is(edited.replace('x-b: 2\r\n', ''), first, 'with the field that a policy sets');
        assert.ok(edited.includes('x-b: 2\r\n'));
        const added = await textOf(plane, 'GET /added/a HTTP/1.1\r\nHost: a.example\r\n');
        assert.is(added, edited, 'with a field that a policy adds');
        const old = await textOf(plane, 'GET /a HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n');
        assert.match(old, /^connection: (keep-alive|close)\r$/m);
        const head = await textOf(plane, 'HEAD /a HTTP/1.1\r\nHost: a.example\r\n');
        assert.not.match(head, /\r\n\r\nok/);
      }
    } finally {
      await plane.close();
    }
  });

test.run();
