/** The part of a client's connection that knows nothing of exchanges: its socket, what came in, how long it may be silent. */
import type { Socket } from 'node:net';
import type { Engine } from '../../engine.js';
import { timeSpan } from '../../errors/cause.js';
import type { TunnelEnd } from '../../exchange/downstream.js';
import { type Peer, peerOf } from '../../exchange/peer.js';
import { readIntoShared } from '../../load/shared-read.js';
import type { Listener } from '../listener.js';
import { Intake } from './intake.js';
import { Pace, type Verdict } from './pace.js';
import { ReplyWriter } from './reply-writer.js';

/** Milliseconds that an idle connection may still bring a request when its listener stops: a long way there and back. */
export const IDLE_GRACE = 500;
/** A closing connection reads on for so long, so that the client gets to see the reply (RFC 9112 section 9.6). */
export const LINGER_MS = 2000;
export const LINGER_BYTES = 4 * 1024 * 1024;
/** Bytes that may wait to be written to a client before it must read on. */
export const WRITE_BUFFER = 64 * 1024;

/** `drain`: the reply is out, the rest of the request's body is not in. `linger`: our FIN is out. */
export type Phase = 'head' | 'exchange' | 'tunnel' | 'drain' | 'linger' | 'closed';

export abstract class ClientSocket {
  /** Where it is counted. */
  readonly place: number;
  protected readonly listener: Listener;
  protected readonly engine: Engine;
  protected readonly socket: Socket;
  protected readonly peer: Peer;
  protected readonly writer: ReplyWriter;
  protected readonly intake = new Intake();
  protected tunnelEnd: TunnelEnd | undefined = undefined;
  /** The client sent its FIN. */
  protected ended = false;
  /** Monotonic milliseconds at which the wait for a head, or for the end, is over; 0 for none. */
  protected deadline: number;
  /** Bytes from the client through the tunnel. */
  protected bytesIn = 0;
  /** How the connection broke, if it did. */
  protected lost = '';
  #paused = false;
  /** There while something is unsent. */
  #taking: Pace | undefined = undefined;

  constructor(engine: Engine, listener: Listener, socket: Socket, scheme: 'http' | 'https', place: number) {
    this.place = place;
    this.engine = engine;
    this.listener = listener;
    this.socket = this.#read(socket, scheme);
    this.peer = peerOf(this.socket.remoteAddress, scheme, listener.proxies, listener);
    this.writer = new ReplyWriter(this.socket, engine.batcher, engine.bodies);
    this.deadline = engine.monotonic() + listener.entry.headerTimeout;
  }

  /** Has what is read given to onBytes(). The socket to go on with, which may be another one on the same connection. */
  #read(socket: Socket, scheme: 'http' | 'https'): Socket {
    if (scheme === 'http')
      return readIntoShared(socket, WRITE_BUFFER, (buffer, count, lent) => this.onBytes(buffer, count, lent));
    socket.on('data', (chunk: Buffer) => this.onBytes(chunk, chunk.length, false));
    return socket;
  }

  /** buffer[0, count) came; where it is only `lent`, it is read into again once this returns. */
  protected abstract onBytes(buffer: Buffer, count: number, lent: boolean): void;

  protected pause(pause: boolean): void {
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.socket.pause();
    else this.socket.resume();
  }

  /** Whether the client has not taken all that was written for it. */
  get unsent(): boolean {
    return this.writer.unsent > 0 && !this.socket.destroyed;
  }

  /** How the client takes what is written for it. */
  protected taking(now: number): Verdict {
    if (this.writer.unsent === 0) {
      this.#taking = undefined;
      return 'fine';
    }
    const { writer, engine } = this;
    const { minBodyRate, bodyTimeout } = this.listener.entry;
    this.#taking ??= new Pace(engine.bodyGrace, writer.beganAt);
    return this.#taking.look(now, writer.taken, minBodyRate, bodyTimeout);
  }

  /** Of a client that does not keep its pace in sending its request body, or in taking a reply. */
  protected paceCause(verdict: Verdict, what: 'request' | 'reply'): string {
    const { minBodyRate, bodyTimeout } = this.listener.entry;
    const doing = what === 'request' ? 'sends its request body' : 'reads its reply';
    if (verdict === 'slow') return `the client ${doing} at less than ${minBodyRate} bytes a second (min_body_rate)`;
    const timeout = what === 'request' ? 'request body timeout' : 'reply timeout: the client does not read';
    return `${timeout} (${timeSpan(bodyTimeout)}, body_timeout)`;
  }

  protected get headTimeoutCause(): string {
    return `request head timeout (${timeSpan(this.listener.entry.headerTimeout)}, header_timeout)`;
  }

  /**
   * Sends a FIN behind what is still to be written, and lingers. The time to linger begins when the client has taken it
   * all; until then it must keep its pace.
   */
  protected finish(): void {
    this.writer.writeNow();
    this.socket.end();
    this.deadline = this.unsent ? 0 : this.engine.monotonic() + LINGER_MS;
  }

  protected toTunnel(bytes: Buffer): void {
    this.bytesIn += bytes.length;
    this.pause(this.tunnelEnd?.fromClient(bytes) === false);
  }

  tunnelWrite(bytes: Buffer, written: () => void): void {
    this.writer.sent += bytes.length;
    this.socket.write(bytes, written);
  }

  tunnelWantsMore(): void {
    this.pause(false);
  }
}
