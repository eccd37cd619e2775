/** Options of the sessions of a listener. */
import type { ServerSessionOptions } from 'node:http2';
import type { ListenerEntry } from '../../../bundle/types.js';

/** Streams of a connection at a time, unless the listener says it. RFC 9113 section 6.5.2 recommends at least 100. */
const MOST_STREAMS = 128;
/** Fields beyond `max_headers` that nghttp2 still reports, so that the client gets the same reply as over HTTP/1.1. */
const FIELD_SLACK = 32;
/** The same in bytes, beyond `max_header`. SETTINGS_MAX_HEADER_LIST_SIZE counts 32 for each field. */
const BYTE_SLACK = 16 * 1024;
const PER_FIELD = 32;
/** Megabytes of a session, a last bound: those of gw are lower. */
const SESSION_MEMORY = 64;
/** Streams that a client resets: gw has a bound of its own, which allows more to clients whose requests are answered. */
const RESETS = 10_000;

interface ResetLimits {
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
}

/** Streams of a connection at a time. */
export const mostStreams = (entry: ListenerEntry): number => entry.maxStreams ?? MOST_STREAMS;

/** For the sessions of a listener with these limits. */
export function sessionOptions(entry: ListenerEntry): ServerSessionOptions & ResetLimits {
  return {
    maxHeaderListPairs: entry.maxHeaders + FIELD_SLACK,
    maxSessionMemory: SESSION_MEMORY,
    streamResetBurst: RESETS,
    streamResetRate: RESETS,
    settings: {
      enablePush: false,
      // RFC 8441: WebSockets in streams.
      enableConnectProtocol: true,
      maxConcurrentStreams: mostStreams(entry),
      maxHeaderListSize: entry.maxHeaderBytes + BYTE_SLACK + entry.maxHeaders * PER_FIELD,
    },
  };
}
