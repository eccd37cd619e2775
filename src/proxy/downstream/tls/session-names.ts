/**
 * Which server names have TLS servers of their own. A session may resume only under the name that it began with (RFC 6066
 * section 3), so each name needs ticket keys, and node:tls has one key per server. A client chooses the names under a wildcard
 * or a default certificate: those are bounded, and the ones beyond share a server without tickets.
 */
import type { Server as TlsServer } from 'node:tls';
import type { TicketKeys } from '../../../state/ticket-keys.js';
import { SessionServers } from './servers.js';

/** Most names of a listener that clients have chosen and that have servers of their own. */
export const MAX_SESSION_NAMES = 256;
/** Milliseconds without a handshake after which another name may take the place. */
export const NAME_IDLE_MS = 60_000;
/** Most names that found no place and are remembered, so that the second handshake gets one. */
const MAX_SEEN = 256;
/** Longest host name (RFC 1035 section 2.3.4). */
const MAX_NAME = 255;

/** A certificate under a policy. */
export interface Pair {
  /** Issues no tickets and accepts none. */
  readonly shared: TlsServer;
  /** What sessions belong to besides the name; undefined: they are not resumed. */
  readonly identity: string | undefined;
  readonly create: (ticketKeys: Buffer) => TlsServer;
}

interface Place {
  readonly pair: Pair;
  readonly servers: SessionServers;
  /** Monotonic milliseconds of the last handshake. */
  usedAt: number;
}

export class SessionNames {
  /** Of the spec, and no name: they always have a place. */
  readonly #fixed = new Map<string | undefined, Place>();
  /** The one that was not used for longest comes first. */
  readonly #places = new Map<string, Place>();
  readonly #seen = new Set<string>();
  readonly #isFixed: (name: string) => boolean;

  /** `isFixed`: whether the spec has exactly this name. */
  constructor(isFixed: (name: string) => boolean) {
    this.#isFixed = isFixed;
  }

  /** Names that have servers of their own. */
  get size(): number {
    return this.#fixed.size + this.#places.size;
  }

  /** The server that begins a handshake for a name in lower case; undefined: for none. `now`: monotonic milliseconds. */
  serverFor(
    pair: Pair,
    name: string | undefined,
    ticketName: Buffer | undefined,
    keys: TicketKeys,
    now: number,
  ): TlsServer {
    if (pair.identity === undefined) return pair.shared;
    const place = this.#placeOf(pair, pair.identity, name, now);
    return place === undefined ? pair.shared : place.servers.serverFor(ticketName, keys);
  }

  #placeOf(pair: Pair, identity: string, name: string | undefined, now: number): Place | undefined {
    if (name === undefined || this.#isFixed(name)) {
      const known = this.#fixed.get(name);
      if (known?.pair === pair) return known;
      const made = placeFor(pair, identity, name, now);
      this.#fixed.set(name, made);
      return made;
    }
    const known = this.#places.get(name);
    if (known === undefined && !this.#admits(name, now)) return undefined;
    // Another pair: its certificate was replaced.
    const place = known?.pair === pair ? known : placeFor(pair, identity, name, now);
    place.usedAt = now;
    this.#places.delete(name);
    this.#places.set(name, place);
    return place;
  }

  /** Whether a new name gets a place: a free one, or one that is idle if it asks for the second time. */
  #admits(name: string, now: number): boolean {
    if (name.length > MAX_NAME) return false;
    if (this.#places.size < MAX_SESSION_NAMES) return true;
    const [oldest] = this.#places;
    if (oldest === undefined || now - oldest[1].usedAt < NAME_IDLE_MS) return false;
    if (this.#seen.delete(name)) {
      this.#places.delete(oldest[0]);
      return true;
    }
    this.#seen.add(name);
    const [first] = this.#seen;
    if (first !== undefined && this.#seen.size > MAX_SEEN) this.#seen.delete(first);
    return false;
  }

  /** Forgets ticket keys that are not valid any more. */
  prune(keys: TicketKeys): void {
    for (const { servers } of this.#fixed.values()) servers.prune(keys);
    for (const { servers } of this.#places.values()) servers.prune(keys);
  }
}

const placeFor = (pair: Pair, identity: string, name: string | undefined, now: number): Place => ({
  pair,
  servers: new SessionServers(pair.create, JSON.stringify([identity, name ?? null])),
  usedAt: now,
});
