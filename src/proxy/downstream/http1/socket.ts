/** The socket of a client's connection. */
import type { Socket } from 'node:net';
import { readIntoShared } from '../../load/shared-read.js';
import type { ClientSocket, SocketEvents } from '../connection/client-connection.js';
import { WRITE_BUFFER } from './connection-state.js';

/** Reads from now on. */
export function openSocket(accepted: Socket, plain: boolean, events: SocketEvents): ClientSocket {
  const receive = (buffer: Buffer, count: number, lent: boolean): void => client.events.onBytes(buffer, count, lent);
  const socket = plain ? readIntoShared(accepted, WRITE_BUFFER, receive) : accepted;
  if (!plain) socket.on('data', (chunk: Buffer) => receive(chunk, chunk.length, false));
  const client: ClientSocket = { socket, events };
  socket.on('end', () => client.events.onEnd());
  socket.on('drain', () => client.events.onDrain());
  socket.on('error', (error) => client.events.onError(error));
  socket.on('close', () => client.events.onClose());
  return client;
}
