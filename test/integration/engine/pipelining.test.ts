/** `pipelining = N`: several exchanges on one target connection, and each of them under failures. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FullBacklog, refusingPort } from '../../support/fault-target.js';
import { type Arrived, FaultTarget, ok, Plane, type RawClient, say, specOf, TestTime, until } from '../engine-kit.js';

interface Context {
  target: FaultTarget;
  plane: Plane;
  time: TestTime;
}
const test = suite<Context>('pipelining');
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`;
const POST = 'POST /post HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi';
const SERVICE = 'pipelining = 8\nretries = 0\neject_after = 0';
const echo = (request: Arrived, socket: import('node:net').Socket): void => ok(request.url)(request, socket);

test.before.each(async (context) => {
  context.target = await FaultTarget.start(echo);
  context.time = new TestTime();
  context.plane = await Plane.start(specOf(context.target.url, { service: SERVICE }), { monotonic: context.time.now });
});
test.after.each(async ({ target, plane }) => {
  await plane.close();
  await target.close();
});

/**
 * Clients whose requests `/0`, `/1` ... have reached the target in this order on one connection and wait there. The
 * clock is stopped meanwhile, because a pipeline that is blocked for long accepts no more requests.
 */
async function pipelined(context: Context, count: number, texts: readonly string[] = []): Promise<RawClient[]> {
  const { target, plane, time } = context;
  target.respond = () => {};
  time.stop();
  const before = target.arrived.length;
  const clients: RawClient[] = [];
  for (let i = 0; i < count; i++) {
    const client = plane.client();
    client.send(texts[i] ?? get(`/${i}`));
    clients.push(client);
    await until(() => target.arrived.length === before + i + 1, `request ${i}`);
  }
  time.go();
  return clients;
}

/** Clients that gw has accepted: their next requests are readable in one turn of its event loop. */
async function accepted(plane: Plane, count: number): Promise<RawClient[]> {
  const clients = Array.from({ length: count }, () => plane.client());
  for (const client of clients) {
    client.send(get('/warm'));
    await client.reply();
  }
  return clients;
}

const bodies = async (clients: readonly RawClient[]): Promise<string[]> =>
  Promise.all(clients.map(async (client) => (await client.reply()).body.toString()));
const destroy = (clients: readonly RawClient[]): void => {
  for (const client of clients) client.socket.resetAndDestroy();
};
const urls = (target: FaultTarget): string =>
  target.arrived.map(({ url, connection }) => `${connection}${url}`).join(' ');
const attempts = ({ target, plane }: Context): number =>
  plane.registry.sums(plane.registry.slot('target', `it|${target.url}`) ?? -1).requests;

test('requests share a connection and each gets its own reply', async (context) => {
  const { target } = context;
  const clients = await pipelined(context, 5);
  assert.is(target.connections, 1);
  for (const request of target.arrived) echo(request, request.socket);
  assert.equal(await bodies(clients), ['/0', '/1', '/2', '/3', '/4']);
  target.respond = echo;
  for (let round = 0; round < 3; round++) {
    for (const [i, client] of clients.entries()) client.send(get(`/${round}-${i}`));
    assert.equal(
      await bodies(clients),
      [0, 1, 2, 3, 4].map((i) => `/${round}-${i}`),
    );
  }
  assert.is(target.connections, 1);
  destroy(clients);
});

test('requests of one turn are written together', async ({ target, plane }) => {
  const clients = await accepted(plane, 6);
  const reads: number[] = [];
  target.sockets[0]!.on('data', (chunk: Buffer) => reads.push(chunk.toString().split('GET ').length - 1));
  for (const client of clients) client.send(get('/x'));
  await bodies(clients);
  assert.equal(reads, [6]);
  destroy(clients);
});

test('a new connection is opened only when all open ones have N requests in flight', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: 'pipelining = 2' }));
  const clients = await pipelined(context, 5);
  assert.is(urls(target), '0/0 0/1 1/2 1/3 2/4');
  for (const request of target.arrived) echo(request, request.socket);
  assert.equal(await bodies(clients), ['/0', '/1', '/2', '/3', '/4']);
  destroy(clients);
});

