/**
 * Body bytes on their way through. They lie in a buffer that the next read overwrites, so what a socket may still hold
 * must be a copy. The copies' memory is used again as soon as it is written: a body of any size leaves no garbage of its
 * size behind.
 */
import type { Socket } from 'node:net';

/** Bodies up to this many bytes are sent as text with what frames them: one string, one write. */
export const INLINE_BODY = 8 * 1024;
/** As much as is ever read at once into the buffers that a thread shares. */
export const BLOCK = 64 * 1024;
/** Blocks of 16, 32 and 64 KiB: what waits for a slow reader takes at most twice its bytes. */
const kept: readonly Buffer[][] = [[], [], []];
/** Of each size, as many as a thread keeps for the next write: 2 MiB. What more is needed at times goes when it is written. */
const MOST_KEPT = [32, 16, 16];

/** A block of 16, 32 or 64 KiB, the smallest that holds `bytes` (at most 64 KiB). To be given back to giveBlock(). */
export function takeBlock(bytes: number): Buffer {
  const size = bytes > BLOCK / 2 ? 2 : bytes > BLOCK / 4 ? 1 : 0;
  return kept[size]!.pop() ?? Buffer.allocUnsafeSlow(BLOCK >> (2 - size));
}

/** Nothing holds the block any more: it is used again, or freed. Blocks of other sizes are freed. */
export function giveBlock(block: Buffer): void {
  const size = block.length === BLOCK ? 2 : block.length === BLOCK / 2 ? 1 : 0;
  const blocks = kept[size]!;
  if (block.length === BLOCK >> (2 - size) && blocks.length < MOST_KEPT[size]!) blocks.push(block);
}

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
  const block = takeBlock(end - start);
  const length = buffer.copy(block, 0, start, end);
  // Called for a socket that was destroyed as well, and not before the system has let go of the bytes.
  return socket.write(block.subarray(0, length), () => giveBlock(block));
}
