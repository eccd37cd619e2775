/** The fuzzer's target: records the bytes from gw, parses them with two readers, and sends scripted replies. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { turn } from '../until.js';
import { type NodeOracle, NodeReader } from './node.js';
import { NotCanonical, REQUEST_RULES, type WireMessage, WireReader } from './wire.js';

/** How a request is answered. */
export interface Answer {
  /** The reply text in separately written pieces; empty: the connection closes without a reply. */
  readonly pieces: readonly string[];
  /** Replies after the head, without waiting for the body. */
  readonly early: boolean;
  /** How the connection continues after the reply. */
  readonly finish: 'keep' | 'end' | 'reset';
}

/** A received request. */
export interface Arrival {
  readonly token: string;
  readonly message: WireMessage;
  readonly link: Link;
  answer: Answer | undefined;
  /** The whole reply has been written. */
  answered: boolean;
}

/** One connection from gw. */
class Link {
  readonly arrivals: Arrival[] = [];
  readonly bytes: Buffer[] = [];
  readonly shadow: NodeReader;
  readonly socket: Socket;
  broken: string | undefined;
  /** Node's parser met an unknown method and reads nothing more. */
  blind = false;
  /** The connection is finished in both directions. */
  over = false;
  readonly #target: FuzzTarget;
  readonly #reader = new WireReader(REQUEST_RULES);
  #answering = false;

  constructor(target: FuzzTarget, socket: Socket, oracle: NodeOracle) {
    this.#target = target;
    this.socket = socket;
    this.shadow = new NodeReader(oracle);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => {
      this.over = true;
      socket.end();
    });
    socket.on('close', () => {
      this.over = true;
    });
  }

  #onData(chunk: Buffer): void {
    const copy = Buffer.from(chunk);
    this.bytes.push(copy);
    this.shadow.feed(copy);
    try {
      this.#reader.push(copy);
    } catch (error) {
      if (!(error instanceof NotCanonical)) throw error;
      this.broken ??= error.message;
      this.socket.destroy();
    }
    for (let i = this.arrivals.length; i < this.#reader.messages.length; i++) this.#arrive(this.#reader.messages[i]!);
    const waiting = this.arrivals.filter(({ answered }) => !answered).length;
    this.#target.deepest = Math.max(this.#target.deepest, waiting);
    void this.#work();
  }

  /** Bytes of an incomplete head. */
  get unread(): Buffer {
    return this.#reader.rest;
  }

  #arrive(message: WireMessage): void {
    const arrival: Arrival = { token: '', message, link: this, answer: undefined, answered: false };
    this.arrivals.push(this.#target.admit(arrival));
  }

  /** Replies in order, also to pipelined requests. */
  async #work(): Promise<void> {
    if (this.#answering) return;
    this.#answering = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#write(next);
    this.#answering = false;
  }

  #next(): Arrival | undefined {
    if (this.over) return undefined;
    const next = this.arrivals.find(({ answered, message }) => !answered || !message.complete);
    if (next === undefined || next.answered) return undefined;
    return next.message.complete || next.answer?.early ? next : undefined;
  }

  async #write(arrival: Arrival): Promise<void> {
    const { pieces, finish } = arrival.answer!;
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await turn();
      if (this.over) return;
      this.socket.write(piece, 'latin1');
    }
    arrival.answered = true;
    if (finish === 'keep') return;
    this.over = true;
    if (finish === 'end') this.socket.end();
    else this.socket.resetAndDestroy();
  }

  /** Drops the records of finished messages. */
  forget(): void {
    if (!this.quiet) return;
    this.arrivals.length = 0;
    this.bytes.length = 0;
    this.shadow.readings.length = 0;
    this.#reader.messages.length = 0;
  }

  /** No exchange is in progress on it. */
  get quiet(): boolean {
    if (this.socket.destroyed) return true;
    if (this.over || this.unread.length > 0) return false;
    return this.arrivals.every(({ answered, message }) => answered && message.complete);
  }
}

export class FuzzTarget {
  /** Requests of the current case. */
  arrivals: Arrival[] = [];
  /** Chooses the reply to each request; `index` counts within the case. */
  answer: (arrival: Arrival, index: number) => Answer = () => ({ pieces: [], early: false, finish: 'end' });
  /** Largest number of requests that waited for replies on one connection. */
  deepest = 0;
  readonly #server: Server;
  #links: Link[] = [];
  #tokens = 0;

  private constructor(oracle: NodeOracle) {
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      this.#links.push(new Link(this, socket, oracle)),
    );
  }

  static async start(oracle: NodeOracle): Promise<FuzzTarget> {
    const target = new FuzzTarget(oracle);
    target.#server.listen(0, '127.0.0.1');
    await once(target.#server, 'listening');
    return target;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The target is closed.');
    return `http://127.0.0.1:${address.port}`;
  }

  admit(arrival: Arrival): Arrival {
    // Same length as the placeholder in a scripted reply.
    const known = { ...arrival, token: `t${(++this.#tokens).toString(36).padStart(4, '0')}` };
    known.answer = this.answer(known, this.arrivals.length);
    this.arrivals.push(known);
    return known;
  }

  /** Connections of the current case. */
  get links(): readonly Link[] {
    return this.#links;
  }

  get quiet(): boolean {
    return this.#links.every((link) => link.quiet);
  }

  /** Starts the next case: drops the records, keeps open connections. */
  next(): void {
    this.arrivals = [];
    this.#links = this.#links.filter(({ socket }) => !socket.destroyed);
    for (const link of this.#links) link.forget();
  }

  async close(): Promise<void> {
    for (const { socket } of this.#links) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