test('if all connections are full, exchanges wait in a bounded queue', async (context) => {
  const { target, plane } = context;
  await plane.load(
    specOf(target.url, {
      service: 'pipelining = 2\nmax_connections = 1\nmax_queue = 1\nconnect_timeout = "10s"\nretries = 0',
    }),
  );
  const clients = await pipelined(context, 2);
  const waiting = plane.client();
  waiting.send(get('/2'));
  let third = await plane.ask(get('/3'));
  while (third.status !== 503) third = await plane.ask(get('/3'));
  assert.match(third.body.toString(), 'upstream/queue-full');
  target.respond = echo;
  for (const request of [...target.arrived]) echo(request, request.socket);
  assert.equal(await bodies([...clients, waiting]), ['/0', '/1', '/2']);
  assert.is(target.connections, 1);
  destroy([...clients, waiting]);
});

test('a request that cannot be retried gets its own connection', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 3, [get('/0'), POST, get('/2')]);
  const post = plane.client();
  post.send('POST /empty HTTP/1.1\r\nHost: a.example\r\n\r\n');
  await until(() => target.arrived.length === 4, 'the POST without a body');
  const put = plane.client();
  put.send('PUT /put HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx');
  await until(() => target.arrived.length === 5, 'the PUT');
  assert.is(urls(target), '0/0 1/post 0/2 2/empty 3/put');
  for (const request of target.arrived) echo(request, request.socket);
  assert.equal(await bodies([...clients, post, put]), ['/0', '/post', '/2', '/empty', '/put']);
  destroy([...clients, post, put]);
});

test('a POST is served if all permitted connections are pipelined', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: 'pipelining = 4\nmax_connections = 1\nconnect_timeout = "10s"' }));
  const clients = await pipelined(context, 2);
  const post = plane.client();
  post.send(POST);
  const late = plane.client();
  await new Promise((resolve) => setTimeout(resolve, 30));
  late.send(get('/late'));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.is(target.arrived.length, 2);
  target.respond = echo;
  for (const request of [...target.arrived]) echo(request, request.socket);
  assert.equal(await bodies([...clients, post, late]), ['/0', '/1', '/post', '/late']);
  assert.is(urls(target), '0/0 0/1 1/post 1/late');
  // In reverse: an idle connection of one kind is closed in favor of the other.
  const again = await pipelined(context, 2);
  assert.is(target.connections, 3);
  for (const request of target.arrived.slice(-2)) echo(request, request.socket);
  assert.equal(await bodies(again), ['/0', '/1']);
  target.respond = echo;
  again[0]!.send(POST);
  assert.equal(await bodies([again[0]!]), ['/post']);
  destroy([...clients, ...again, post, late]);
});

test('a POST is served beside a blocked pipeline', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: 'pipelining = 4\nmax_connections = 2\neject_after = 0' }));
  const [stream, behind] = await pipelined(context, 2);
  // The second request moves to another connection, and the blocked one gets no further requests.
  target.arrived[0]!.socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
  await until(() => target.connections === 2, 'the second request to be moved');
  target.respond = (request, socket) => setTimeout(() => echo(request, socket), 10);
  echo(target.arrived.at(-1)!, target.sockets[1]!);
  assert.is((await behind!.reply()).body.toString(), '/1');
  let busy = true;
  const visitors = [0, 1, 2].map(async (at) => {
    const client = plane.client();
    await new Promise((resolve) => setTimeout(resolve, 3 * at));
    for (; busy; await client.reply()) client.send(get('/busy'));
    client.destroy();
  });
  const post = plane.client();
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    post.send(POST);
    assert.is((await post.reply()).body.toString(), '/post');
  }
  busy = false;
  await Promise.all(visitors);
  destroy([stream!, behind!, post]);
});

test('replies to HEAD, 204 and 304 have no body within a pipeline', async (context) => {
  const { target } = context;
  const head = 'HEAD /0 HTTP/1.1\r\nHost: a.example\r\n\r\n';
  const clients = await pipelined(context, 5, [head, get('/1'), get('/2'), head, get('/4')]);
  target.sockets[0]!.write(
    'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n' +
      'HTTP/1.1 204 No\r\n\r\n' +
      'HTTP/1.1 304 No\r\nContent-Length: 50\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast',
  );
  const replies = await Promise.all(clients.map((client, i) => client.reply({ head: i === 0 || i === 3 })));
  assert.equal(
    replies.map(({ status }) => status),
    [200, 204, 304, 200, 200],
  );
  assert.is(replies[4]!.body.toString(), 'last');
  assert.is(target.open, 1);
  destroy(clients);
});

