/**
 * The connections of an admin server, and how many of them it keeps. A connection is held while a call of a trusted caller
 * is answered on it; all others are spare. When there are too many, the oldest spare ones are closed in favour of new ones,
 * and trusted callers never get the last places: so a liveness probe is answered whatever else is connected. Many may come
 * in one turn of the event loop; what a new one has sent is read in the next turn, so the look at them comes after that.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { procDescriptors, reserveOf } from '../../proxy/load/descriptors.js';

/** Of the descriptors that the data plane leaves to the process, each of two servers may have this share. */
const SHARE = 0.4;

export interface AdminBounds {
  /** Connections of one server. */
  readonly kept: number;
  /** Connections above which nothing waits for a look. */
  readonly most: number;
  /** Of those, how many trusted callers may hold. */
  readonly held: number;
}

/** What a server may have where the process may have `limit` file descriptors. */
export function adminBounds(limit: number = procDescriptors.limit()): AdminBounds {
  const most = Math.floor(reserveOf(limit) * SHARE);
  const kept = Math.max(2, Math.min(128, Math.floor(most / 2)));
  return { kept, most, held: Math.floor(kept * 0.75) };
}

export class AdminConnections {
  /** Oldest first. */
  readonly #spare = new Set<Socket>();
  /** Calls in work on each. */
  readonly #held = new Map<Socket, number>();
  #looking = false;
  readonly #bounds = adminBounds();

  /** Counts every connection that this server accepts from now on. */
  constructor(server: Server) {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** A trusted call keeps its connection until its reply is through; false when too many are kept already. */
  hold({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const calls = this.#held.get(socket) ?? 0;
    if (calls === 0 && this.#held.size >= this.#bounds.held) return false;
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
    if (this.#size > this.#bounds.most) this.#trim(this.#bounds.most);
    if (this.#looking || this.#size <= this.#bounds.kept) return;
    this.#looking = true;
    setImmediate(() => setImmediate(this.#look));
  }

  get #size(): number {
    return this.#spare.size + this.#held.size;
  }

  readonly #look = (): void => {
    this.#looking = false;
    this.#trim(this.#bounds.kept);
  };

  #trim(most: number): void {
    for (const oldest of this.#spare) {
      if (this.#size <= most) return;
      this.#spare.delete(oldest);
      oldest.destroy();
    }
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
