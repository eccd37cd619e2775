/** gRPC-Web between HTTP/1.1 or HTTP/2 clients and an HTTP/2 target. */
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromBase64, grpcFrame, readGrpcFrames } from '../../support/grpc-frames.js';
import { H2Target } from '../../support/h2-target.js';
import { Plane, type RawReply, specOf, until } from '../engine-kit.js';

interface Context {
  target: H2Target;
  plane: Plane;
}
const test = suite<Context>('gRPC-Web');

const PAGE = 'https://app.example';
const MORE = `
[policy.web]
use = "grpc-web"
[policy.pages]
use = "cors"
origins = ["${PAGE}"]
headers = ["content-type", "x-grpc-web"]
expose = ["grpc-status", "grpc-message"]
[policy.keys]
use = "api-key"
[consumer.c]
api_keys = ["sha256:${'0'.repeat(64)}"]
[service.gone]
targets = ["http://127.0.0.1:1"]
protocol = "h2"
[[route]]
name = "keyed"
match = "POST /keyed/{method}"
to = "it"
policies = ["keys", "pages", "web"]
[[route]]
name = "gone"
match = "POST /gone/{method}"
to = "gone"
policies = ["web"]
`;

test.before(async (context) => {
  context.target = await H2Target.start();
  const service = 'protocol = "h2"\nretries = 0\neject_after = 0\non_client_close = "cancel"\n';
  context.plane = await Plane.start(specOf(context.target.url, { service, route: 'policies = ["web"]', more: MORE }));
});
test.after(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});
test.before.each(({ plane, target }) => {
  plane.records.length = 0;
  target.requests.length = 0;
  target.respond = echo;
});

const GRPC = { ':status': 200, 'content-type': 'application/grpc+proto' };
const OK = { 'grpc-status': '0', 'x-cost-bin': 'AAE=' };
const OK_LINES = 'grpc-status: 0\r\nx-cost-bin: AAE=\r\n';

/** Replies with the request's body, and trailers. */
function echo(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  stream.respond({ ...GRPC, 'x-seen': headers['x-tenant'] ?? '' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(OK));
  stream.pipe(stream);
}

const head = (path: string, type: string, framing: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.example\r\nContent-Type: ${type}\r\nX-Grpc-Web: 1\r\n${more}${framing}\r\n\r\n`;

const withBody = (path: string, type: string, body: Buffer | string, more = ''): string =>
  `${head(path, type, `Content-Length: ${body.length}`, more)}${body.toString('latin1')}`;

const BINARY = 'application/grpc-web+proto';
const TEXT = 'application/grpc-web-text';

test('binary: a unary call over HTTP/1.1', async ({ plane, target }) => {
  const reply = await plane.ask(withBody('/a.B/C', BINARY, grpcFrame('hello'), 'X-Tenant: t\r\n'));
  assert.is(reply.status, 200);
  assert.is(reply.header('content-type'), BINARY);
  assert.is(reply.header('content-length'), undefined);
  assert.is(reply.header('x-seen'), 't');
  assert.equal(readGrpcFrames(reply.body), { messages: ['hello'], trailers: OK_LINES });
  const { headers } = target.requests[0]!;
  assert.is(headers[':path'], '/a.B/C');
  assert.is(headers['content-type'], 'application/grpc+proto');
  assert.is(headers.te, 'trailers');
  assert.is(headers['x-grpc-web'], undefined);
});

test('text: a call whose base64 is padded within and comes in parts', async ({ plane, target }) => {
  const message = grpcFrame('hello');
  const text = message.subarray(0, 4).toString('base64') + message.subarray(4).toString('base64');
  const client = plane.client();
  client.send(head('/a.B/C', TEXT, `Content-Length: ${text.length}`, `Accept: ${TEXT}\r\n`));
  for (const char of text.slice(0, -2)) client.send(char);
  await until(() => target.requests.length === 1, 'the request');
  client.send(text.slice(-2));
  const reply = await client.reply();
  client.destroy();
  assert.is(reply.header('content-type'), 'application/grpc-web-text+proto');
  assert.equal(readGrpcFrames(fromBase64(reply.body.toString())), { messages: ['hello'], trailers: OK_LINES });
  assert.is(target.requests[0]!.headers['content-length'], undefined);
  assert.is(target.requests[0]!.headers.accept, undefined);
});

test('server streaming: each message reaches the client before the next one is sent', async ({ plane, target }) => {
  let stream: ServerHttp2Stream | undefined;
  target.respond = (opened) => {
    stream = opened;
    opened.respond(GRPC, { waitForTrailers: true });
    opened.on('wantTrailers', () => opened.sendTrailers({ 'grpc-status': '5', 'grpc-message': 'gone%20away' }));
    opened.write(grpcFrame('first'));
  };
  const client = plane.client();
  client.send(withBody('/a.B/List', TEXT, grpcFrame('').toString('base64')));
  const first = grpcFrame('first').toString('base64');
  await until(() => client.pending.includes(first), 'the first message');
  stream!.write(grpcFrame('second'));
  await until(() => client.pending.includes(grpcFrame('second').toString('base64')), 'the second message');
  stream!.end();
  const reply = await client.reply();
  const { messages, trailers } = readGrpcFrames(fromBase64(reply.body.toString()));
  assert.equal(messages, ['first', 'second']);
  assert.is(trailers, 'grpc-status: 5\r\ngrpc-message: gone%20away\r\n');
  client.destroy();
});

test('a reply with its status in the head passes so', async ({ plane, target }) => {
  target.respond = (stream) =>
    stream.respond({ ...GRPC, 'grpc-status': '7', 'grpc-message': 'no' }, { endStream: true });
  const reply = await plane.ask(withBody('/a.B/C', BINARY, grpcFrame('x')));
  assert.is(reply.header('grpc-status'), '7');
  assert.is(reply.header('content-type'), BINARY);
  assert.is(reply.body.length, 0);
});

test('HTTP/2 clients get the same', async ({ plane }) => {
  const session = connect(`http://127.0.0.1:${plane.port}`);
  const text = grpcFrame('hello').toString('base64');
  const stream = session.request({ ':method': 'POST', ':path': '/a.B/C', 'content-type': TEXT });
  stream.end(text);
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  let body = '';
  for await (const part of stream) body += String(part);
  assert.is(headers['content-type'], 'application/grpc-web-text+proto');
  assert.equal(readGrpcFrames(fromBase64(body)), { messages: ['hello'], trailers: OK_LINES });
  session.close();
});

