import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dutyFetch } from '../../../src/control/duties/fetch.js';

const servers: Server[] = [];
test.after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener, tls?: { cert: string; key: string }): Promise<string> {
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
}

const never = new AbortController().signal;

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );

test('a reply with status, fields and body; the request is as asked for', async () => {
  const seen: unknown[] = [];
  const url = await serve((request, reply) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      seen.push([request.method, request.url, request.headers['x-a'], request.headers['accept-encoding'], body]);
      reply.writeHead(201, { 'Cache-Control': 'max-age=5', 'Set-Cookie': ['a', 'b'] }).end('body');
    });
  });
  const options = { method: 'POST', headers: { 'x-a': '1' }, body: 'question' };
  const { status, headers, body } = await dutyFetch(`${url}/path?q=1`, options, never);
  assert.equal(seen, [['POST', '/path?q=1', '1', 'identity', 'question']]);
  assert.equal([status, headers['cache-control'], headers['set-cookie']], [201, 'max-age=5', 'a, b']);
  assert.is(Buffer.from(body).toString(), 'body');
});

test('a redirect is a reply: it is not followed', async () => {
  let requests = 0;
  const url = await serve((_request, reply) => {
    requests++;
    reply.writeHead(302, { location: '/elsewhere' }).end();
  });
  const { status } = await dutyFetch(url, {}, never);
  assert.equal([status, requests], [302, 1]);
});

test('a reply that is too large is refused, with and without its length', async () => {
  for (const chunked of [false, true]) {
    const url = await serve((_request, reply) => {
      if (!chunked) reply.setHeader('content-length', 2000);
      reply.write('x'.repeat(900));
      reply.end('x'.repeat(1100));
    });
    assert.is(await failure(dutyFetch(url, { maxReply: 1000 }, never)), 'the reply is larger than 1000 bytes');
  }
});

test('a reply that is coded is refused: its size would not be bounded', async () => {
  const url = await serve((_request, reply) => reply.writeHead(200, { 'content-encoding': 'gzip' }).end('x'));
  assert.is(await failure(dutyFetch(url, {}, never)), 'the reply has the content coding gzip');
});

test('the time includes the body: a server that trickles is cut', async () => {
  const timers: NodeJS.Timeout[] = [];
  const url = await serve((_request, reply) => {
    reply.writeHead(200);
    timers.push(setInterval(() => reply.write('x'), 10));
  });
  assert.is(await failure(dutyFetch(url, { timeout: 100 }, never)), 'no reply within 100 ms');
  for (const timer of timers) clearInterval(timer);
});

test('a reply that is cut is refused', async () => {
  const url = await serve((_request, reply) => {
    reply.writeHead(200, { 'content-length': 100 });
    reply.write('x');
    setImmediate(() => reply.destroy());
  });
  assert.match(await failure(dutyFetch(url, {}, never)), /aborted|connection reset/);
});

test('refused connections, wrong URLs and closed duties are errors with a phrase', async () => {
  assert.is(await failure(dutyFetch('http://127.0.0.1:1/', {}, never)), 'connection refused');
  assert.match(await failure(dutyFetch('file:///etc/passwd', {}, never)), /no http or https URL/);
  assert.match(await failure(dutyFetch('nonsense', {}, never)), /Invalid URL/);
  assert.is(await failure(dutyFetch('http://127.0.0.1:1/', {}, AbortSignal.abort())), 'the duty was closed');
  const ending = new AbortController();
  const url = await serve(() => ending.abort());
  assert.is(await failure(dutyFetch(url, {}, ending.signal)), 'the duty was closed');
});

test('a certificate of an unknown authority is refused, whatever the environment says', async () => {
  const pem = (name: string): string => readFileSync(`test/integration/fixtures/${name}.pem`, 'utf8');
  const url = await serve((_request, reply) => reply.end('x'), { cert: pem('tls-cert'), key: pem('tls-key') });
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  try {
    assert.match(await failure(dutyFetch(url, {}, never)), /self-signed|certificate/);
  } finally {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  }
});

test.run();
