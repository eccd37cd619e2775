/** Which protocols a listener speaks, and the connection for each. */
import type { ListenerEntry } from '../../bundle/types.js';
import type { AcceptedConnection, ClientConnection, Protocol } from './connection/client-connection.js';
import type { ConnectionHost, ConnectionOwner } from './connection/host.js';
import { Http1Connection } from './http1/connection.js';

/** What a listener offers by ALPN, in order of preference. */
export const protocolsOf = (_entry: ListenerEntry): readonly Protocol[] => ['http/1.1'];

/** Begins to serve a connection, with the protocol that its client has chosen. */
export const openConnection = (
  host: ConnectionHost,
  owner: ConnectionOwner,
  accepted: AcceptedConnection,
): ClientConnection => new Http1Connection(host, owner, accepted);
