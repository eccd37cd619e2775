/** What becomes of requests whose clients leave. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RequestRecord } from '../../../src/telemetry/snapshot.js';
import { never } from '../../support/fault-target.js';
import { H2Target } from '../../support/h2-target.js';
import { GET as GET_FIELDS, headers } from '../../support/http2/hpack.js';
import { frame, RawHttp2, Type, u32 } from '../../support/http2/raw-client.js';
import { FaultTarget, ok, Plane, type RawClient, say, specOf, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
/** Each test has a path of its own in the access log. */
let asked = 0;

interface World {
  target: FaultTarget;
  plane: Plane;
}

const test = suite<World>('on_client_close');

test.before(async (world) => {
  world.target = await FaultTarget.start(never);
  world.plane = await Plane.start(specOf(world.target.url));
});

test.after(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

/** A client whose request is at the target. */
async function asking({ plane, target }: World, setting: string, request = GET): Promise<RawClient> {
  target.forget();
  await plane.load(specOf(target.url, { service: setting }));
  const client = plane.client();
  client.send(request.replace(' /', ` /${++asked}`));
  await until(() => target.arrived.length === 1, 'the request');
  return client;
}

/** The record of the last request, whose client has left. */
const left = ({ plane }: World): Promise<RequestRecord> =>
  plane.record(({ url, error }) => url === `/${asked}` && error === 'downstream/aborted');

test('cancel: a FIN after the request ends it at once', async (world) => {
  world.target.respond = never;
  const client = await asking(world, 'on_client_close = "cancel"');
  client.socket.end();
  await until(() => world.target.open === 0, 'the connection to the target');
  const record = await left(world);
  assert.match(record.cause ?? '', /^connection closed by the client/);
});

test('by default a client that sends nothing more gets its reply', async (world) => {
  world.target.respond = never;
  const client = await asking(world, '');
  client.socket.end();
  world.target.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await client.reply()).body.toString(), 'ok');
});

test('cancel does not end a request with more requests behind it', async (world) => {
  world.target.respond = never;
  const client = await asking(world, 'on_client_close = "cancel"', GET + GET);
  client.socket.end();
  world.target.respond = ok('second');
  world.target.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst');
  assert.is((await client.reply()).body.toString(), 'first');
  client.destroy();
});

test('finish: the request goes on without its client, also after a reset', async (world) => {
  world.target.respond = never;
  const client = await asking(world, 'on_client_close = "finish"');
  client.socket.resetAndDestroy();
  await until(() => client.closed, 'the end of the client');
  await until(() => world.plane.connections === 0, 'gw to notice');
  assert.is(world.target.open, 1);
  world.target.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const record = await left(world);
  assert.is(record.status, 200);
});

test('finish: a request whose body is not complete ends with its client', async (world) => {
  world.target.respond = never;
  const head = 'PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n12345';
  const client = await asking(world, 'on_client_close = "finish"', head);
  client.socket.resetAndDestroy();
  await until(() => world.target.open === 0, 'the end');
});

test('finish: an event stream ends with its client', async (world) => {
  world.target.respond = say('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
  const client = await asking(world, 'on_client_close = "finish"');
  await until(() => client.pending.includes('data: 1'), 'the first event');
  client.socket.resetAndDestroy();
  await until(() => world.target.open === 0, 'the end');
});

const CANCEL = 8;

/** A client over HTTP/2 whose request is at the target; it resets the stream. */
async function reset({ plane, target }: World, setting: string): Promise<RawHttp2> {
  target.forget();
  target.respond = never;
  await plane.load(specOf(target.url, { service: setting }));
  const client = await RawHttp2.ready(plane.port);
  client.send(headers(1, [...GET_FIELDS.filter(([name]) => name !== ':path'), [':path', `/${++asked}`]]));
  await until(() => target.arrived.length === 1, 'the request');
  client.send(frame(Type.RstStream, 0, 1, u32(CANCEL)));
  return client;
}

test('over HTTP/2: a reset stream ends its request, and by `finish` it does not', async (world) => {
  const { plane, target } = world;
  const first = await reset(world, 'on_client_close = "cancel"');
  await until(() => target.open === 0, 'the end of the request');
  first.socket.destroy();
  const second = await reset(world, 'on_client_close = "finish"');
  second.socket.destroy();
  await until(() => plane.connections === 0, 'gw to notice');
  assert.is(target.open, 1);
  target.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await left(world)).status, 200);
});

test('a target over HTTP/2 gets RST_STREAM, or finishes', async (world) => {
  const { plane } = world;
  const target = await H2Target.start();
  let ended = 0;
  target.respond = (stream) => stream.on('close', () => ended++);
  for (const setting of ['cancel', 'finish']) {
    await plane.load(specOf(target.url, { service: `protocol = "h2"\non_client_close = "${setting}"` }));
    const before = target.requests.length;
    const client = plane.client();
    client.send(GET.replace('/', `/${++asked}`));
    await until(() => target.requests.length === before + 1, 'the request');
    const { stream } = target.requests.at(-1)!;
    client.socket.resetAndDestroy();
    if (setting === 'cancel') {
      await until(() => ended === 1, 'the reset');
      assert.is(stream.rstCode, CANCEL);
    } else {
      await until(() => plane.connections === 0, 'gw to notice');
      stream.respond({ ':status': 200 });
      stream.end('ok');
    }
    const record = await left(world);
    assert.is(record.status, setting === 'cancel' ? 0 : 200);
  }
  assert.is(ended, 2);
  await target.close();
});

test.run();
