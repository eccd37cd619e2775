/** Which protocols a listener speaks, and the connection for each. */
import type { ListenerEntry } from '../../bundle/types.js';
import type { AcceptedConnection, ClientConnection, ClientSocket, Protocol } from './connection/client-connection.js';
import type { ConnectionHost, ConnectionOwner } from './connection/host.js';
import { Http1Connection } from './http1/connection.js';
import { openSocket } from './http1/socket.js';
import { Http2Connection } from './http2/connection.js';
import { leaksMemory } from './http2/node-releases.js';

const ALL: readonly Protocol[] = ['h2', 'http/1.1'];

/**
 * What a listener speaks, in order of preference: what its entry says, without HTTP/2 where this release of Node leaks memory with
 * it. Throws if nothing is left.
 */
export function protocolsOf({ protocols = ALL, forceHttp2, name }: ListenerEntry, node: string): readonly Protocol[] {
  if (forceHttp2 === true || !leaksMemory(node)) return protocols;
  const rest = protocols.filter((protocol) => protocol !== 'h2');
  if (rest.length === 0)
    throw new Error(
      `listener ${name} speaks only HTTP/2, which is off: Node ${node} leaks memory with it (force_http2)`,
    );
  return rest;
}

/** Begins to serve a connection, with the protocol that its client has chosen. */
export function openConnection(
  host: ConnectionHost,
  owner: ConnectionOwner,
  accepted: AcceptedConnection,
): ClientConnection {
  const { protocols } = owner;
  const { tls, protocol, place } = accepted;
  if (protocol === 'h2' || !protocols.includes('http/1.1'))
    return new Http2Connection(host, owner, place, tls, (events) => openSocket(accepted, events));
  return new Http1Connection(host, owner, accepted);
}

/** Serves a client that has begun with HTTP/2 on a connection of HTTP/1.1. */
export const continueWithHttp2 = (
  host: ConnectionHost,
  owner: ConnectionOwner,
  place: number,
  client: ClientSocket,
): ClientConnection =>
  new Http2Connection(host, owner, place, undefined, (events) => {
    client.events = events;
    return client;
  });
