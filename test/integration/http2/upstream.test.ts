/** Requests of HTTP/1.1 clients to HTTP/2 targets: fields, bodies, trailers, places, and requests that are sent again. */
import { readFileSync } from 'node:fs';
import type { ServerHttp2Stream } from 'node:http2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { resolveReferences } from '../../../src/bundle/references.js';
import type { Program } from '../../../src/bundle/types.js';
import { FaultTarget } from '../../support/fault-target.js';
import { handshake } from '../../support/frames.js';
import { bodyOf, H2Target, h2ok } from '../../support/h2-target.js';
import { GET as GET_FIELDS, headers } from '../../support/http2/hpack.js';
import { END_STREAM, RawHttp2, Type } from '../../support/http2/raw-client.js';
import { ask, sessionTo } from '../../support/http2/session.js';
import { Plane, specOf, until } from '../engine-kit.js';

interface Context {
  target: H2Target;
  plane: Plane;
}
const test = suite<Context>('HTTP/2 to targets');

const TLS = {
  cert: readFileSync('test/integration/fixtures/tls-cert.pem'),
  key: readFileSync('test/integration/fixtures/tls-key.pem'),
};
const SERVICE = 'protocol = "h2"\nretries = 1\n';
const GET = 'GET /a?b=c HTTP/1.1\r\nHost: a.example\r\n\r\n';
const post = (body: string, fields = ''): string =>
  `POST / HTTP/1.1\r\nHost: a.example\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

test.before(async (context) => {
  context.target = await H2Target.start();
  context.plane = await Plane.start(specOf(context.target.url, { service: SERVICE }));
});
test.before.each(({ target }) => {
  target.requests.length = 0;
  target.respond = h2ok('hello');
});
test.after(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

test('the head of a request as HTTP/2', async ({ plane, target }) => {
  const client = plane.client();
  client.send(
    'GET /a?b=c HTTP/1.1\r\nHost: A.example:80\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=b\r\nCookie: c=d\r\nUser-Agent: x\r\nUser-Agent: y\r\n' +
      'Connection: x-hop\r\nX-Hop: 1\r\nX-L: \xe9\r\nTE: trailers\r\n\r\n',
  );
  const reply = await client.reply();
  client.destroy();
  assert.is(reply.statusLine, 'HTTP/1.1 200 OK');
  assert.is(reply.body.toString(), 'hello');
  const { headers } = target.requests[0]!;
  assert.is(headers[':method'], 'GET');
  assert.is(headers[':path'], '/a?b=c');
  assert.is(headers[':scheme'], 'http');
  assert.is(headers[':authority'], 'a.example:80');
  assert.is(headers['x-a'], '1, 2');
  assert.is(headers.cookie, 'a=b; c=d');
  assert.is(headers['user-agent'], 'x, y');
  assert.is(headers['x-l'], '\xe9');
  assert.is(headers.te, 'trailers');
  assert.is(headers['x-forwarded-for'], '127.0.0.1');
  assert.is(headers['x-hop'], undefined);
  assert.is(headers['x-request-id'], reply.header('x-request-id'));
});

test('bodies of both kinds reach the target, and replies of all kinds the client', async ({ plane, target }) => {
  target.respond = (stream, headers) =>
    void bodyOf(stream).then((body) => {
      stream.respond({
        ':status': 201,
        'content-length': body.length,
        'x-length': headers['content-length'] ?? '-',
        'x-l': '\xe9',
      });
      stream.end(body);
    });
  const known = await plane.ask(post('abc'));
  assert.equal([known.status, known.body.toString(), known.header('x-length')], [201, 'abc', '3']);
  assert.is(known.header('x-l'), '\xe9');
  const chunked = await plane.ask(
    'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
  );
  assert.equal([chunked.body.toString(), chunked.header('x-length')], ['abcde', '-']);
  const large = 'x'.repeat(1_000_000);
  assert.is((await plane.ask(post(large))).body.length, large.length);
  for (const [status, head] of [
    [204, false],
    [304, false],
    [200, true],
  ] as const) {
    target.respond = (stream) => {
      stream.respond({ ':status': status, ...(status === 200 ? { 'content-length': 5 } : {}) }, { endStream: true });
    };
    const reply = await plane.ask(head ? GET.replace('GET', 'HEAD') : GET, { head });
    assert.is(reply.status, status);
    if (head) assert.is(reply.header('content-length'), '5');
  }
});

test('trailers in both directions', async ({ plane, target }) => {
  const trailers: unknown[] = [];
  target.respond = (stream) => {
    stream.on('trailers', (fields: object) => trailers.push({ ...fields }));
    void bodyOf(stream).then(() => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '9', 'set-cookie': 'a=b' }));
      stream.end('hi');
    });
  };
  const client = plane.client();
  client.send(
    'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n',
  );
  await until(() => client.pending.endsWith('0\r\nx-sum: 9\r\n\r\n'), 'the trailers');
  client.destroy();
  assert.equal(trailers, [{ 'x-sum': '1' }]);
});

test('trailers of a reply with a length reach a client of HTTP/2 that reads them', async ({ plane, target }) => {
  target.respond = (stream) => {
    stream.respond({ ':status': 200, 'content-length': 2 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end('hi');
  };
  const session = sessionTo(plane.port);
  try {
    const method = { ':method': 'POST', ':path': '/' };
    for (const fields of [{ te: 'trailers' }, { 'content-type': 'application/grpc' }]) {
      const reply = await ask(session, { ...method, ...fields }, 'abc');
      assert.equal([reply.body, reply.headers['content-length'], reply.trailers['grpc-status']], ['hi', '2', '0']);
    }
  } finally {
    session.destroy();
  }
});

test('a reply that comes as a whole is sent as a whole: its end is in the frame of its body', async ({ plane }) => {
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, GET_FIELDS));
  await client.frame((one) => one.stream === 1 && (one.flags & END_STREAM) !== 0);
  client.socket.destroy();
  const types = client.frames.filter((one) => one.stream === 1).map((one) => one.type);
  assert.equal(types, [Type.Headers, Type.Data]);
});

test('informational replies, and 100 Continue', async ({ plane, target }) => {
  target.respond = (stream, headers) => {
    stream.additionalHeaders({ ':status': 103, link: '</a>; rel=preload' });
    if (headers.expect !== undefined) stream.additionalHeaders({ ':status': 100 });
    void bodyOf(stream).then((body) => {
      stream.respond({ ':status': 200 });
      stream.end(body);
    });
  };
  const client = plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n');
  const hints = await client.reply();
  assert.equal([hints.status, hints.header('link')], [103, '</a>; rel=preload']);
  assert.is((await client.reply()).status, 100);
  client.send('abc');
  assert.is((await client.reply()).body.toString(), 'abc');
  client.destroy();
});

test('requests share a connection', async ({ plane, target }) => {
  const held: ServerHttp2Stream[] = [];
  target.respond = (stream) => held.push(stream);
  const before = target.sessions.length;
  const asked = Array.from({ length: 30 }, () => plane.ask(GET));
  await until(() => held.length === 30, 'all requests');
  assert.ok(target.sessions.length <= Math.max(1, before));
  for (const stream of held) h2ok('hi')(stream, {});
  for (const reply of await Promise.all(asked)) assert.is(reply.body.toString(), 'hi');
});

test('a client that leaves resets its stream only', async ({ plane, target }) => {
  let code: number | undefined;
  target.respond = (stream) => {
    stream.respond({ ':status': 200 });
    stream.write('a');
    stream.on('close', () => {
      code = stream.rstCode;
    });
  };
  const client = plane.client();
  client.send(GET);
  await until(() => client.pending.endsWith('1\r\na\r\n'), 'a part of the reply');
  client.socket.resetAndDestroy();
  await until(() => code !== undefined, 'the reset');
  assert.is(code, 8);
  target.respond = h2ok('hello');
  assert.is((await plane.ask(GET)).status, 200);
  assert.is(target.open, 1);
});

test('a head without a body so far is passed on', async ({ plane, target }) => {
  target.respond = (stream) => stream.respond({ ':status': 200 });
  const client = plane.client();
  client.send(GET);
  await until(() => client.pending.endsWith('\r\n\r\n'), 'the head');
  assert.match(client.pending, /^HTTP\/1.1 200 OK/);
  client.destroy();
});

test('places are bounded by max_streams, max_connections and the settings of the target', async () => {
  for (const [settings, service, connections, places] of [
    [{}, 'max_streams = 2\nmax_connections = 2', 2, 4],
    [{ maxConcurrentStreams: 3 }, 'max_streams = 100\nmax_connections = 1', 1, 3],
    [{ maxConcurrentStreams: 2 }, 'max_connections = 2', 2, 4],
  ] as const) {
    const target = await H2Target.start({ settings });
    const plane = await Plane.start(
      specOf(target.url, { service: `${SERVICE}max_share_per_address = 100\n${service}` }),
    );
    const held: ServerHttp2Stream[] = [];
    target.respond = (stream) => held.push(stream);
    const asked = Array.from({ length: 9 }, () => plane.ask(GET));
    await until(() => held.length === places, `${places} requests`);
    await plane.plane.report();
    assert.is(held.length, places);
    for (let done = 0; done < 9; done++) {
      await until(() => held.length > 0, 'a request');
      h2ok('hi')(held.shift()!, {});
    }
    for (const reply of await Promise.all(asked)) assert.is(reply.status, 200);
    assert.ok(target.sessions.length <= connections);
    await plane.close();
    await target.close();
  }
});

test('a request that the target refuses without processing it is sent again, with its body', async ({
  plane,
  target,
}) => {
  let refused = 0;
  target.respond = (stream) => {
    if (refused++ < 2) stream.close(7);
    else
      void bodyOf(stream).then((body) => {
        stream.respond({ ':status': 200 });
        stream.end(body);
      });
  };
  assert.is((await plane.ask(post('some content'))).body.toString(), 'some content');
  assert.is(target.requests.length, 3);
  // It is not repeated for ever.
  target.requests.length = 0;
  target.respond = (stream) => stream.close(7);
  assert.is((await plane.ask(post('x'))).status, 502);
  assert.ok(target.requests.length <= 4);
});

test('a WebSocket at a target that speaks HTTP/2 only gets 501, and the target is not to blame', async ({ target }) => {
  const plane = await Plane.start(specOf(target.url, { service: 'protocol = "h2"\nretries = 0\neject_after = 2' }));
  for (let count = 0; count < 4; count++) {
    assert.is((await plane.ask(handshake('/'))).status, 501);
    const { cause } = await plane.record(({ error }) => error === 'request/not-implemented');
    assert.match(cause!, /^upgrade at a target that speaks HTTP\/2 only: /);
  }
  assert.is((await plane.ask(GET)).body.toString(), 'hello');
  await plane.close();
});

test('GOAWAY: requests in flight end, further ones use another connection', async ({ plane, target }) => {
  const held: ServerHttp2Stream[] = [];
  target.respond = (stream) => held.push(stream);
  const first = plane.ask(GET);
  await until(() => held.length === 1, 'the first');
  const [session] = target.requests.map(({ session: index }) => target.sessions[index]!);
  session!.goaway(0, 2 ** 31 - 1);
  const second = plane.ask(GET);
  await until(() => held.length === 2, 'the second');
  for (const stream of held) h2ok('hi')(stream, {});
  assert.is((await first).status, 200);
  assert.is((await second).status, 200);
});

test('an https target must agree to HTTP/2', async () => {
  const target = await H2Target.start({}, TLS);
  const { createServer } = await import('node:https');
  const old = createServer({ ...TLS, ALPNProtocols: [] }, (_request, response) => response.end());
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  const address = old.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const service = `${SERVICE}tls = { ca = ["\${file:test/integration/fixtures/tls-cert.pem}"] }\n`;
  const plane = await Plane.start(specOf(target.url));
  const trusting = (program: Program): Program => resolveReferences(program, () => TLS.cert.toString());
  try {
    await plane.load(specOf(`https://localhost:${target.port}`, { service }), trusting);
    const reply = await plane.ask(GET);
    assert.equal([reply.status, reply.body.toString()], [200, 'hello']);
    assert.is(target.requests[0]!.headers[':scheme'], 'https');
    await plane.load(specOf(`https://localhost:${port}`, { service }), trusting);
    assert.is((await plane.ask(GET)).status, 502);
    const record = await plane.record(({ status }) => status === 502);
    assert.is(record.error, 'upstream/unreachable');
    assert.match(record.cause ?? '', /HTTP/);
  } finally {
    await plane.close();
    await target.close();
    old.close();
  }
});

test('a target that speaks HTTP/1.1 only fails before anything is sent', async () => {
  const old = await FaultTarget.start();
  const plane = await Plane.start(specOf(old.url, { service: SERVICE }));
  assert.is((await plane.ask(post('abc'))).status, 502);
  const record = await plane.record(({ status }) => status === 502);
  assert.is(record.error, 'upstream/unreachable');
  assert.match(record.cause ?? '', /does not speak HTTP\/2/);
  await plane.close();
  await old.close();
});

test.run();
