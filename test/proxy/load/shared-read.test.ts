/** Accepted sockets that read into the thread's buffer: undocumented behavior of node:net that gw relies on. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Reader, readIntoShared } from '../../../src/proxy/load/shared-read.js';
import { onlyWhere } from '../../support/only-where.js';
import { until } from '../../support/until.js';

interface Context {
  server: Server;
  client: Socket;
  accepted: Socket;
}
const test = suite<Context>('accepted');
const inOneBuffer = onlyWhere(process.platform !== 'win32', 'Windows is given buffers ahead of time', test);
const WRITE_BUFFER = 16 * 1024;

test.before.each(async (context) => {
  context.server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
  await once(context.server, 'listening');
  const { port } = context.server.address() as AddressInfo;
  const connection: Promise<Socket[]> = once(context.server, 'connection');
  context.client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  context.accepted = (await connection)[0]!;
});
test.after.each(({ server, client }) => {
  client.destroy();
  server.close();
});

/** Records a copy of all reads. */
function recorder(): { readonly text: () => string; readonly lent: boolean[]; readonly read: Reader } {
  let all = '';
  const lent: boolean[] = [];
  const read: Reader = (buffer, count, isLent) => {
    all += buffer.toString('latin1', 0, count);
    lent.push(isLent);
  };
  return { text: () => all, lent, read };
}

test('this version of Node permits accepted connections to read into one buffer', async ({ accepted, client }) => {
  const { text, lent, read } = recorder();
  const socket = readIntoShared(accepted, WRITE_BUFFER, read);
  assert.is(socket === accepted, process.platform === 'win32', 'the handle was taken');
  assert.is(socket.remotePort, client.localPort);
  assert.is(socket.writableHighWaterMark, WRITE_BUFFER);
  client.write('one');
  await until(() => text() === 'one');
  client.write('two');
  await until(() => text() === 'onetwo');
  assert.equal(lent, [process.platform !== 'win32', process.platform !== 'win32']);
  const [reply] = await Promise.all([once(client, 'data'), socket.write('reply')]);
  assert.is(String(reply[0]), 'reply');
  socket.destroy();
});

inOneBuffer('all connections read into the same buffer, one after the other', async ({ server, accepted, client }) => {
  const buffers: Buffer[] = [];
  const read: Reader = (buffer) => void buffers.push(buffer);
  const sockets = [readIntoShared(accepted, WRITE_BUFFER, read)];
  const connection: Promise<Socket[]> = once(server, 'connection');
  const other = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  sockets.push(readIntoShared((await connection)[0]!, WRITE_BUFFER, read));
  client.write('a');
  other.write('b');
  await until(() => buffers.length === 2);
  assert.is(buffers[0], buffers[1]);
  for (const socket of sockets) socket.destroy();
  other.destroy();
});

test('a pause stops reading, and pending bytes are read after resume', async ({ accepted, client }) => {
  const { text, read } = recorder();
  const socket = readIntoShared(accepted, WRITE_BUFFER, read);
  socket.pause();
  client.write('while it was paused');
  await delay(50);
  assert.is(text(), '');
  socket.resume();
  await until(() => text() === 'while it was paused');
  socket.destroy();
});

test('the client’s FIN ends only one direction', async ({ accepted, client }) => {
  const { text, read } = recorder();
  const socket = readIntoShared(accepted, WRITE_BUFFER, read);
  const ended = once(socket, 'end');
  client.end('last');
  await ended;
  assert.is(text(), 'last');
  assert.ok(socket.writable);
  const replied = once(client, 'data');
  socket.end('after');
  assert.is(String((await replied)[0]), 'after');
});

test('the server closes at once, because sockets without a handle do not count', async ({ server, accepted }) => {
  const socket = readIntoShared(accepted, WRITE_BUFFER, () => {});
  await delay(5);
  const closed = once(server, 'close');
  server.close();
  if (socket === accepted) socket.destroy();
  await closed;
  socket.destroy();
});

test('a socket without such a handle reports reads by data events', async ({ accepted }) => {
  const plain = new Socket();
  const { text, lent, read } = recorder();
  assert.is(readIntoShared(plain, WRITE_BUFFER, read), plain);
  plain.push('pushed');
  await until(() => text() === 'pushed');
  assert.equal(lent, [false]);
  plain.destroy();
  accepted.destroy();
});

test('a socket with earlier reads stays unchanged', async ({ accepted, client }) => {
  client.write('early');
  await once(accepted, 'readable');
  const { text, read } = recorder();
  assert.is(readIntoShared(accepted, WRITE_BUFFER, read), accepted);
  accepted.removeAllListeners('readable');
  accepted.resume();
  await until(() => text() === 'early');
  accepted.destroy();
});

test.run();
