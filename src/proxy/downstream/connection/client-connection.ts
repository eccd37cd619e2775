/** A client's connection as its listener knows it, whatever protocol it speaks. */
import type { Socket } from 'node:net';
import type { GwExchange } from '../../exchange/exchange.js';
import type { PeerTls } from '../../exchange/peer.js';

/** What ended when connections were cut. */
export interface CutCount {
  /** Exchanges in progress, tunnels included. */
  cut: number;
  tunnels: number;
}

export interface ClientConnection {
  /** Its place in the connection table. */
  readonly place: number;
  /** No byte of a request has come since the last exchange. */
  readonly idle: boolean;
  /** When an idle connection times out, in monotonic milliseconds. */
  readonly idleUntil: number;
  /** The exchanges in progress, also tunnels. */
  exchanges(): Iterable<GwExchange>;
  /** Checks deadlines and pace; called a few times a second with the monotonic time. */
  sweep(now: number): void;
  /** The listener stops: an idle connection closes at `until` (monotonic), a busy one after its exchanges. */
  retire(until: number): void;
  /** Ends in an orderly way: what is written is sent. */
  close(): void;
  /** The drain deadline has passed: ends at once, and adds what that has cut. */
  cutNow(count: CutCount): void;
}

/** Who hears of what happens on it. */
export interface SocketEvents {
  /** `lent`: the bytes are valid until this returns. */
  onBytes(buffer: Buffer, count: number, lent: boolean): void;
  onEnd(): void;
  onDrain(): void;
  /** onClose() follows. */
  onError(error: Error): void;
  onClose(): void;
}

export interface ClientSocket {
  /** It may be another one than was accepted, for the same connection. */
  readonly socket: Socket;
  /** Of the client. */
  readonly address: string;
  /** Replaced if the connection continues with another protocol. */
  events: SocketEvents;
}

/** Protocols of connections, by their names in ALPN (RFC 7301). */
export type Protocol = 'http/1.1' | 'h2';

/** An admitted socket, after its handshake if the listener uses TLS. */
export interface AcceptedConnection {
  /** A TLSSocket if there is TLS. */
  readonly socket: Socket;
  readonly tls: PeerTls | undefined;
  /** Chosen by ALPN; undefined: the client named none, or there is no TLS. */
  readonly protocol: Protocol | undefined;
  /** In the connection table. */
  readonly place: number;
  /** Of the client, in its canonical form: what its proxy says, on a listener with the PROXY protocol. */
  readonly address: string;
}
