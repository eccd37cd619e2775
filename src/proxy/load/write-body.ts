/**
 * Writes body bytes to a socket. They are in a buffer that the next read overwrites, so the socket must get a copy. The
 * memory of a copy is reused once it is written: a large body leaves no garbage of its size.
 */
import type { Socket } from 'node:net';
import { BLOCK, blocks } from './blocks.js';

/** Up to this many bytes, a body is written as text together with its framing: one string, one write. */
export const INLINE_BODY = 8 * 1024;

/**
 * Writes the payload buffer[start, end), valid until this returns, between `before` and `after`, in one system call. Returns
 * false if the socket's buffer is full: wait for its `drain`.
 */
export function writeBody(
  socket: Socket,
  before: string,
  buffer: Buffer,
  start: number,
  end: number,
  after: string,
): boolean {
  if (end - start <= INLINE_BODY) {
    const text = before + buffer.toString('latin1', start, end) + after;
    return text === '' ? !socket.writableNeedDrain : socket.write(text, 'latin1');
  }
  if (before === '' && after === '') return writeCopy(socket, buffer, start, end);
  socket.cork();
  if (before !== '') socket.write(before, 'latin1');
  writeCopy(socket, buffer, start, end);
  if (after !== '') socket.write(after, 'latin1');
  socket.uncork();
  return !socket.writableNeedDrain;
}

function writeCopy(socket: Socket, buffer: Buffer, start: number, end: number): boolean {
  if (end - start > BLOCK) return socket.write(Buffer.from(buffer.subarray(start, end)));
  const block = blocks.take(end - start);
  const length = buffer.copy(block, 0, start, end);
  // Node calls this once the system no longer needs the bytes, also for a destroyed socket.
  return socket.write(block.subarray(0, length), () => blocks.give(block));
}
