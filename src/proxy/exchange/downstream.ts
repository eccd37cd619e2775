/**
 * The interface between an exchange and its client connection or stream. A downstream only sends; the driver
 * (driver.ts) decides which reply is sent and when an exchange fails. Nothing here depends on the version of HTTP.
 */
import type { HeaderFields, Reply } from '../../policies/contract.js';
import type { BodySink, ClientSide } from './body/types.js';
import type { TunnelClient, TunnelEnd } from './tunnel/open-tunnel.js';

export type { BodySink, BodySupply, ReplyReceiver, ReplySource } from './body/types.js';
export type { TunnelEnd } from './tunnel/open-tunnel.js';

export interface Downstream extends ClientSide, TunnelClient {
  /**
   * Sends a reply: head and body if `body` is bytes or null. If `body` is the exchange's source, sends the head and
   * calls flow(); the rest follows through body(). At most once per exchange, unless takeBack() succeeded.
   */
  send(reply: Reply): void;
  /** The reply goes to a policy or an action: no cookie of gw is set. Absent: it goes to a client. */
  readonly inside?: boolean;
  /** Whether send() takes a body of LentBytes, which it writes without a copy. Absent: such a body is a stream. */
  readonly takesLent?: boolean;
  /** Sends payload of the reply's body, valid until this returns. Returns false if the client must read first. */
  body(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  /**
   * Trailer fields of the reply, before the last body(). A downstream that cannot send them drops them, which RFC 9110
   * section 6.5.1 allows.
   */
  trailers(fields: HeaderFields): void;
  /** Bytes that the client has received. */
  readonly taken: number;
  /** Withdraws a reply of which no byte was sent, so that another one can be sent. Returns false if it is too late. */
  takeBack(): boolean;
  /**
   * Aborts the exchange visibly for the client, without a complete reply. `status`: trailer fields that say so to a client of gRPC, in
   * place of a reset if the reply has trailers.
   */
  cut(status?: HeaderFields): void;
  /** Passes the request's body to the sink: received bytes at once, the rest as it arrives. */
  pull(sink: BodySink): void;
  /** The exchange has failed: do not wait for the rest of the request's body. */
  dropBody(): void;
  /** An unexpected exception outside of the downstream's calls: ends the exchange and the connection or stream. */
  broke(error: unknown): void;
  /** After the head of a 101: forwards bytes unchanged in both directions until one end closes. */
  tunnel(end: TunnelEnd): void;
}
