/**
 * The connections of an admin server, and how many of them it keeps. A connection is held while a call of a trusted caller
 * is answered on it; all others are spare. When there are too many, the oldest spare one is closed in favour of the new one,
 * and trusted callers never get the last places: so a liveness probe is answered whatever else is connected.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Connections of one server. */
export const MAX_CONNECTIONS = 128;
/** Of those, how many trusted callers may hold. */
export const MAX_HELD = 96;

export class AdminConnections {
  /** Oldest first. */
  readonly #spare = new Set<Socket>();
  /** Calls in work on each. */
  readonly #held = new Map<Socket, number>();

  /** Counts every connection that this server accepts from now on. */
  constructor(server: Server) {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** A trusted call keeps its connection until its reply is through; false when too many are kept already. */
  hold({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const calls = this.#held.get(socket) ?? 0;
    if (calls === 0 && this.#held.size >= MAX_HELD) return false;
    this.#held.set(socket, calls + 1);
    this.#spare.delete(socket);
    response.once('close', () => this.#release(socket));
    return true;
  }

  #add(socket: Socket): void {
    this.#spare.add(socket);
    socket.once('close', () => {
      this.#spare.delete(socket);
      this.#held.delete(socket);
    });
    if (this.#spare.size + this.#held.size <= MAX_CONNECTIONS) return;
    const [oldest] = this.#spare;
    if (oldest === undefined) return;
    this.#spare.delete(oldest);
    oldest.destroy();
  }

  #release(socket: Socket): void {
    const calls = (this.#held.get(socket) ?? 1) - 1;
    if (calls > 0) {
      this.#held.set(socket, calls);
      return;
    }
    this.#held.delete(socket);
    if (!socket.destroyed) this.#spare.add(socket);
  }
}
