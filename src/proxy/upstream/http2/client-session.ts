/** The session of node:http2 on a connection to a target, with its bounds. */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { MAX_RESPONSE_HEAD } from '../../http/response-head.js';

/** Bytes of one reply that a target may send ahead: what a client that does not read costs in memory. */
const STREAM_WINDOW = 64 * 1024;
/** The same for a connection: many times as much, so that slow clients do not stop the others. */
const CONNECTION_WINDOW = 4 * 1024 * 1024;
/** Fields of a head that node:http2 accepts; the exact bound is that of the reply head. */
const MOST_FIELDS = 300;
const MIB = 1024 * 1024;

/** Begins on `bytes`, which carries what the target sends and gets. `mostStreams`: requests at a time. */
export function openSession(bytes: Duplex, secure: boolean, mostStreams: number): ClientHttp2Session {
  const session = connect(`${secure ? 'https' : 'http'}://target`, {
    createConnection: () => bytes,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW, maxHeaderListSize: MAX_RESPONSE_HEAD },
    maxHeaderListPairs: MOST_FIELDS,
    maxReservedRemoteStreams: 0,
    maxSessionMemory: Math.ceil((mostStreams * 4 * STREAM_WINDOW) / MIB) + 10,
  });
  session.on('stream', (stream) => stream.destroy());
  session.setLocalWindowSize(CONNECTION_WINDOW);
  return session;
}
