/**
 * Bounds the connections of an admin server. A connection is held while a trusted call is answered on it; all others are
 * spare. Above the bound the oldest spare connections are closed, and trusted calls never get the last places, so a liveness
 * probe always gets an answer. Many connections can arrive in one turn of the event loop, and their requests are read in the
 * next turn, so the bound is applied after that.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { procDescriptors, reserveOf } from '../../proxy/load/descriptors.js';

/** Share of the descriptors reserved by the data plane that each of two servers may use. */
const SHARE = 0.4;

export interface AdminBounds {
  /** Connections of one server. */
  readonly kept: number;
  /** Connections above which spare ones are closed at once. */
  readonly most: number;
  /** Connections that trusted calls may hold. */
  readonly held: number;
}

/** The bounds for a process with `limit` file descriptors. */
export function adminBounds(limit: number = procDescriptors.limit()): AdminBounds {
  const most = Math.floor(reserveOf(limit) * SHARE);
  const kept = Math.max(2, Math.min(128, Math.floor(most / 2)));
  return { kept, most, held: Math.floor(kept * 0.75) };
}

export class AdminConnections {
  /** Oldest first. */
  readonly #spare = new Set<Socket>();
  /** Calls in progress by connection. */
  readonly #held = new Map<Socket, number>();
  #scheduled = false;
  readonly #bounds = adminBounds();

  /** Counts every connection that this server accepts from now on. */
  constructor(server: Server) {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** A trusted call holds its connection until its reply is sent; false if too many are held. */
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
    if (this.#scheduled || this.#size <= this.#bounds.kept) return;
    this.#scheduled = true;
    setImmediate(() => setImmediate(this.#check));
  }

  get #size(): number {
    return this.#spare.size + this.#held.size;
  }

  readonly #check = (): void => {
    this.#scheduled = false;
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