test('pipelined replies split at any byte are parsed', async ({ target, plane, time }) => {
  time.stop();
  const text =
    'HTTP/1.1 103 Hint\r\nX-H: 1\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo';
  const clients = [plane.client(), plane.client()];
  for (let at = 1; at < text.length; at++) {
    const before = target.arrived.length;
    target.respond = () => {
      if (target.arrived.length !== before + 2) return;
      target.sockets[0]!.write(text.slice(0, at));
      setImmediate(() => target.sockets[0]!.write(text.slice(at)));
    };
    clients[0]!.send(get('/1'));
    await until(() => target.arrived.length === before + 1);
    clients[1]!.send(get('/2'));
    assert.is((await clients[0]!.reply()).status, 103);
    assert.equal(await bodies(clients), ['one', 'two']);
  }
  assert.is(target.connections, 1);
  destroy(clients);
});

test('informational replies reach the client of their request', async (context) => {
  const { target } = context;
  const clients = await pipelined(context, 2);
  target.sockets[0]!.write(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 First\r\nX-N: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na' +
      'HTTP/1.1 103 Second\r\nX-N: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb',
  );
  for (const [i, client] of clients.entries()) {
    assert.is((await client.reply()).header('x-n'), String(i));
    assert.is((await client.reply()).body.toString(), 'ab'[i]);
  }
  destroy(clients);
});

const LAST: readonly (readonly [what: string, reply: string, end: boolean])[] = [
  ['has Connection: close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nfirst', false],
  ['is delimited by connection close', 'HTTP/1.1 200 OK\r\n\r\nfirst', true],
  ['has version HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfirst', false],
  ['is followed by an unannounced close', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst', true],
];
for (const [what, reply, end] of LAST) {
  test(`a reply that ${what}: later requests of the pipeline are retried`, async (context) => {
    const { target } = context;
    const clients = await pipelined(context, 3);
    target.respond = echo;
    if (end) target.sockets[0]!.end(reply);
    else target.sockets[0]!.write(reply);
    assert.equal(await bodies(clients), ['first', '/1', '/2']);
    await until(() => target.sockets[0]!.destroyed, 'the connection to be closed');
    assert.is(target.arrived.length, 5);
    assert.is(attempts(context), 5);
    destroy(clients);
  });
}

for (const [what, reply] of [
  ['ambiguous', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
  ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
] as const) {
  test(`a reply that is ${what}: 502 only for its own request`, async (context) => {
    const { target, plane } = context;
    await plane.load(specOf(target.url, { service: 'pipelining = 8\nretries = 0\neject_after = 2' }));
    const clients = await pipelined(context, 4);
    target.respond = echo;
    target.sockets[0]!.write(reply);
    assert.is((await clients[0]!.reply()).status, 502);
    assert.equal(await bodies(clients.slice(1)), ['/1', '/2', '/3']);
    assert.is(target.arrived.length, 7);
    assert.not.ok(
      plane.logs.some(({ message }) => /target ejected/.test(message)),
      'counts as one failure, not four',
    );
    destroy(clients);
  });
}

test('an invalid reply within a pipeline does not affect earlier replies', async (context) => {
  const { target } = context;
  const clients = await pipelined(context, 3);
  target.respond = echo;
  target.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naGARBAGE\r\n\r\n');
  assert.is((await clients[0]!.reply()).body.toString(), 'a');
  assert.is((await clients[1]!.reply()).status, 502);
  assert.is((await clients[2]!.reply()).body.toString(), '/2');
  destroy(clients);
});

test('an aborted reply body affects only its own client', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 3);
  target.respond = echo;
  target.sockets[0]!.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
  await clients[0]!.end();
  assert.ok(clients[0]!.pending.endsWith('12345'));
  assert.equal(await bodies(clients.slice(1)), ['/1', '/2']);
  assert.is((await plane.record(({ error }) => error !== null)).error, 'upstream/aborted');
  destroy(clients);
});