test('native gRPC passes the route unchanged', async ({ plane }) => {
  const session = connect(`http://127.0.0.1:${plane.port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/a.B/C',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let trailers: IncomingHttpHeaders | undefined;
  stream.on('trailers', (fields) => (trailers = fields));
  stream.end(grpcFrame('hello'));
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  assert.equal(Buffer.concat(parts), grpcFrame('hello'));
  assert.is(trailers?.['grpc-status'], '0');
  session.close();
});

const statusOf = (reply: RawReply): readonly unknown[] => [
  reply.status,
  reply.header('grpc-status'),
  reply.header('content-type'),
  reply.body.length,
];

test('errors of gw and of policies are errors of gRPC-Web', async ({ plane }) => {
  const origin = `Origin: ${PAGE}\r\n`;
  const unknown = await plane.ask(withBody('/keyed/C', TEXT, 'AAAAAAA=', origin));
  assert.equal(statusOf(unknown), [200, '16', TEXT, 0]);
  assert.ok(unknown.header('www-authenticate'));
  assert.is(unknown.header('access-control-allow-origin'), PAGE);
  assert.is(unknown.header('access-control-expose-headers'), 'grpc-status, grpc-message');
  assert.is((await plane.record(({ route }) => route === 'keyed')).error, 'auth/missing');
  const gone = await plane.ask(withBody('/gone/C', BINARY, grpcFrame('x')));
  assert.equal(statusOf(gone), [200, '14', BINARY, 0]);
  const coded = await plane.ask(withBody('/a.B/C', BINARY, grpcFrame('x'), 'Content-Encoding: gzip\r\n'));
  assert.equal(statusOf(coded), [200, '12', BINARY, 0]);
});

test('a preflight of a page passes', async ({ plane }) => {
  const asks = `Origin: ${PAGE}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-grpc-web\r\n`;
  const reply = await plane.ask(`OPTIONS /keyed/C HTTP/1.1\r\nHost: a.example\r\n${asks}\r\n`);
  assert.is(reply.status, 204);
  assert.is(reply.header('access-control-allow-headers'), 'content-type, x-grpc-web');
});

test('base64 that is not valid ends the call at the target, and is an error for the client', async ({
  plane,
  target,
}) => {
  target.respond = (stream) => stream.resume();
  const client = plane.client();
  client.send(head('/a.B/Bad', TEXT, 'Content-Length: 12'));
  client.send('AAAA');
  await until(() => target.requests.length === 1, 'the request');
  client.send('AA_AAAAA');
  assert.equal(statusOf(await client.reply()), [200, '13', TEXT, 0]);
  client.destroy();
  await until(() => target.requests[0]!.stream.destroyed, 'the end of the stream');
  const { error, grpc } = await plane.record(({ url }) => url === '/a.B/Bad');
  assert.equal([error, grpc], ['grpc-web/invalid-text', 'INTERNAL']);
});

test('a call that fails within its reply is cut, without a trailer frame', async ({ plane, target }) => {
  target.respond = (stream) => {
    stream.resume();
    stream.respond(GRPC);
    stream.write(grpcFrame('first'), () => stream.session?.destroy());
  };
  const client = plane.client();
  client.send(withBody('/a.B/C', BINARY, grpcFrame('x')));
  await until(() => client.ended, 'the end of the connection');
  assert.ok(client.pending.includes('first'));
  assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
  assert.not.ok(client.pending.includes('grpc-status'));
});

test('a client that leaves cancels the call', async ({ plane, target }) => {
  target.respond = (stream) => {
    stream.resume();
    stream.respond(GRPC);
    stream.write(grpcFrame('first'));
  };
  const client = plane.client();
  client.send(withBody('/a.B/C', BINARY, grpcFrame('x')));
  await until(() => client.pending.includes('first'), 'the first message');
  client.destroy();
  await until(() => target.requests[0]!.stream.destroyed, 'the end of the stream');
  assert.is(target.requests[0]!.stream.rstCode, 8);
});

test.run();
