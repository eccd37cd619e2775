/** The client's side of a tunnel, after the head of a 101. */
import type { Socket } from 'node:net';
import type { TunnelEnd } from '../../exchange/downstream.js';
import type { RequestReader } from './request-reader.js';

export class ClientTunnel {
  /** Bytes from the client. */
  received = 0;
  readonly #end: TunnelEnd;
  readonly #socket: Socket;
  readonly #reader: RequestReader;

  constructor(end: TunnelEnd, socket: Socket, reader: RequestReader) {
    this.#end = end;
    this.#socket = socket;
    this.#reader = reader;
  }

  /** Passes on the bytes that the client sent ahead. `ended`: its FIN has come as well. */
  start(ended: boolean): void {
    const ahead = this.#reader.intake.takeAll();
    this.#reader.pause(false);
    if (ahead !== undefined) this.receive(ahead);
    if (ended) this.#end.clientEnded();
  }

  receive(bytes: Buffer): void {
    this.received += bytes.length;
    this.#reader.pause(!this.#end.fromClient(bytes));
  }

  ended(): void {
    this.#end.clientEnded();
  }

  retire(): void {
    this.#end.retire();
  }

  halfEnd(): void {
    this.#socket.end();
  }

  /** `written` is called when the client's socket has taken the bytes. */
  write(bytes: Buffer, written: () => void): void {
    this.#socket.write(bytes, written);
  }
}
