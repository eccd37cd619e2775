/**
 * Body bytes on their way through. They lie in a buffer that the next read overwrites, so what a socket may still hold
 * must be a copy. The copies' memory is used again as soon as it is written: a body of any size leaves no garbage of its
 * size behind.
 */
import type { Socket } from 'node:net';
import { BLOCK, blocks } from './blocks.js';

/** Bodies up to this many bytes are sent as text with what frames them: one string, one write. */
export const INLINE_BODY = 8 * 1024;

/**
 * Writes the payload buffer[start, end), valid until this returns, between the texts that frame it, in one go. False when
 * the socket holds more than it should: then wait for its `drain`.
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
  // Called for a socket that was destroyed as well, and not before the system has let go of the bytes.
  return socket.write(block.subarray(0, length), () => blocks.give(block));
}
