/** The socket of a client's connection. */
import type { Socket } from 'node:net';
import { readIntoShared } from '../../load/shared-read.js';
import { WRITE_BUFFER } from './connection-state.js';

/** Who hears of what happens on it. */
export interface SocketEvents {
  /** `lent`: the bytes are valid until this returns. */
  onBytes(buffer: Buffer, count: number, lent: boolean): void;
  onEnd(): void;
  onDrain(): void;
  /** onClose() follows. */
  onError(error: Error): void;
  onClose(): void;
}

/** Reads from now on. Returns the socket to use, which may be another one for the same connection. */
export function openSocket(accepted: Socket, plain: boolean, events: SocketEvents): Socket {
  const receive = (buffer: Buffer, count: number, lent: boolean): void => events.onBytes(buffer, count, lent);
  const socket = plain ? readIntoShared(accepted, WRITE_BUFFER, receive) : accepted;
  if (!plain) socket.on('data', (chunk: Buffer) => receive(chunk, chunk.length, false));
  socket.on('end', () => events.onEnd());
  socket.on('drain', () => events.onDrain());
  socket.on('error', (error) => events.onError(error));
  socket.on('close', () => events.onClose());
  return socket;
}
