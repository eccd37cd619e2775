/** Faulty clients: each affects only its own requests and leaves nothing behind. */
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import * as faults from '../../support/fault-target.js';
import { type Plane, RawClient, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const test = engineSuite('client faults', {
  service: 'retries = 0\nresponse_timeout = "1s"',
  listener: 'header_timeout = "300ms"',
});
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n';

/** Open connections of the listener according to its metrics. */
function connections({ registry }: Plane): number {
  const slot = registry.slot('listener', 'main');
  if (slot === undefined) throw new Error('the listener has no counters');
  return registry.sums(slot).connections;
}

const LEAVES: readonly (readonly [what: string, sent: string, reset: boolean])[] = [
  ['disconnects without sending', '', false],
  ['resets without sending', '', true],
  ['disconnects in a head', 'GET / HTTP/1.1\r\nHo', false],
  ['resets in a head', 'GET / HTTP/1.1\r\nHo', true],
  ['disconnects in a body', `${POST}abc`, false],
  ['resets in a body', `${POST}abc`, true],
  ['disconnects between chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n', false],
  ['resets during its reply', GET, true],
  ['resets with pipelined requests pending', GET.repeat(5), true],
];

for (const [what, sent, reset] of LEAVES) {
  test(`a client that ${what}: its connection and the target connection are closed`, async ({ target, plane }) => {
    target.respond = faults.never;
    const client = plane.client();
    if (sent !== '') client.send(sent);
    const asks = /\r\n\r\n/.test(sent);
    await until(() => connections(plane) === 1 && (!asks || target.arrived.length === 1), 'the client to be accepted');
    if (reset) client.socket.resetAndDestroy();
    else client.socket.end();
    await until(() => connections(plane) === 0, 'the listener to have no connections', 3000);
    await until(() => target.open === 0, 'the target connection to be closed', 3000);
    client.destroy();
    target.respond = faults.ok('hello');
    assert.is((await plane.ask(GET)).body.toString(), 'hello');
  });
}

test('all requests of a client that half-closed are answered', async ({ target, plane }) => {
  const held: faults.Arrived[] = [];
  target.respond = (request) => held.push(request);
  const client = plane.client();
  client.socket.end(GET.repeat(3));
  for (let turn = 0; turn < 3; turn++) {
    await until(() => held.length > turn, 'a request');
    faults.ok(`reply ${turn}`)(held[turn]!, held[turn]!.socket);
    assert.is((await client.reply()).body.toString(), `reply ${turn}`);
  }
  await client.end();
});

test('ten thousand short connections leak nothing', async ({ target, plane }) => {
  const { port } = plane;
  await plane.ask(GET);
  const before = process.getActiveResourcesInfo().length;
  let gone = 0;
  const once = (at: number): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => {});
      socket.on('close', () => {
        gone++;
        resolve();
      });
      socket.on('connect', () => {
        if (at % 4 === 0) socket.resetAndDestroy();
        else if (at % 4 === 1) socket.destroy();
        else if (at % 4 === 2) socket.write('GET / HT', () => socket.destroy());
        else socket.end(GET);
      });
      socket.resume();
    });
  const walker = async (from: number): Promise<void> => {
    for (let at = from; at < 10_000; at += 50) await once(at);
  };
  await Promise.all(Array.from({ length: 50 }, (_, from) => walker(from)));
  assert.is(gone, 10_000);
  await until(() => connections(plane) === 0, 'the listener to have no connections');
  await until(() => process.getActiveResourcesInfo().length <= before + 50, 'sockets and timers to be released');
  assert.ok(target.connections <= 256, `${target.connections} connections to the target`);
  assert.is((await plane.ask(GET)).body.toString(), 'hello');
});

test('a flood of non-HTTP bytes closes only its own connection', async ({ plane }) => {
  const good = plane.client();
  for (let turn = 0; turn < 50; turn++) {
    const client = new RawClient(connect({ port: plane.port, host: '127.0.0.1' }));
    client.send(Buffer.alloc(8192, turn));
    await client.end();
    assert.match(client.pending, /^HTTP\/1\.1 [45]\d\d /, `byte ${turn}`);
    client.destroy();
    good.send(GET);
    assert.is((await good.reply()).status, 200);
  }
  good.destroy();
});

test.run();