test('a pipelined connection that closes: its first request is retried only if the connection had served one', async (context) => {
  const { target } = context;
  let clients = await pipelined(context, 3);
  target.respond = echo;
  target.sockets[0]!.destroy();
  assert.is((await clients[0]!.reply()).status, 502);
  assert.equal(await bodies(clients.slice(1)), ['/1', '/2']);
  destroy(clients);
  clients = await pipelined(context, 3);
  assert.is(target.arrived.at(-1)!.connection, 1);
  target.respond = echo;
  target.sockets[1]!.destroy();
  assert.equal(await bodies(clients), ['/0', '/1', '/2']);
  destroy(clients);
});

test('a target that closes every connection after a few replies: all requests are answered', async (context) => {
  const { target, plane } = context;
  const served = new Map<number, number>();
  target.respond = (request, socket) => {
    const count = (served.get(request.connection) ?? 0) + 1;
    served.set(request.connection, count);
    if (count <= 3) ok(request.url)(request, socket);
    if (count === 3) socket.end();
  };
  const clients = Array.from({ length: 8 }, () => plane.client());
  for (let round = 0; round < 10; round++) {
    for (const [i, client] of clients.entries()) client.send(get(`/${round}-${i}`));
    assert.equal(
      await bodies(clients),
      clients.map((_, i) => `/${round}-${i}`),
    );
  }
  // A request is moved at most twice, then gets its own connection, where it is retried once.
  assert.ok(attempts(context) <= 80 * 4, String(attempts(context)));
  destroy(clients);
});

test('surplus bytes without a waiting request close the connection', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 2);
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
  target.sockets[0]!.write(`${'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'.repeat(2)}${evil}`);
  assert.equal(await bodies(clients), ['ok', 'ok']);
  await until(() => target.open === 0, 'the connection to be closed');
  target.respond = echo;
  assert.is((await plane.ask(get('/next'))).body.toString(), '/next');
  target.sockets[1]!.write(evil);
  await until(() => target.open === 0, 'the connection to be closed');
  assert.is((await plane.ask(get('/next'))).body.toString(), '/next');
  destroy(clients);
});

test('bytes that arrive before a request is written are not its reply', async ({ target, plane }) => {
  await plane.ask(get('/warm'));
  const client = plane.client();
  await new Promise((resolve) => client.socket.once('connect', resolve));
  // Both are readable in one turn of gw's event loop, the request possibly first.
  for (let round = 0; round < 20; round++) {
    client.send(get('/mine'));
    target.sockets.at(-1)!.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    assert.is((await client.reply()).body.toString(), '/mine', `round ${round}`);
  }
  client.destroy();
});

test('no request is queued behind an overdue reply, and queued ones move on after its timeout', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: `${SERVICE}\nresponse_timeout = "600ms"` }));
  const clients = await pipelined(context, 3);
  target.respond = (request, socket) => {
    if (request.connection > 0) echo(request, socket);
  };
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.is((await plane.ask(get('/other'))).body.toString(), '/other');
  assert.is(target.arrived.at(-1)!.connection, 1);
  assert.is((await clients[0]!.reply()).status, 504);
  assert.equal(await bodies(clients.slice(1)), ['/1', '/2']);
  await until(() => target.sockets[0]!.destroyed, 'the connection to be closed');
  destroy(clients);
});

test('response_timeout of a pipelined request starts when it becomes the first', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: `${SERVICE}\nresponse_timeout = "700ms"` }));
  const clients = await pipelined(context, 2);
  for (const request of target.arrived) {
    await new Promise((resolve) => setTimeout(resolve, 450));
    echo(request, request.socket);
  }
  assert.is((await clients[0]!.reply()).body.toString(), '/0');
  assert.is((await clients[1]!.reply()).status, 200);
  destroy(clients);
});

