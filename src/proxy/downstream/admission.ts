/**
 * Which connections may stay: as many as a listener may have, and as one address may have, counted over all workers; none
 * when memory or file descriptors run short. What may not stay is told so, cheaply: whoever floods a gateway that is full
 * must not get more out of it than a short text.
 */
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { ListenerEntry } from '../../bundle/types.js';
import { ADDRESS_FULL, addressKey, type ConnectionTable, LISTENER_FULL } from '../../state/connection-table.js';
import type { Engine } from '../engine.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { TrustedProxies } from '../exchange/peer.js';
import { plainAddress } from '../http/forwarded.js';
import { refusal } from './http1/refusal.js';

/** Connections that one address may have where the spec says nothing. */
export const DEFAULT_PER_ADDRESS = 1024;
/** Milliseconds for which the list of this machine's addresses is good. */
const OWN_FOR = 10_000;
/** Sockets that were turned away and may still read why; the oldest makes room. */
const MOST_LINGERING = 256;
/** The same where each of them holds one of the last descriptors. */
const MOST_LINGERING_EXHAUSTED = 4;
/** They get this many milliseconds, or twice as many, and may send so many bytes meanwhile. */
const LINGER_MS = 1000;
const LINGER_BYTES = 64 * 1024;

/** What enter() says of a socket that was turned away. */
export const TURNED_AWAY = -1;

/** A listener as its connections are counted. */
export interface Door {
  /** The address with its real port: the same in all workers, for as long as it is bound. */
  readonly countedAs: string;
  readonly entry: ListenerEntry;
  readonly proxies: TrustedProxies;
  /** Cannot be told anything before a handshake. */
  readonly secure: boolean;
}

/** What admission needs of the engine. */
export type AdmissionHost = Pick<Engine, 'descriptors' | 'monotonic' | 'newId' | 'dateLine' | 'refused'>;

export class Admission {
  /** Memory runs short: nobody new comes in. */
  shedding = false;
  readonly #engine: AdmissionHost;
  readonly #table: ConnectionTable;
  /** Reads the addresses of this machine. */
  readonly #readOwn: () => readonly string[];
  #own: ReadonlySet<string> = new Set();
  #ownAt = Number.NEGATIVE_INFINITY;
  #lingering: Socket[] = [];
  #lingeringLonger: Socket[] = [];
  #turnedAt = 0;

  constructor(engine: AdmissionHost, table: ConnectionTable, ownAddresses: () => readonly string[] = addressesHere) {
    this.#engine = engine;
    this.#table = table;
    this.#readOwn = ownAddresses;
  }

  /** A connection was accepted. Returns its place, to be given to leave(); TURNED_AWAY when it was told to go. */
  enter(door: Door, socket: Socket): number {
    if (this.shedding) return this.#turnAway(door, socket, 'gateway/overloaded');
    if (!this.#engine.descriptors.takeClient()) return this.#turnAway(door, socket, 'gateway/exhausted');
    const place = this.#place(door, socket);
    if (place >= 0) return place;
    this.#engine.descriptors.freeClient();
    return this.#turnAway(door, socket, place === LISTENER_FULL ? 'listener/full' : 'listener/address-full');
  }

  leave(door: Door, place: number): void {
    this.#engine.descriptors.freeClient();
    this.#table.leave(door.countedAs, place);
  }

  #place({ countedAs, entry, proxies }: Door, socket: Socket): number {
    const address = plainAddress(socket.remoteAddress ?? '');
    const most = entry.maxConnectionsPerAddress;
    // All clients of a proxy come by its one address.
    const together = proxies.has(address) || (most === undefined && isLoopback(address));
    const key = together ? '' : addressKey(address);
    const place = this.#table.enter(countedAs, key, entry.maxConnections, most ?? DEFAULT_PER_ADDRESS);
    if (place !== ADDRESS_FULL || most !== undefined || !this.#isOwn(address)) return place;
    return this.#table.enter(countedAs, '', entry.maxConnections, DEFAULT_PER_ADDRESS);
  }

  #isOwn(address: string): boolean {
    const now = this.#engine.monotonic();
    if (now - this.#ownAt >= OWN_FOR) {
      this.#ownAt = now;
      this.#own = new Set(this.#readOwn());
    }
    return this.#own.has(address);
  }

  #turnAway(door: Door, socket: Socket, error: ErrorSlug): number {
    socket.on('error', destroyThis);
    this.refuse(socket, error, fullCause(door, error), !door.secure);
    return TURNED_AWAY;
  }

  /**
   * Counts a connection whose requests will not be read, and ends it: at once, or where it `mayTell` with the reason, which
   * the client then has a moment to read. Errors of the socket are the caller's.
   */
  refuse(socket: Socket, error: ErrorSlug, cause: string, mayTell: boolean): void {
    const engine = this.#engine;
    const id = engine.newId();
    engine.refused(error, cause, plainAddress(socket.remoteAddress ?? ''), id);
    if (!mayTell) {
      socket.destroy();
      return;
    }
    // What a client sends meanwhile is read: a close over unread bytes would reset the reply away.
    socket.on('data', readAway);
    socket.resume();
    socket.end(refusal(error, id, engine.dateLine), 'latin1');
    const most = error === 'gateway/exhausted' ? MOST_LINGERING_EXHAUSTED : MOST_LINGERING;
    while (this.#lingering.length + this.#lingeringLonger.length >= most)
      (this.#lingeringLonger.shift() ?? this.#lingering.shift())?.destroy();
    this.#lingering.push(socket);
  }

  /** Called a few times a second with the monotonic time. */
  sweep(now: number): void {
    if (now - this.#turnedAt < LINGER_MS) return;
    this.#turnedAt = now;
    for (const socket of this.#lingeringLonger) socket.destroy();
    this.#lingeringLonger = this.#lingering;
    if (this.#lingering.length > 0) this.#lingering = [];
  }

  close(): void {
    for (const socket of [...this.#lingering, ...this.#lingeringLonger]) socket.destroy();
    this.#lingering = [];
    this.#lingeringLonger = [];
  }
}

function fullCause({ entry }: Door, error: ErrorSlug): string {
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
