/** Policies refuse a WebSocket before its upgrade: the target gets nothing, over HTTP/1.1 and in streams of HTTP/2 (RFC 8441). */
import * as assert from 'uvu/assert';
import { acceptOf } from '../../../src/proxy/websocket/handshake.js';
import { sessionTo } from '../../support/http2/session.js';
import { sharedEngineSuite } from '../engine-suite.js';

const route = (name: string, policy: string): string =>
  `[[route]]\nname = "${name}"\nmatch = "/${name}"\nto = "it"\npolicies = [${policy}]\n`;
const LIMIT = '{ use = "rate-limit", limit = "1/h" }';
const test = sharedEngineSuite('policies before a WebSocket', {
  more: [
    `[consumer.c]\napi_keys = ["sha256:${'0'.repeat(64)}"]\n`,
    route('keys', '{ use = "api-key" }'),
    route('strangers', '{ use = "block", addresses = ["127.0.0.0/8"] }'),
    route('limited-1', LIMIT),
    route('limited-2', LIMIT),
  ].join(''),
});

interface Answer {
  readonly status: number;
  readonly field: (name: string) => unknown;
  readonly body: string;
}

test.before(({ target }) => {
  target.respond = (request, socket) => {
    const accept = acceptOf(request.header('sec-websocket-key') ?? '');
    const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}`;
    socket.write(`HTTP/1.1 101 X\r\n${fields}\r\n\r\n`);
  };
});

const handshake = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** What a WebSocket over HTTP/2 is answered. `body`: of a refusal. */
function extended(port: number, path: string): Promise<Answer> {
  const session = sessionTo(port);
  return new Promise<Answer>((resolve, reject) => {
    session.once('remoteSettings', () => {
      const stream = session.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':scheme': 'http',
          ':path': path,
          ':authority': 'a',
          'sec-websocket-version': '13',
        },
        { endStream: false },
      );
      stream.on('error', reject);
      stream.once('response', (head) => {
        const status = Number(head[':status']);
        const answer = (body: string): void => resolve({ status, field: (name) => head[name], body });
        if (status === 200) answer('');
        let body = '';
        stream.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        stream.on('end', () => answer(body));
      });
    });
  }).finally(() => session.destroy());
}

for (const version of ['HTTP/1.1', 'HTTP/2'] as const) {
  const open = async (port: number, ask: (text: string) => Promise<unknown>, path: string): Promise<Answer> => {
    if (version === 'HTTP/2') return extended(port, path);
    const reply = (await ask(handshake(path))) as { status: number; header(name: string): unknown; body: Buffer };
    return { status: reply.status, field: (name) => reply.header(name), body: reply.body.toString() };
  };

  test(`401, 403 and 429 before the upgrade, over ${version}`, async ({ plane, target }) => {
    const ask = (text: string) => plane.ask(text);
    const before = target.arrived.length;
    for (const [path, status, code] of [
      ['/keys', 401, 'auth/'],
      ['/strangers', 403, 'block/'],
    ] as const) {
      const { body, field, ...reply } = await open(plane.port, ask, path);
      assert.is(reply.status, status, path);
      assert.is(field('upgrade'), undefined);
      assert.match(field('content-type') as string, 'application/problem+json');
      assert.match(JSON.parse(body).type, code);
    }
    assert.is(target.arrived.length, before, 'the target gets nothing');
    const limited = version === 'HTTP/2' ? '/limited-2' : '/limited-1';
    assert.is((await open(plane.port, ask, limited)).status, version === 'HTTP/2' ? 200 : 101);
    assert.is(target.arrived.length, before + 1);
    const refused = await open(plane.port, ask, limited);
    assert.is(refused.status, 429);
    assert.ok(Number(refused.field('retry-after')) > 0);
    assert.is(target.arrived.length, before + 1, 'only the first one');
  });
}

test.run();