test('a slow body delays later requests by at most response_timeout', async (context) => {
  const { target, plane } = context;
  await plane.load(specOf(target.url, { service: `${SERVICE}\nresponse_timeout = "500ms"` }));
  const clients = await pipelined(context, 2);
  target.respond = echo;
  target.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n');
  const timer = setInterval(() => target.sockets[0]!.write('x'), 60);
  assert.is((await clients[1]!.reply()).body.toString(), '/1');
  assert.is(target.connections, 2);
  assert.is((await clients[0]!.reply()).body.toString(), 'x'.repeat(20));
  clearInterval(timer);
  await until(() => target.sockets[0]!.destroyed, 'the connection to be closed');
  destroy(clients);
});

test('an endless body delays later requests by one second', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 3);
  target.respond = echo;
  target.sockets[0]!.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  const timer = setInterval(() => target.sockets[0]!.write('1\r\nx\r\n'), 50);
  const began = Date.now();
  assert.equal(await bodies(clients.slice(1)), ['/1', '/2']);
  assert.ok(Date.now() - began < 3000);
  assert.is((await plane.ask(get('/other'))).body.toString(), '/other');
  clearInterval(timer);
  target.sockets[0]!.write('0\r\n\r\n');
  assert.match((await clients[0]!.reply()).body.toString(), /^x+$/);
  await until(() => target.sockets[0]!.destroyed, 'the connection to be closed');
  destroy(clients);
});

test('a client that does not read delays later requests by one second and keeps its reply', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 3);
  const slow = clients[0]!;
  slow.socket.pause();
  const big = Buffer.alloc(16 * 1024 * 1024, 0x61);
  target.respond = echo;
  target.sockets[0]!.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
  target.sockets[0]!.write(big);
  const began = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.is((await plane.ask(get('/other'))).body.toString(), '/other');
  assert.equal(await bodies(clients.slice(1)), ['/1', '/2']);
  assert.ok(Date.now() - began < 3000);
  slow.socket.resume();
  assert.is((await slow.reply()).body.length, big.length);
  await until(() => target.sockets[0]!.destroyed, 'the connection to be closed');
  destroy(clients);
});

test('the reply to an aborted exchange within a pipeline is discarded', async (context) => {
  const { target, plane } = context;
  const head = 'HEAD /1 HTTP/1.1\r\nHost: a.example\r\n\r\n';
  const clients = await pipelined(context, 4, [get('/0'), head, get('/2'), get('/3')]);
  destroy(clients.slice(1, 3));
  await until(() => plane.records.filter(({ error }) => error === 'downstream/aborted').length === 2);
  target.respond = echo;
  for (const [i, request] of [...target.arrived].entries()) {
    if (i === 1) say('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n')(request, request.socket);
    else echo(request, request.socket);
  }
  assert.equal(await bodies([clients[0]!, clients[3]!]), ['/0', '/3']);
  assert.is(target.open, 1);
  assert.is((await plane.ask(get('/next'))).body.toString(), '/next');
  assert.is(target.connections, 1);
  destroy(clients);
});

test('a long reply to an aborted exchange is not read to its end', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 3);
  target.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nabc');
  await until(() => clients[0]!.pending.endsWith('abc'), 'the begin of the reply');
  destroy(clients.slice(0, 1));
  await plane.record(({ error }) => error === 'downstream/aborted');
  target.respond = echo;
  target.sockets[0]!.write(Buffer.alloc(1_000_000));
  assert.equal(await bodies(clients.slice(1)), ['/1', '/2']);
  await until(() => target.sockets[0]!.destroyed, 'the connection to be closed');
  destroy(clients);
});

test('a client that does not read and disconnects does not block later requests', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 2);
  clients[0]!.socket.pause();
  target.respond = echo;
  const big = Buffer.alloc(16 * 1024 * 1024, 0x61);
  target.sockets[0]!.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
  target.sockets[0]!.write(big);
  await new Promise((resolve) => setTimeout(resolve, 100));
  clients[0]!.socket.resetAndDestroy();
  await plane.record(({ error }) => error === 'downstream/aborted');
  assert.equal(await bodies(clients.slice(1)), ['/1']);
  destroy(clients);
});

test('a connection whose exchanges are all aborted is closed', async (context) => {
  const { target, plane } = context;
  const clients = await pipelined(context, 3);
  destroy(clients);
  await until(() => target.open === 0, 'the target connection to be closed');
  target.respond = echo;
  assert.is((await plane.ask(get('/next'))).body.toString(), '/next');
});

