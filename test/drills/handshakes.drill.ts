/** A crowd of clients that never complete their handshakes: others are served, and all of the crowd is closed in time. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FaultTarget, Plane, RawClient, specOf, TestTime } from '../integration/engine-kit.js';
import { until } from '../support/until.js';

const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const TLS = `tls = { cert = "${FIXTURES}/tls-cert.pem", key = "${FIXTURES}/tls-key.pem" }`;
const CROWD = 3000;
/** Bytes of heap for each of the crowd, at most: a socket, and the begin of a message. */
const EACH = 16 * 1024;

const test = suite('unfinished handshakes');

/** What they send: nothing, a part of a first message, a record that announces more than it brings, plain noise after the head. */
const BEGINNINGS = ['', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '\x16\x03\x01\x40\x00\x01\x00\x3f\xfc', '\x16'];

async function visit(port: number): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    ca: readFileSync(`${FIXTURES}/tls-cert.pem`),
    servername: 'gateway.test',
  });
  await once(socket, 'secureConnect');
  const client = new RawClient(socket);
  client.send('GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n');
  assert.is((await client.reply()).status, 200);
  return socket;
}

test('others are served meanwhile, memory is bounded, and the crowd ends with header_timeout', async () => {
  const target = await FaultTarget.start();
  const time = new TestTime();
  const listener = `${TLS}\nmax_connections = ${CROWD + 10}\nmax_connections_per_address = ${CROWD + 10}`;
  const plane = await Plane.start(specOf(target.url, { listener }), { monotonic: time.now });
  time.stop();
  const before = process.memoryUsage().heapUsed;
  const crowd: RawClient[] = [];
  for (let i = 0; i < CROWD; i += 100) {
    const some = Array.from({ length: 100 }, () => plane.client());
    await Promise.all(some.map(({ socket }) => once(socket, 'connect')));
    for (const [index, one] of some.entries()) one.send(BEGINNINGS[index % BEGINNINGS.length]!);
    crowd.push(...some);
  }
  (await visit(plane.port)).destroy();
  const grown = process.memoryUsage().heapUsed - before;
  assert.ok(grown < CROWD * EACH, `${Math.round(grown / CROWD)} bytes each, with the client's side`);
  for (let step = 0; step < 9; step++) {
    time.pass(1000);
    for (const [index, one] of crowd.entries()) if (index % 4 === 2) one.send('\0');
    (await visit(plane.port)).destroy();
  }
  assert.ok(
    crowd.every(({ closed }) => !closed),
    'the timeout is not over',
  );
  time.pass(1100);
  await until(() => crowd.every(({ closed }) => closed), 'all of them to be closed');
  (await visit(plane.port)).destroy();
  await plane.close();
  await target.close();
});

test.run();
