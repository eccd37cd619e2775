/** Connections to targets: selection, closing and limits. */
import * as assert from 'uvu/assert';
import { type Arrived, generationOf, ok, type RawClient, specOf, until } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi';
const SERVICE = 'retries = 0\neject_after = 0';

const test = engineSuite('connections to targets', { service: SERVICE });

const connections = ({ target, plane }: EngineContext): number =>
  plane.registry.sums(plane.registry.slot('target', `it|${target.url}`) ?? -1).connections;

/** `count` requests that wait at the target until `answer` is called. */
async function held(context: EngineContext, count: number): Promise<{ clients: RawClient[]; answer: () => void }> {
  const { target, plane } = context;
  const waiting: Arrived[] = [];
  target.respond = (request) => void waiting.push(request);
  const clients = Array.from({ length: count }, () => plane.client());
  for (const client of clients) client.send(GET);
  await until(() => waiting.length === count, 'the requests');
  const answer = (): void => {
    for (const request of waiting) ok('x')(request, request.socket);
    target.respond = ok('hello');
  };
  return { clients, answer };
}

test('an idle connection closed by its target is not used', async (context) => {
  const { target, plane } = context;
  for (let i = 0; i < 3; i++) {
    await plane.ask(GET);
    target.sockets.at(-1)!.end();
    await until(() => connections(context) === 0, 'gw to notice the close');
    // A POST is not retried, so it would fail on a closed connection.
    assert.is((await plane.ask(POST)).status, 200);
    target.sockets.at(-1)!.resetAndDestroy();
    await until(() => connections(context) === 0, 'gw to notice the close');
  }
  assert.is(target.connections, 6);
});

test('the most recently used connection is reused first, so that excess ones reach their idle timeout', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: `${SERVICE}\nidle_timeout = "600ms"` }));
  const { clients, answer } = await held(context, 3);
  answer();
  for (const client of clients) assert.is((await client.reply()).status, 200);
  assert.is(connections(context), 3);
  const used = new Set<number>();
  for (let i = 0; i < 12; i++) {
    clients[0]!.send(GET);
    await clients[0]!.reply();
    used.add(target.arrived.at(-1)!.connection);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.is(used.size, 1);
  assert.is(connections(context), 1);
  for (const client of clients) client.destroy();
});

test('a request retried after a closed connection gets a new connection, also from the queue', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: `${SERVICE}\nmax_connections = 2` }));
  const { clients, answer } = await held(context, 2);
  answer();
  for (const client of clients) assert.is((await client.reply()).status, 200);
  // Both have served a reply. The first closes under a request, its place goes to the queued request, and then the
  // other becomes free.
  const arrived: Arrived[] = [];
  target.respond = (request, socket) => {
    if (request.connection < 3) arrived.push(request);
    else ok('fresh')(request, socket);
  };
  const [one, two, other] = [clients[0]!, clients[1]!, plane.client()];
  two.send(GET);
  await until(() => arrived.length === 1);
  one.send(GET);
  await until(() => arrived.length === 2);
  other.send(POST);
  await new Promise((resolve) => setTimeout(resolve, 20));
  arrived[1]!.socket.destroy();
  await until(() => arrived.length === 3);
  assert.is(arrived[2]!.method, 'POST');
  await new Promise((resolve) => setTimeout(resolve, 20));
  ok('x')(arrived[0]!, arrived[0]!.socket);
  assert.is((await one.reply()).body.toString(), 'fresh');
  assert.is(target.connections, 4);
  ok('x')(arrived[2]!, arrived[2]!.socket);
  for (const client of [two, other]) assert.is((await client.reply()).status, 200);
  for (const client of [...clients, other]) client.destroy();
});

test('the limits of a target are divided among the workers', async (context) => {
  const { target, plane } = context;
  const text = specOf(target.url, {
    service: `${SERVICE}\nmax_connections = 3\nmax_queue = 3\nconnect_timeout = "10s"`,
  }).replace('spec = 1', 'spec = 1\nworkers = 2');
  const input = generationOf(text, plane.registry, 7);
  await plane.plane.load({ ...input, sharePorts: true });
  const { clients, answer } = await held(context, 2);
  const waiting = [plane.client(), plane.client()];
  for (const client of waiting) client.send(GET);
  await until(() => plane.registry.sums(plane.registry.slot('route', 'all') ?? -1).inFlight === 4, 'all four');
  assert.is((await plane.ask(GET)).status, 503);
  assert.is(target.connections, 2);
  answer();
  for (const client of [...clients, ...waiting]) assert.is((await client.reply()).status, 200);
  assert.is(target.connections, 2);
  // A single worker has the full limit.
  await plane.load(text);
  const more = await held(context, 3);
  assert.is(target.connections, 3);
  more.answer();
  for (const client of more.clients) assert.is((await client.reply()).status, 200);
  for (const client of [...clients, ...waiting, ...more.clients]) client.destroy();
});

test('a reload with a lower max_connections keeps busy connections', async (context) => {
  const { target, plane } = context;
  const { clients, answer } = await held(context, 4);
  await plane.load(specOf(target.url, { service: `${SERVICE}\nmax_connections = 1` }));
  answer();
  for (const client of clients) assert.is((await client.reply()).status, 200);
  await until(() => connections(context) === 1, 'excess connections to be closed');
  for (const client of clients) client.destroy();
});

test('a reload with a lower max_connections closes idle connections', async (context) => {
  const { target, plane } = context;
  for (const service of ['', '\npipelining = 2']) {
    await plane.load(specOf(target.url, { service: SERVICE + service }));
    const { clients, answer } = await held(context, 4);
    answer();
    for (const client of clients) assert.is((await client.reply()).status, 200);
    assert.ok(connections(context) >= 2);
    await plane.load(specOf(target.url, { service: `${SERVICE}\nmax_connections = 1${service}` }));
    assert.is(connections(context), 1);
    assert.is((await plane.ask(GET)).status, 200);
    for (const client of clients) client.destroy();
  }
});

test.run();
