/** The socket of a client's connection. */
import { readIntoShared } from '../../load/shared-read.js';
import type { AcceptedConnection, ClientSocket, SocketEvents } from '../connection/client-connection.js';
import { WRITE_BUFFER } from './connection-state.js';

type Opened = Pick<AcceptedConnection, 'socket' | 'tls' | 'address'>;

/** Reads from now on. */
export function openSocket({ socket: given, tls, address }: Opened, events: SocketEvents): ClientSocket {
  const plain = tls === undefined;
  const receive = (buffer: Buffer, count: number, lent: boolean): void => client.events.onBytes(buffer, count, lent);
  const socket = plain ? readIntoShared(given, WRITE_BUFFER, receive) : given;
  if (!plain) socket.on('data', (chunk: Buffer) => receive(chunk, chunk.length, false));
  const client: ClientSocket = { socket, events, address };
  socket.on('end', () => client.events.onEnd());
  socket.on('drain', () => client.events.onDrain());
  socket.on('error', (error) => client.events.onError(error));
  socket.on('close', () => client.events.onClose());
  return client;
}
