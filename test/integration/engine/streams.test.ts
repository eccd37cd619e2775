/** Streams have an idle timeout in place of the timeout of the route and of the target's reply. */
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { ask, sessionTo } from '../../support/http2/session.js';
import { type RawClient, specOf, until } from '../engine-kit.js';
import { type EngineContext, sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('streams');
test.before.each(({ time }) => time.go());

const TIMEOUTS = 'timeout = "300ms"';
const SERVICE = 'response_timeout = "500ms"\nretries = 0\neject_after = 0';

interface Open {
  readonly client: RawClient;
  readonly socket: Socket;
}

/** A reply in chunks whose first one has arrived, with the clock stopped. */
async function open({ plane, target, time }: EngineContext, route: string, type: string, ask = ''): Promise<Open> {
  await plane.load(specOf(target.url, { service: SERVICE, route: `${TIMEOUTS}\n${route}` }));
  let socket: Socket | undefined;
  target.respond = (_request, opened) => {
    socket = opened;
    opened.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
  };
  const client = plane.client();
  client.send(ask || 'GET /events HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => client.pending.includes('first'), 'the first part');
  time.stop();
  return { client, socket: socket! };
}

/** Lets time pass, and waits for a sweep after it. */
async function pass({ time }: EngineContext, ms: number): Promise<void> {
  time.pass(ms);
  await new Promise((resolve) => setTimeout(resolve, 150));
}

for (const [what, route, type] of [
  ['server-sent events', '', 'text/event-stream; charset=utf-8'],
  ['pictures that replace each other', '', 'Multipart/X-Mixed-Replace; boundary=x'],
  ['gRPC', '', 'application/grpc+proto'],
  ['any type on a route that says so', 'stream = true', 'text/plain'],
] as const)
  test(`${what} outlive the timeout of the route and response_timeout`, async (context) => {
    const { client, socket } = await open(context, route, type);
    for (let i = 0; i < 2; i++) {
      await pass(context, 5000);
      socket.write('4\r\nmore\r\n');
      await until(() => client.pending.split('more').length === i + 2, 'more');
    }
    socket.write('0\r\n\r\n');
    await until(() => client.pending.endsWith('0\r\n\r\n'), 'the end');
    client.destroy();
  });

test('stream_idle_timeout ends a silent stream, and begins again with every part', async (context) => {
  const { client, socket } = await open(context, 'stream_idle_timeout = "2s"', 'text/event-stream');
  await pass(context, 1500);
  socket.write('4\r\nmore\r\n');
  await until(() => client.pending.includes('more'), 'more');
  await pass(context, 1500);
  assert.not.ok(client.ended);
  await pass(context, 1000);
  await until(() => client.ended, 'the end');
  assert.not.ok(client.pending.endsWith('0\r\n\r\n'));
  const record = await context.plane.record(({ error }) => error === 'upstream/timeout');
  assert.match(record.cause ?? '', '(2 s)');
});

for (const [what, route, type] of [
  ['another type', '', 'text/plain'],
  ['a type that only begins like gRPC', '', 'application/grpcx'],
  ['events on a route that says that they are no stream', 'stream = false', 'text/event-stream'],
] as const)
  test(`the timeout of the route ends a reply of ${what}`, async (context) => {
    const { client } = await open(context, route, type);
    await pass(context, 400);
    await until(() => client.ended, 'the end');
  });

for (const [what, http2, type] of [
  ['gRPC over HTTP/1.1', false, 'application/grpc'],
  ['gRPC-Web over HTTP/1.1', false, 'application/grpc-web'],
  ['gRPC over HTTP/2', true, 'application/grpc+proto'],
] as const)
  test(`a Content-Type of ${what} takes no request out of the time limits, where the target speaks HTTP/1.1`, async (context) => {
    const { plane, target, time } = context;
    let asked = false;
    target.respond = () => {
      asked = true;
    };
    for (const [limits, error] of [
      ['timeout = "300ms"', 'exchange/timeout'],
      ['timeout = "0s"', 'upstream/timeout'],
    ] as const) {
      time.go();
      asked = false;
      await plane.load(specOf(target.url, { service: SERVICE, route: limits }));
      plane.records.length = 0;
      const session = http2 ? sessionTo(plane.port) : undefined;
      const reply = session
        ? ask(session, { ':method': 'POST', ':path': '/call', 'content-type': type }, 'hi')
        : plane.ask(`POST /call HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: 2\r\n\r\nhi`);
      await until(() => asked, 'the request at the target');
      time.stop();
      time.pass(1000);
      const { status } = await reply;
      assert.is(status, http2 ? 200 : 504);
      const record = await plane.record((each) => each.error !== null);
      assert.equal([record.error, record.grpc], [error, http2 ? 'DEADLINE_EXCEEDED' : undefined]);
      session?.destroy();
    }
  });

test.run();
