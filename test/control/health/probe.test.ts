/** Each kind of check against real servers. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttp2, type Http2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HealthEntry, ServiceEntry } from '../../../src/bundle/types.js';
import { checkRequest, servingStatus } from '../../../src/control/health/grpc-health.js';
import { probe } from '../../../src/control/health/probe.js';
import { freePort } from '../../support/ports.js';

const test = suite('probes');

const HTTP: HealthEntry = {
  kind: 'http',
  interval: 1000,
  timeout: 400,
  jitter: 0,
  healthyAfter: 1,
  unhealthyAfter: 1,
  method: 'GET',
  path: '/healthz?full=1',
  statuses: [[200, 299]],
};

let server: Server;
let answer: RequestListener = (_request, response) => response.end('all ok');
let grpc: Http2Server;
let serving: { headers?: object; message?: Buffer; trailers?: object } = {};
const asked: string[] = [];

test.before(async () => {
  server = createHttp((request, response) => {
    asked.push(`${request.method} ${request.headers.host} ${request.url}`);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  grpc = createHttp2().listen(0, '127.0.0.1');
  grpc.on('stream', (stream, headers) => {
    asked.push(`${headers[':path']} ${headers['content-type']}`);
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => {});
    stream.on('end', () => {
      asked.push(Buffer.concat(parts).toString('hex'));
      const { headers: more, message, trailers } = serving;
      if (trailers === undefined) {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...more }, { endStream: true });
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...more }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
      stream.end(message);
    });
  });
  await once(grpc, 'listening');
});

test.after(() => {
  server.close();
  server.closeAllConnections();
  grpc.close();
});

const portOf = (one: Server | Http2Server | TcpServer): number => (one.address() as AddressInfo).port;
const check = (health: HealthEntry, url = `http://127.0.0.1:${portOf(server)}/base`): Promise<string | undefined> =>
  probe({ health }, { url }, new AbortController().signal);

test('http: method, path, host, and the statuses', async () => {
  asked.length = 0;
  assert.is(await check(HTTP), undefined);
  assert.is(await check({ ...HTTP, method: 'HEAD', host: 'shop.example' }), undefined);
  assert.equal(asked, [`GET 127.0.0.1:${portOf(server)} /healthz?full=1`, 'HEAD shop.example /healthz?full=1']);
  answer = (_request, response) => response.writeHead(401).end();
  assert.is(await check(HTTP), 'status 401');
  assert.is(
    await check({
      ...HTTP,
      statuses: [
        [200, 204],
        [401, 401],
      ],
    }),
    undefined,
  );
});

test('http: the text of the body', async () => {
  answer = (_request, response) => {
    response.write('all ');
    setImmediate(() => response.end('ok'));
  };
  assert.is(await check({ ...HTTP, body: 'all ok' }), undefined);
  assert.is(await check({ ...HTTP, body: 'fine' }), 'the expected text is not in the body');
  answer = (_request, response) => response.end('x'.repeat(200_000));
  assert.is(await check({ ...HTTP, body: 'fine' }), 'the expected text is not in the body');
});

test('no answer in time, no listener, a reset', async () => {
  answer = () => {};
  assert.is(await check(HTTP), 'no answer within 400 ms');
  answer = (request) => request.socket.resetAndDestroy();
  assert.is(await check(HTTP), 'connection reset');
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  assert.is(await check(HTTP, nowhere), 'connection refused');
  assert.is(await check({ ...HTTP, kind: 'tcp' }, nowhere), 'connection refused');
});

test('an address in place of the name, and another port', async () => {
  answer = (_request, response) => response.end('ok');
  const health = { ...HTTP, port: portOf(server) };
  const endpoint = { url: 'http://shop.invalid:1', address: '127.0.0.1' };
  assert.is(await probe({ health }, endpoint, new AbortController().signal), undefined);
});

test('tcp: a connection is enough', async () => {
  const tcp = createTcp((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const url = `http://127.0.0.1:${(tcp.address() as AddressInfo).port}`;
  assert.is(await check({ ...HTTP, kind: 'tcp' }, url), undefined);
  tcp.close();
});

test('grpc: SERVING, anything else, and a server that does not know the service', async () => {
  const url = `http://127.0.0.1:${portOf(grpc)}`;
  const health: HealthEntry = { ...HTTP, kind: 'grpc', service: 'shop.Orders' };
  const message = (status: number): Buffer => Buffer.from([0, 0, 0, 0, 2, 8, status]);
  asked.length = 0;
  serving = { message: message(1), trailers: { 'grpc-status': '0' } };
  assert.is(await check(health, url), undefined);
  assert.equal(asked, [
    '/grpc.health.v1.Health/Check application/grpc',
    `000000000d0a0b${Buffer.from('shop.Orders').toString('hex')}`,
  ]);
  serving = { message: message(2), trailers: { 'grpc-status': '0' } };
  assert.is(await check(health, url), 'not serving');
  serving = { headers: { 'grpc-status': '5' } };
  assert.is(await check(health, url), 'grpc-status 5');
  serving = { headers: { ':status': 404 } };
  assert.is(await check(health, url), 'status 404');
  answer = (_request, response) => response.end('ok');
  assert.ok((await check(health)) !== undefined, 'an HTTP/1.1 server');
});

test('http over HTTP/2', async () => {
  asked.length = 0;
  serving = { headers: { ':status': 204 } };
  const endpoint = { url: `http://127.0.0.1:${portOf(grpc)}` };
  const service = { health: HTTP, http2: {} as NonNullable<ServiceEntry['http2']> };
  assert.is(await probe(service, endpoint, new AbortController().signal), undefined);
  serving = { headers: { ':status': 503 } };
  assert.is(await probe(service, endpoint, new AbortController().signal), 'status 503');
  assert.is(asked[0], '/healthz?full=1 undefined');
});

const HEADERS = { v1: 'PROXY UNKNOWN\r\n', v2: '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0' };

/** A server that passes connections with this header on, and resets the others. */
async function expecting(header: string, then: (socket: Socket) => void): Promise<TcpServer> {
  const tcp = createTcp((socket) => {
    socket.on('error', () => {});
    const read = (): void => {
      const first: Buffer | null = socket.read(header.length);
      if (first === null) return;
      socket.off('readable', read);
      if (first.toString('latin1') === header) then(socket);
      else socket.resetAndDestroy();
    };
    socket.on('readable', read);
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  return tcp;
}

for (const version of ['v1', 'v2'] as const)
  test(`checks by HTTP/1.1 sent no PROXY header, ${version}: now each kind begins with LOCAL`, async () => {
    const signal = new AbortController().signal;
    answer = (_request, response) => response.end('ok');
    const one = await expecting(HEADERS[version], (socket) => server.emit('connection', socket));
    const two = await expecting(HEADERS[version], (socket) => grpc.emit('connection', socket));
    let connections = 0;
    const bare = await expecting(HEADERS[version], () => connections++);
    const at = (tcp: TcpServer): { url: string } => ({ url: `http://127.0.0.1:${portOf(tcp)}` });
    const service = { health: HTTP, proxyProtocol: version };
    assert.is(await probe(service, at(one), signal), undefined, 'HTTP/1.1');
    serving = { headers: { ':status': 204 } };
    assert.is(await probe({ ...service, http2: { maxStreams: 1 } }, at(two), signal), undefined, 'HTTP/2');
    serving = { message: Buffer.from([0, 0, 0, 0, 2, 8, 1]), trailers: { 'grpc-status': '0' } };
    assert.is(await probe({ ...service, health: { ...HTTP, kind: 'grpc' } }, at(two), signal), undefined, 'grpc');
    const connected = once(bare, 'connection');
    assert.is(await probe({ ...service, health: { ...HTTP, kind: 'tcp' } }, at(bare), signal), undefined, 'tcp');
    const [socket] = (await connected) as [Socket];
    if (!socket.closed) await once(socket.resume(), 'close');
    assert.is(connections, 1, 'tcp');
    assert.is(await probe({ health: HTTP }, at(one), signal), 'connection reset', 'without a header');
    for (const tcp of [one, two, bare]) tcp.close();
  });

test('checks by HTTP/1.1 of a unix socket asked localhost:80', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-probe-'));
  const path = join(folder, 'http.sock');
  const local = createHttp((request, response) => response.end(`${request.headers.host} ${request.url}`)).listen(path);
  await once(local, 'listening');
  assert.is(await check({ ...HTTP, body: 'localhost /healthz?full=1' }, `unix:${path}`), undefined);
  assert.is(await check({ ...HTTP, kind: 'tcp' }, `unix:${path}`), undefined);
  local.close();
  local.closeAllConnections();
  await once(local, 'close');
  assert.match((await check(HTTP, `unix:${path}`)) ?? '', 'ENOENT');
  rmSync(folder, { recursive: true });
});

test('grpc: messages', () => {
  assert.is(checkRequest('').toString('hex'), '0000000000');
  const reply = (hex: string): Buffer => {
    const bytes = Buffer.from(hex, 'hex');
    return Buffer.concat([Buffer.from([0, 0, 0, 0, bytes.length]), bytes]);
  };
  assert.is(servingStatus(reply('0801')), undefined);
  assert.is(servingStatus(reply('0802')), 'not serving');
  assert.is(servingStatus(reply('')), 'unknown');
  assert.is(servingStatus(reply('12026162' + '0801')), undefined, 'an unknown field before it');
  assert.is(servingStatus(reply('1202616208')), 'reply that is not a HealthCheckResponse');
  assert.is(servingStatus(reply('08ffffffffff01')), 'reply that is not a HealthCheckResponse');
  assert.is(servingStatus(reply('12ff0f')), 'reply that is not a HealthCheckResponse');
  assert.is(servingStatus(Buffer.alloc(3)), 'reply without a message');
  assert.is(servingStatus(Buffer.from([1, 0, 0, 0, 0])), 'reply that is not one uncompressed message');
});

test.run();