test('a failed connection attempt counts as one failure, regardless of the waiting requests', async ({ plane }) => {
  const clients = await accepted(plane, 6);
  const url = `http://127.0.0.1:${await refusingPort()}`;
  await plane.load(specOf(url, { service: 'pipelining = 8\nretries = 0\neject_after = 3' }));
  for (const client of clients) client.send(get('/x'));
  for (const client of clients) assert.is((await client.reply()).status, 502);
  assert.not.ok(plane.logs.some(({ message }) => /target ejected/.test(message)));
  for (let i = 0; i < 2; i++) assert.is((await plane.ask(get('/x'))).status, 502);
  assert.ok(plane.logs.some(({ message }) => /target ejected/.test(message)));
  destroy(clients);
});

test('the request of a client that disconnects during connect is not sent', async ({ plane }) => {
  const full = await FullBacklog.start();
  await plane.load(specOf(full.url, { service: `${SERVICE}\nconnect_timeout = "400ms"` }));
  const clients = [0, 1, 2].map(() => plane.client());
  for (const [i, client] of clients.entries()) client.send(get(`/${i}`));
  await until(() => plane.registry.sums(plane.registry.slot('target', `it|${full.url}`) ?? -1).inFlight === 3);
  destroy([clients[1]!]);
  await until(() => plane.records.filter(({ error }) => error === 'downstream/aborted').length === 1);
  destroy([clients[0]!]);
  await until(() => plane.records.filter(({ error }) => error === 'downstream/aborted').length === 2);
  assert.is((await clients[2]!.reply()).status, 504);
  clients[2]!.destroy();
  await full.close();
});

test('places of clients that disconnect during connect go to queued requests', async ({ plane }) => {
  const full = await FullBacklog.start();
  const service = 'retries = 0\npipelining = 2\nmax_connections = 1\nconnect_timeout = "1s"';
  await plane.load(specOf(full.url, { service }));
  const began = performance.now();
  const clients = [0, 1, 2].map(() => plane.client());
  for (const [i, client] of clients.entries()) {
    client.send(get(`/${i}`));
    await until(() => plane.registry.sums(plane.registry.slot('target', `it|${full.url}`) ?? -1).inFlight === i + 1);
  }
  destroy(clients.slice(0, 2));
  assert.is((await clients[2]!.reply()).header('content-type'), 'application/problem+json');
  await plane.record(({ error }) => error === 'upstream/connect-timeout');
  assert.ok(performance.now() - began < 1900, 'it used the connection attempt of the earlier requests');
  clients[2]!.destroy();
  await full.close();
});

test('an idle connection is closed after idle_timeout, and on a reload that removes its target', async ({
  target,
  plane,
}) => {
  await plane.load(specOf(target.url, { service: `${SERVICE}\nidle_timeout = "100ms"` }));
  await plane.ask(get('/x'));
  assert.is(target.open, 1);
  await until(() => target.open === 0, 'the connection to be closed');
  await plane.load(specOf(target.url, { service: SERVICE }));
  await plane.ask(get('/x'));
  const client = plane.client();
  target.respond = () => {};
  client.send(get('/busy'));
  await until(() => target.arrived.at(-1)!.url === '/busy');
  await plane.load(specOf('http://127.0.0.1:9', { service: SERVICE }));
  assert.is(target.open, 1);
  echo(target.arrived.at(-1)!, target.sockets.at(-1)!);
  assert.is((await client.reply()).body.toString(), '/busy');
  await until(() => target.open === 0, 'the connection to be closed');
  client.destroy();
});

test('an invalid rewritten path is refused without affecting the pipeline', async ({ target, plane }) => {
  const more = '[[route]]\nmatch = "GET /old/{rest...}"\nto = "it"\nrewrite = "/{consumer.name}/{rest}"';
  await plane.load(specOf(target.url, { service: SERVICE, more }));
  assert.is((await plane.ask(get('/old/x'))).status, 500);
  assert.is((await plane.ask(get('/x'))).body.toString(), '/x');
  assert.is(target.arrived.length, 1);
});

test.run();
