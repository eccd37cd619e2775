/**
 * Admits client connections: up to the bounds per listener and per address, counted over all workers, and none while memory
 * or file descriptors are short. A rejected client gets a short reply that costs little, since it may be a flood.
 */
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { ListenerEntry } from '../../bundle/types.js';
import { ADDRESS_FULL, addressKey, type ConnectionTable, LISTENER_FULL } from '../../state/connection-table.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { TrustedProxies } from '../exchange/peer.js';
import { plainAddress } from '../http/forwarded.js';
import type { Descriptors } from '../load/descriptors.js';
import { refusal } from './http1/refusal.js';

/** Default bound of connections per address. */
export const DEFAULT_PER_ADDRESS = 1024;
/** Milliseconds for which the list of this machine's addresses is valid. */
const OWN_ADDRESSES_FOR = 10_000;
/** Rejected sockets that may still read the reason; beyond, the oldest is closed. */
const MOST_LINGERING = 256;
/** The same bound when each of them uses one of the last descriptors. */
const MOST_LINGERING_EXHAUSTED = 4;
/** They stay open for one to two times LINGER_MS, and may send LINGER_BYTES meanwhile. */
const LINGER_MS = 1000;
const LINGER_BYTES = 64 * 1024;

/** Result of enter() for a rejected socket. */
export const REJECTED = -1;

/** The listener of a connection. */
export interface AdmittingListener {
  /** The address with its real port: equal in all workers while it is bound. */
  readonly countedAs: string;
  readonly entry: ListenerEntry;
  readonly proxies: TrustedProxies;
  /** Uses TLS: before the handshake, no reply can be sent. */
  readonly secure: boolean;
}

/** What admission uses of the data plane. */
export interface AdmissionHost {
  readonly descriptors: Pick<Descriptors, 'takeClient' | 'freeClient'>;
  /** `date: ...` with CRLF. */
  readonly dateLine: string;
  monotonic(): number;
  newId(): string;
  /** Counts and logs the rejected connection. */
  refused(error: ErrorSlug, cause: string, remote: string, id: string): void;
}

export class Admission {
  /** Memory is low: new connections are rejected. */
  shedding = false;
  readonly #host: AdmissionHost;
  readonly #table: ConnectionTable;
  /** Reads the addresses of this machine. */
  readonly #readOwn: () => readonly string[];
  #own: ReadonlySet<string> = new Set();
  #ownAt = Number.NEGATIVE_INFINITY;
  #lingering: Socket[] = [];
  #lingeringSecond: Socket[] = [];
  #sweptAt = 0;

  constructor(host: AdmissionHost, table: ConnectionTable, ownAddresses: () => readonly string[] = addressesHere) {
    this.#host = host;
    this.#table = table;
    this.#readOwn = ownAddresses;
  }

  /** Admits an accepted connection. Returns its place, for leave(); or REJECTED. */
  enter(listener: AdmittingListener, socket: Socket): number {
    if (this.shedding) return this.#reject(listener, socket, 'gateway/overloaded');
    if (!this.#host.descriptors.takeClient()) return this.#reject(listener, socket, 'gateway/exhausted');
    const place = this.#place(listener, plainAddress(socket.remoteAddress ?? ''));
    if (place >= 0) return place;
    this.#host.descriptors.freeClient();
    return this.#reject(listener, socket, place === LISTENER_FULL ? 'listener/full' : 'listener/address-full');
  }

  /**
   * The client's address differs from that of the connection, as a PROXY header says: counts it under that. Returns its new
   * place, or REJECTED; the old one is free.
   */
  move(listener: AdmittingListener, place: number, socket: Socket, address: string): number {
    this.#table.leave(listener.countedAs, place);
    const moved = this.#place(listener, address);
    if (moved >= 0) return moved;
    this.#host.descriptors.freeClient();
    return this.#reject(listener, socket, moved === LISTENER_FULL ? 'listener/full' : 'listener/address-full', address);
  }

  leave(listener: AdmittingListener, place: number): void {
    this.#host.descriptors.freeClient();
    this.#table.leave(listener.countedAs, place);
  }

  #place({ countedAs, entry, proxies }: AdmittingListener, address: string): number {
    const most = entry.maxConnectionsPerAddress;
    // All clients of a proxy share its address.
    const together = address === '' || proxies.has(address) || (most === undefined && isLoopback(address));
    const key = together ? '' : addressKey(address);
    const place = this.#table.enter(countedAs, key, entry.maxConnections, most ?? DEFAULT_PER_ADDRESS);
    if (place !== ADDRESS_FULL || most !== undefined || !this.#isOwn(address)) return place;
    return this.#table.enter(countedAs, '', entry.maxConnections, DEFAULT_PER_ADDRESS);
  }

  #isOwn(address: string): boolean {
    const now = this.#host.monotonic();
    if (now - this.#ownAt >= OWN_ADDRESSES_FOR) {
      this.#ownAt = now;
      this.#own = new Set(this.#readOwn());
    }
    return this.#own.has(address);
  }

  #reject(listener: AdmittingListener, socket: Socket, error: ErrorSlug, address?: string): number {
    socket.on('error', destroyThis);
    this.refuse(socket, error, fullCause(listener, error), !listener.secure, address);
    return REJECTED;
  }

  /**
   * Counts and ends a connection whose requests are not read: at once, or, if `withReply`, after a reply with the reason. The
   * caller handles errors of the socket.
   */
  refuse(
    socket: Socket,
    error: ErrorSlug,
    cause: string,
    withReply: boolean,
    address = plainAddress(socket.remoteAddress ?? ''),
  ): void {
    const host = this.#host;
    const id = host.newId();
    host.refused(error, cause, address, id);
    if (!withReply) {
      socket.destroy();
      return;
    }
    // Read what the client sends meanwhile: closing with unread bytes would reset the connection and lose the reply.
    socket.on('data', readAway);
    socket.resume();
    socket.end(refusal(error, id, host.dateLine), 'latin1');
    const most = error === 'gateway/exhausted' ? MOST_LINGERING_EXHAUSTED : MOST_LINGERING;
    while (this.#lingering.length + this.#lingeringSecond.length >= most)
      (this.#lingeringSecond.shift() ?? this.#lingering.shift())?.destroy();
    this.#lingering.push(socket);
  }

  /** Closes lingering sockets in time; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    if (now - this.#sweptAt < LINGER_MS) return;
    this.#sweptAt = now;
    for (const socket of this.#lingeringSecond) socket.destroy();
    this.#lingeringSecond = this.#lingering;
    if (this.#lingering.length > 0) this.#lingering = [];
  }

  close(): void {
    for (const socket of [...this.#lingering, ...this.#lingeringSecond]) socket.destroy();
    this.#lingering = [];
    this.#lingeringSecond = [];
  }
}

function fullCause({ entry }: AdmittingListener, error: ErrorSlug): string {
  switch (error) {
    case 'listener/full':
      return `listener ${entry.name} has ${entry.maxConnections} connections (max_connections)`;
    case 'listener/address-full':
      return `the address has ${entry.maxConnectionsPerAddress ?? DEFAULT_PER_ADDRESS} connections (max_connections_per_address)`;
    case 'gateway/exhausted':
      return 'out of file descriptors for clients';
    default:
      return 'out of memory (overload.shed_above)';
  }
}

const addressesHere = (): string[] =>
  Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

function destroyThis(this: Socket): void {
  this.destroy();
}

function readAway(this: Socket): void {
  if (this.bytesRead > LINGER_BYTES) this.destroy();
}
