/** How bodies move between a client, the steps of a chain, and a target. Nothing here depends on the version of HTTP. */
import type { HeaderFields, ReplyBody } from '../../../policies/contract.js';
import type { WebSocketRecord } from '../../../telemetry/snapshot.js';

/** The source of a reply's body: a relay, a tunnel, or a stream of a policy or action. It is also the body of that reply. */
export interface ReplySource extends ReplyBody {
  /** Content-Length of the reply, even without a body (HEAD); -1 if absent. */
  readonly contentLength: number;
  /** The status of the target's reply has no body. */
  readonly bodiless: boolean;
  /** It sends the request's body to a target while it delivers the reply. */
  readonly readsRequest: boolean;
  /** Whether its reply is a stream, by its fields. */
  readonly isStream?: boolean;
  /** Its request goes on to its end if the client leaves now. */
  readonly lasts?: boolean;
  /** The value of a Set-Cookie that is added to the reply when it has passed the chain. */
  readonly setCookie?: string | undefined;
  /** Of a WebSocket, for the access log. */
  readonly webSocket?: WebSocketRecord | undefined;
  start(): void;
  /** The receiver takes the body from now on. */
  flow(): void;
  /** The receiver has room again after body() returned false. */
  resume(): void;
  /** The exchange ended for another reason: client disconnect, timeout, a different reply. Idempotent. */
  cancel(): void;
}

/** Receives a reply's body. */
export interface ReplyReceiver {
  /** Takes payload, valid until this returns. Returns false if the source must pause until resume(). */
  body(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /** Trailer fields, before the last body(). */
  trailers(fields: HeaderFields): void;
}

/** Receives a request's body. */
export interface BodySink {
  /** False: accepts no more for now. */
  readonly takesBody: boolean;
  /** No target connection is used yet: gw waits for the client's body. */
  readonly collecting: boolean;
  /** Trailer fields of the request that a target may get, before the last sendBody(). */
  trailers(fields: HeaderFields): void;
  /** Payload, valid until this returns. */
  sendBody(bytes: Buffer, last: boolean): void;
}

/** Where a request's body comes from: the client, a stage, or bytes that were collected. */
export interface BodySupply {
  /** Passes the body to the sink: available bytes at once, the rest as it arrives. Called again when the sink has room. */
  pull(sink: BodySink): void;
}

/** The client of an exchange, as its bodies see it. */
export interface ClientSide extends BodySupply, ReplyReceiver {
  /** Sends an informational reply (1xx) with its end-to-end fields; skipped if the client cannot read it. */
  interim(status: number, fields: HeaderFields): void;
}

export const EMPTY = Buffer.alloc(0);
