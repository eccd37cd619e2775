/** Between an exchange's way to the target and the connection (or stream) that it came by. */
import type { ReplyBody } from '../../policies/contract.js';
import type { ErrorSlug } from '../errors/errors.js';

/** What brings a reply from a target: a relay, or a tunnel. It is the body of the reply that it brings. */
export interface ReplySource extends ReplyBody {
  /** Content-Length of the target's reply, also where there is no body (HEAD); -1 for none. */
  readonly contentLength: number;
  start(): void;
  /** The client's connection has taken the head: the body may come. */
  flow(): void;
  /** The client read on after body() had said no. */
  resume(): void;
  /** The exchange is over for another reason: the client left, time is up, a policy answered. Idempotent. */
  cancel(): void;
}

/** Takes a request's body on its way to the target. */
export interface BodySink {
  /** False: no more for now. */
  readonly takesBody: boolean;
  /** The target is not asked yet: it is the client whose body is waited for. */
  readonly collecting: boolean;
  /** The request is on its way to a target: its body cannot go to another one. */
  readonly begun: boolean;
  /** Payload, valid until this returns. */
  sendBody(bytes: Buffer, last: boolean): void;
}

/** The other end of a connection that speaks HTTP no more. */
export interface TunnelEnd {
  /** False: no more until `tunnelWantsMore` is called. */
  fromClient(bytes: Buffer): boolean;
  clientEnded(): void;
}

export interface Downstream {
  /** An informational head with its empty line; left out where the client cannot read it. */
  interim(status: number, text: string): void;
  /** The sink takes the request's body now: what is here goes to it at once, the rest as it comes. */
  pull(sink: BodySink): void;
  /** Payload of the reply's body, valid until this returns; false when the client must first read. */
  body(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /** Bytes that the client has taken. */
  readonly taken: number;
  /** The exchange ends by the client's fault: the client gets an error, or a reply that has begun is cut. */
  giveUp(error: ErrorSlug, cause: string): void;
  /** The reply cannot be completed: the client must see that it was cut. `cause` is for the log. */
  cut(error: ErrorSlug, cause: string): void;
  /** After the head of a 101: bytes go both ways as they are until an end of the tunnel closes. */
  tunnel(end: TunnelEnd): void;
  /** Bytes of the tunnel; `written` is called when the client's socket has taken them. */
  tunnelWrite(bytes: Buffer, written: () => void): void;
  tunnelWantsMore(): void;
  tunnelEnded(): void;
}
