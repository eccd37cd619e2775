/** aggregate over sockets with services that answer with anything: the reply is whole, or names the call. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { until } from '../support/until.js';
import { Bed, json } from './aggregate-kit.js';

let bed: Bed | undefined;
let server: Server | undefined;
const sockets = new Set<Socket>();

/** Answers each request by writing to its socket. */
async function hostile(answer: (socket: Socket) => void): Promise<string> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(): Promise<void> {
  await bed?.close();
  bed = undefined;
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
}

test.after.each(close);

const OTHER = '[route.aggregate.call.other]\nservice = "a"\npath = "/other"\n';
const CALL = '[route.aggregate.call.bad]\nservice = "bad"\npath = "/bad"\nmax_reply = "64KiB"\ntimeout = "500ms"\n';

async function ask(
  answer: (socket: Socket) => void,
  options: Parameters<typeof Bed.start>[3] = {},
): Promise<Awaited<ReturnType<Bed['get']>>> {
  const url = await hostile(answer);
  bed = await Bed.start({ a: json(1) }, OTHER + CALL, { more: `[service.bad]\ntargets = ["${url}"]\n` }, options);
  const reply = await bed.get();
  await close();
  return reply;
}

const whole =
  (body: string | Buffer, fields = '') =>
  (socket: Socket): void => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n`);
    socket.write(body);
  };
const text =
  (head: string) =>
  (socket: Socket): void =>
    void socket.write(head);

const ENDLESS = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Writes for as long as somebody reads. */
function endless(socket: Socket): void {
  socket.write(ENDLESS);
  const more = (): void => {
    while (!socket.destroyed && socket.write(`1000\r\n${' '.repeat(0x1000)}\r\n`));
    if (!socket.destroyed) socket.once('drain', more);
  };
  more();
}

const FAILING: { readonly [what: string]: readonly [(socket: Socket) => void, number] } = {
  'an endless body': [endless, 502],
  'a body that stops': [text('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1'), 504],
  'a body that ends too early': [(socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1'), 502],
  'a reset in the body': [
    (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[1', () => socket.resetAndDestroy()),
    502,
  ],
  'a declared length beyond the bound': [text('HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n'), 502],
  'a body that grows when it is decoded': [
    whole(gzipSync(Buffer.alloc(20_000_000, ' ')), 'Content-Encoding: gzip\r\n'),
    502,
  ],
  'a coding that is not there': [whole('[1]', 'Content-Encoding: gzip\r\n'), 502],
  'deep JSON': [whole('['.repeat(60_000)), 502],
  'two values': [whole('1 2'), 502],
  'bytes that are no UTF-8': [whole(Buffer.from([0x22, 0xff, 0xfe, 0x22])), 502],
  'a redirect': [text('HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'), 502],
  'a reply that is not modified': [text('HTTP/1.1 304 Not Modified\r\n\r\n'), 502],
  'no HTTP': [text('hello\r\n\r\n'), 502],
  'two lengths': [text('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12'), 502],
  'another protocol': [text('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'), 502],
};

for (const [what, [answer, expected]] of Object.entries(FAILING))
  test(`${what} is a failure that names the call`, async () => {
    const reply = await ask(answer);
    assert.equal([reply.status, (reply.body as { call: string }).call], [expected, 'bad']);
  });

test('interim replies are passed over, and a reply without a body is null', async () => {
  const early = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n';
  const some = await ask(text(`${early}${early}HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]`));
  assert.equal(some.body, { other: 1, bad: [1] });
  assert.equal((await ask(text('HTTP/1.1 204 No Content\r\n\r\n'))).body, { other: 1, bad: null });
  assert.equal((await ask(whole(''))).body, { other: 1, bad: null });
});

test('a reply of HTTP/1.0 ends with its connection', async () => {
  const old = await ask((socket) => void socket.end('HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[1, 2]'));
  assert.equal(old.body, { other: 1, bad: [1, 2] });
});

test('the memory of a body with two codings is that of both results', async () => {
  const twice = gzipSync(gzipSync('[1]'));
  const answer = whole(twice, 'Content-Encoding: gzip, gzip\r\n');
  assert.equal((await ask(answer)).body, { other: 1, bad: [1] });
  const little = await ask(answer, { bodyMemory: 100_000 });
  assert.equal([little.status, (little.body as { call: string }).call], [503, 'bad']);
});

test('a byte order mark of a part does not break the JSON of the reply', async () => {
  const reply = await ask(whole('\ufeff{"v":1}'));
  assert.ok(reply.body !== undefined, reply.text);
  assert.not.match(reply.text, /\ufeff/);
});

test('the memory is bounded and free again after many aggregates, also of clients that have left', async () => {
  const names = ['one', 'two', 'three', 'four', 'five'];
  const calls = names.map((name) => `[route.aggregate.call.${name}]\nservice = "a"\npath = "/${name}"\n`).join('');
  bed = await Bed.start({ a: json('x'.repeat(100_000)) }, calls, {}, { bodyMemory: 3_000_000 });
  const of = bed;
  const replies = await Promise.all(Array.from({ length: 100 }, () => of.get()));
  assert.equal(
    [...new Set(replies.map(({ status }) => status))].filter((code) => code !== 200 && code !== 503),
    [],
  );
  assert.ok(replies.some(({ status }) => status === 200));
  const clients = Array.from({ length: 50 }, () => connect(of.plane.port, '127.0.0.1'));
  const service = of.services['a']!;
  const before = service.got.length;
  for (const client of clients) {
    client.on('error', () => {});
    client.write('GET /page/7 HTTP/1.1\r\nHost: a.example\r\n\r\n');
  }
  await until(() => service.got.length > before + 20, 'calls');
  for (const client of clients) client.resetAndDestroy();
  await until(() => service.open === 0, 'all calls have ended');
  await until(() => of.plane.connections === 0 || of.plane.records.length >= 150, 'all requests have ended');
  // Needs a third of the memory.
  for (let count = 0; count < 4; count++) assert.is((await of.get()).status, 200);
});

test.run();
