/**
 * What an exchange needs of the connection, or stream, that it came by. A downstream only sends: which reply goes out, and
 * when an exchange fails, is decided by the driver (driver.ts). Nothing here depends on the version of HTTP.
 */
import type { HeaderFields, Reply, ReplyBody } from '../../policies/contract.js';

/** What brings a reply from a target: a relay, or a tunnel. It is the body of the reply that it brings. */
export interface ReplySource extends ReplyBody {
  /** Content-Length of the target's reply, also where there is no body (HEAD); -1 for none. */
  readonly contentLength: number;
  /** The target's status comes without a body. */
  readonly bodiless: boolean;
  start(): void;
  /** The downstream has taken the head: the body may come. */
  flow(): void;
  /** The client read on after body() had returned false. */
  resume(): void;
  /** The exchange is over for another reason: the client left, time is up, another reply goes out. Idempotent. */
  cancel(): void;
}

/** Takes a request's body on its way to the target. */
export interface BodySink {
  /** False: no more for now. */
  readonly takesBody: boolean;
  /** The target is not asked yet: gw waits for the client's body. */
  readonly collecting: boolean;
  /** Payload, valid until this returns. */
  sendBody(bytes: Buffer, last: boolean): void;
}

/** The other end of a connection that has switched protocols. */
export interface TunnelEnd {
  /** False: no more until `tunnelWantsMore` is called. */
  fromClient(bytes: Buffer): boolean;
  clientEnded(): void;
}

export interface Downstream {
  /** An informational reply (1xx) with its end-to-end fields; left out where the client cannot read it. */
  interim(status: number, fields: HeaderFields): void;
  /**
   * Sends a reply: head and body where `body` is bytes or null. Where it is the exchange's source, sends the head and calls
   * flow(); body() brings the rest. At most once an exchange, unless takeBack() succeeded.
   */
  send(reply: Reply): void;
  /** Payload of the reply's body, valid until this returns; false when the client must first read. */
  body(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /**
   * Trailer fields of the reply, before the last body(). A downstream that cannot send them drops them, which RFC 9110
   * section 6.5.1 allows.
   */
  trailers(fields: HeaderFields): void;
  /** Bytes that the client has taken. */
  readonly taken: number;
  /** Withdraws a reply of which no byte is out yet: another one may be sent. False when it is too late. */
  takeBack(): boolean;
  /** Ends the exchange without a complete reply: the client must see that it was cut. */
  cut(): void;
  /** The sink takes the request's body now: what is here goes to it at once, the rest as it comes. */
  pull(sink: BodySink): void;
  /** The exchange fails: the rest of the request's body is not waited for. */
  dropBody(): void;
  /** Something threw outside of the downstream's own calls: ends the exchange, and the connection or stream. */
  broke(error: unknown): void;
  /** After the head of a 101: bytes go both ways as they are until an end of the tunnel closes. */
  tunnel(end: TunnelEnd): void;
  /** Bytes of the tunnel; `written` is called when the client's socket has taken them. */
  tunnelWrite(bytes: Buffer, written: () => void): void;
  tunnelWantsMore(): void;
  tunnelEnded(): void;
}
