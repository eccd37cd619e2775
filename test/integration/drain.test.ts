/** Shutdown of a gateway: not ready, then closed to new connections, then stopped, without avoidable losses. */
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { frame, handshake } from '../support/frames.js';
import { Busy } from './busy-client.js';
import { call, closeAll, removeFolders, SpecFile, startGateway, startOrigin, until } from './control-kit.js';
import { killServed, Served } from './serve-kit.js';

test.after.each(async () => {
  killServed();
  await closeAll();
});
test.after(removeFolders);

const specOf = (target: string, more = 'drain_timeout = "5s"'): string => `spec = 1
${more}
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["${target}"]
[[route]]
name = "all"
match = "/{rest...}"
to = "shop"
`;

/** The result of `/readyz` on the admin socket. */
const ready = async (socketPath: string): Promise<number> => (await call('/readyz', { socketPath })).status;

test('during drain_delay the gateway is not ready and serves normally', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway, url } = await startGateway({ spec: spec.path });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  assert.is((await call(`${url}/a`, { agent })).status, 200);
  const socketPath = gateway.adminSocket ?? '';
  assert.is(await ready(socketPath), 200);
  const drained = gateway.drain(5000, 700);
  assert.is(gateway.state, 'draining');
  assert.is(await ready(socketPath), 503);
  const kept = await call(`${url}/b`, { agent });
  assert.is(kept.status, 200);
  assert.is(kept.headers.connection, undefined, 'a client would come back here: it is not sent away yet');
  assert.is((await call(`${url}/c`)).status, 200, 'new connections are taken');
  assert.is(await gateway.reload(), undefined, 'what is about to end loads nothing');
  assert.is((await drained).cut, 0);
  const error = await call(`${url}/d`).then(
    () => undefined,
    (reason: NodeJS.ErrnoException) => reason.code,
  );
  assert.is(error, 'ECONNREFUSED');
  agent.destroy();
});

test('a second signal during the delay ends the process at once, with the exit code of that signal', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url, 'drain_delay = "60s"'));
  const served = new Served({ path: spec.path });
  const url = await served.url();
  served.child.kill('SIGTERM');
  await until(() => served.stdout.includes('SIGTERM: not ready, draining in 60000 ms'), 'the delay');
  assert.is((await call(`${url}/a`)).status, 200);
  served.child.kill('SIGTERM');
  assert.is(await served.exit, 143);
  assert.match(served.stdout, /SIGTERM again: stopping at once, [01] exchanges? cut/);
});

test('SIGINT skips drain_delay', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url, 'drain_delay = "60s"'));
  const served = new Served({ path: spec.path });
  await served.url();
  served.child.kill('SIGINT');
  assert.is(await served.exit, 0);
  assert.match(served.stdout, 'SIGINT: draining; a second signal stops at once');
});

test('a drain under load loses no request of clients that honor Connection: close', async () => {
  const origin = await startOrigin();
  const spec = new SpecFile(specOf(origin.url));
  const { gateway, port } = await startGateway({ spec: spec.path });
  // Some clients send without a pause, some wait as long as an intercontinental round trip.
  const clients = Array.from({ length: 40 }, (_, at) => new Busy(port, () => (at % 2 === 0 ? 0 : (at * 7) % 200)));
  await until(() => clients.every(({ served }) => served > 2), 'all clients to send');
  const report = await gateway.drain(5000);
  await Promise.all(clients.map(({ done }) => done));
  assert.equal(
    clients.map(({ end }) => end).filter((end) => end !== 'told'),
    [],
  );
  assert.is(report.cut, 0);
  assert.is(report.raced, 0);
  assert.ok(report.tookMs < 4000, `it took ${report.tookMs} ms`);
});

/** Sends each request on a new connection until the port is closed, and records failures. */
async function comeAgain(port: number, wrong: string[], served: () => void): Promise<void> {
  for (;;) {
    const end = await call(`http://127.0.0.1:${port}/x`, { headers: { connection: 'close' } }).then(
      ({ status }) => String(status),
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
    if (end === 'ECONNREFUSED') return;
    if (end === '200') served();
    else wrong.push(end);
  }
}

test('a drain resets no connection that only the kernel has accepted', async () => {
  const origin = await startOrigin();
  const { gateway, port } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const wrong: string[] = [];
  let served = 0;
  const clients = Array.from({ length: 40 }, () => comeAgain(port, wrong, () => served++));
  await until(() => served > 200, 'all clients to send');
  const report = await gateway.drain(5000);
  await Promise.all(clients);
  assert.equal(wrong, []);
  assert.is(report.cut, 0);
});

test('a reply that began before the drain keeps its connection as announced', async () => {
  const origin = await startOrigin();
  origin.server.removeAllListeners('request');
  let finish: () => void = () => {};
  origin.server.on('request', (request, response) => {
    if (request.url === '/whole') {
      response.end('whole');
      return;
    }
    response.writeHead(200, { 'content-length': '8' });
    response.write('half');
    finish = () => response.end('half');
  });
  const { gateway, port } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.write('GET /half HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => text.endsWith('half'), 'half a reply');
  assert.not.match(text, /connection: close/i);
  const drained = gateway.drain(5000);
  await delay(50);
  finish();
  await until(() => text.endsWith('halfhalf'), 'the whole reply');
  text = '';
  socket.write('GET /whole HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => text.endsWith('whole'), 'the next reply');
  assert.match(text, /connection: close/i);
  assert.is((await drained).cut, 0);
  socket.destroy();
});

test('a request that arrives while its idle connection closes is counted', async () => {
  const origin = await startOrigin();
  const { gateway, port, log } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  let ended = false;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('end', () => {
    ended = true;
    // The request may have been written before the client noticed the close.
    socket.end('GET /late HTTP/1.1\r\nhost: a\r\n\r\n');
  });
  socket.write('GET /a HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => text.endsWith('origin GET /a'), 'a reply');
  const report = await gateway.drain(5000);
  assert.ok(ended);
  assert.not.match(text, '/late');
  assert.is(report.raced, 1);
  assert.ok(log.find(/^1 request without a reply/));
});

test('exchanges that exceed the deadline are aborted and counted, tunnels separately', async () => {
  const origin = await startOrigin();
  const { gateway, url, port, log } = await startGateway({ spec: new SpecFile(specOf(origin.url)).path });
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  // Neither end can be told to close before the frame ends.
  socket.write(handshake('/socket'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write(frame(1, 'half').subarray(0, 8));
  const slow = call(`${url}/slow`).then(
    () => 'answered',
    () => 'cut',
  );
  await until(() => gateway.snapshot().traffic.inFlight === 2, 'both exchanges to be in flight');
  const report = await gateway.drain(200);
  assert.is(report.cut, 2);
  assert.is(report.tunnels, 1);
  assert.is(await slow, 'cut');
  await closed;
  assert.equal(log.find(/^2 exchanges cut at the drain deadline$/)?.fields, {
    cut: 2,
    tunnels: 1,
    timeoutMs: 200,
  });
});

test.run();
