/** Replies that a client does not read: how much is buffered, so that the target connection becomes free. */
import { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ReplyWriter } from '../../../../src/proxy/downstream/http1/reply-writer.js';
import { BodyBudget } from '../../../../src/proxy/load/body-buffer.js';
import { WriteBatcher } from '../../../../src/proxy/load/write-batcher.js';
import { turn } from '../../../support/until.js';

const KIB = 1024;
const MIB = 1024 ** 2;
const test = suite('reply writer');

/** A socket whose other end reads on demand. */
class Unread extends Socket {
  readonly #parts: Buffer[] = [];
  #waiting: (() => void)[] = [];

  constructor() {
    super({ writableHighWaterMark: 64 * KIB } as ConstructorParameters<typeof Socket>[0]);
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: () => void): void {
    this.#parts.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
    this.#waiting.push(done);
  }

  override _writev(chunks: { chunk: Buffer | string; encoding: BufferEncoding }[], done: () => void): void {
    for (const { chunk, encoding } of chunks)
      this.#parts.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
    this.#waiting.push(done);
  }

  async readOn(): Promise<void> {
    await turn();
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const done of waiting) done();
      await turn();
    }
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('latin1');
  }
}

function made(budget = new BodyBudget(256 * MIB)): { socket: Unread; writer: ReplyWriter; budget: BodyBudget } {
  const socket = new Unread();
  return { socket, budget, writer: new ReplyWriter(socket, new WriteBatcher(), budget) };
}

const piece = Buffer.alloc(32 * KIB, 'x');

/** Writes pieces while the writer accepts more. Returns the number of pieces. */
function fill(writer: ReplyWriter, most: number): number {
  for (let given = 1; given <= most; given++) {
    if (!writer.body(piece, 0, piece.length, given === most)) return given;
  }
  return most;
}

test('a reply that fits the buffer is accepted completely and sent as the client reads', async () => {
  const { socket, writer, budget } = made();
  writer.begin('head\r\n\r\n', 'length', 20 * piece.length);
  assert.is(fill(writer, 20), 20);
  assert.ok(budget.used > 15 * piece.length);
  assert.is(writer.unsent, 20 * piece.length + 8);
  await socket.readOn();
  assert.ok(socket.text === `head\r\n\r\n${'x'.repeat(20 * piece.length)}`);
  assert.equal([budget.used, writer.unsent], [0, 0]);
});

test('a reply of unknown length is buffered up to the limit and continues when the client reads', async () => {
  const { socket, writer, budget } = made();
  writer.begin('', 'chunked', -1);
  const given = fill(writer, 1000);
  assert.ok(given > 30 && given < 40, String(given));
  socket.on('drain', () => writer.onDrain());
  await socket.readOn();
  assert.is(budget.used, 0);
  writer.body(piece, 0, 3, true);
  await socket.readOn();
  assert.ok(socket.text === `${`8000\r\n${'x'.repeat(piece.length)}\r\n`.repeat(given)}3\r\nxxx\r\n0\r\n\r\n`);
});

test('a reply over the buffer limit pauses the target', () => {
  const { writer, budget } = made();
  writer.begin('', 'length', 10 * MIB);
  assert.is(fill(writer, 100), 2);
  assert.is(budget.used, 0);
});

test('without memory for bodies the target is paused', () => {
  const { writer } = made(new BodyBudget(0));
  writer.begin('', 'length', 4 * piece.length);
  assert.is(fill(writer, 4), 2);
});

test('a thousand small parts are buffered in few blocks', () => {
  const { socket, writer, budget } = made();
  writer.begin('', 'chunked', -1);
  fill(writer, 2);
  const before = socket.writableLength;
  for (let at = 0; at < 1000; at++) writer.body(piece, 0, 1, false);
  assert.is(socket.writableLength, before);
  assert.ok(budget.used <= 16 * KIB, String(budget.used));
});

test('chunk framing does not count as unread bytes of the client', async () => {
  const { socket, writer } = made();
  writer.reset();
  writer.begin('head\r\n\r\n', 'chunked', -1);
  for (let at = 0; at < 3; at++) writer.body(piece, 0, piece.length, false);
  for (let at = 0; at < 1000; at++) writer.body(piece, 0, 1, false);
  assert.is(writer.taken, 0, 'nothing is taken, and no less');
  socket.on('drain', () => writer.onDrain());
  await socket.readOn();
  assert.is(writer.taken, socket.text.length);
  assert.is(writer.bytes, 8 + 3 * piece.length + 1000, 'the log counts heads and payload');
  writer.body(piece, 0, 0, true);
  await socket.readOn();
  assert.is(writer.taken, socket.text.length);
  writer.reset();
  assert.is(writer.beganAt, socket.text.length);
});

test('an aborted reply and a client disconnect free the memory', async () => {
  const { socket, writer, budget } = made();
  writer.begin('', 'chunked', -1);
  fill(writer, 1000);
  writer.drop();
  assert.is(budget.used, 0);
  fill(writer, 10);
  writer.body(piece, 0, 1, true);
  assert.ok(budget.used > 0);
  socket.destroy();
  await socket.readOn();
  await turn();
  assert.is(budget.used, 0);
});

test.run();
