/**
 * File descriptors: how many more connections a data plane may open. At the system's limit the kernel closes new client
 * connections without a reply, and connections to targets fail. So gw stops before the limit, rejects further clients with
 * a reply, and keeps descriptors for targets, files and the admin API.
 */
import type { EventEmitter } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Log } from './log.js';

/** Share that connections never get: it is for files that a reload reads, the access log, and clients of the admin API. */
const RESERVE_SHARE = 1 / 8;
const LEAST_RESERVE = 16;
const MOST_RESERVE = 1280;
/** Share of the rest that clients leave to targets, or less if targets may not use that much: an exchange needs both. */
const TARGET_SHARE = 1 / 4;
/** Share of the time that counting may take; a count takes longer the more descriptors there are. */
const COUNTING_SHARE = 1 / 20;
/** Milliseconds between two warnings. */
const WARN_EVERY = 60_000;
const LIMITS = '/proc/self/limits';

/** Descriptors that connections never get, of the `limit` of the process. */
export const reserveOf = (limit: number): number =>
  Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(limit * RESERVE_SHARE)));

/** The system's figures; tests supply their own. */
export interface DescriptorSource {
  /** Limit of the process; Infinity if unknown. */
  limit(): number;
  /** Descriptors that the process has open. */
  inUse(): number;
  /** Milliseconds; never goes back. */
  now(): number;
}

/** Linux only; on other systems only `max_connections` bounds connections. */
export const procDescriptors: DescriptorSource = {
  limit: () => {
    if (!existsSync(LIMITS)) return Number.POSITIVE_INFINITY;
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(LIMITS, 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  },
  inUse: () => readdirSync('/proc/self/fd').length,
  now: () => performance.now(),
};

export class Descriptors {
  /** Threads that share the descriptors of the process. A reload may change it. */
  workers: number;
  /** Connections that this thread may open to the targets of the live generation, without tunnels. */
  forTargets = Number.POSITIVE_INFINITY;
  readonly #log: Log;
  readonly #source: DescriptorSource;
  /** Limit at the last count: an operator may raise it while gw runs. */
  #limit: number;
  /** Descriptors that this thread may open before it must count again. */
  #room = 0;
  /** TARGET_SHARE of all descriptors for connections, at the last count. */
  #quarter = 0;
  #clients = 0;
  /** Pooled connections to targets. Tunnels count apart, since each client may have one. */
  #targets = 0;
  #tunnels = 0;
  /** Connections to targets that have no descriptor yet, so that the system does not count them. */
  #opening = 0;
  #mayCountAt = 0;
  #exhausted = false;
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(workers: number, log: Log, source: DescriptorSource = procDescriptors) {
    this.workers = workers;
    this.#log = log;
    this.#source = source;
    this.#limit = source.limit();
    if (this.#limit === Number.POSITIVE_INFINITY) this.#room = this.#limit;
  }

  /** Reserves a descriptor for a client connection; false if there is none. Release it with freeClient(). */
  takeClient(): boolean {
    if (this.#room <= this.#leftToTargets && !this.#count(false)) return false;
    this.#room--;
    this.#clients++;
    return true;
  }

  /** Open client connections. */
  get clients(): number {
    return this.#clients;
  }

  /** Descriptors that clients leave to targets, used ones included. */
  get #share(): number {
    return Math.min(this.#quarter, this.forTargets);
  }

  /** The unused part of that share: targets beyond their share take from the clients' part, never from the reserve. */
  get #leftToTargets(): number {
    return Math.max(0, this.#share - this.#targets);
  }

  /** Reserves a descriptor for a pooled connection to a target; false if there is none. Release it with freeTarget(). */
  takeTarget(): boolean {
    if (this.#room <= 0 && !this.#count(true)) return false;
    this.#room--;
    this.#targets++;
    return true;
  }

  /** The same for a tunnel. Call tunnelOpened() when it is connected, and release it with freeTunnel(). */
  takeTunnel(): boolean {
    if (this.#room <= 0 && !this.#count(true)) return false;
    this.#room--;
    this.#tunnels++;
    this.#opening++;
    return true;
  }

  tunnelOpened(): void {
    this.#opening--;
  }

  /** A new socket to a target: it gets its descriptor when its first attempt to connect begins, later or after a name lookup. */
  opening(socket: EventEmitter): void {
    this.#opening++;
    const opened = (): void => {
      socket.off('connectionAttempt', opened).off('close', opened);
      this.#opening--;
    };
    socket.once('connectionAttempt', opened).once('close', opened);
  }

  freeClient(): void {
    this.#clients--;
    this.#free();
  }

  freeTarget(): void {
    this.#targets--;
    this.#free();
  }

  /** `opened`: tunnelOpened() was called for it. */
  freeTunnel(opened: boolean): void {
    this.#tunnels--;
    if (!opened) this.#opening--;
    this.#free();
  }

  #free(): void {
    this.#room++;
    if (!this.#exhausted || this.#room < this.#share) return;
    this.#exhausted = false;
    this.#log('info', 'file descriptors available again', { limit: this.#limit });
  }

  /** Counts, unless the last count was too recent. Returns whether there is room. */
  #count(forTarget: boolean): boolean {
    const begun = this.#source.now();
    if (begun < this.#mayCountAt) return false;
    let inUse = this.#limit;
    try {
      this.#limit = this.#source.limit();
      inUse = this.#source.inUse() + this.#opening;
    } catch {
      // Counting needs a descriptor itself, and there is none.
    }
    const now = this.#source.now();
    this.#mayCountAt = now + (now - begun) / COUNTING_SHARE;
    // Other threads may have room that they have not used yet. So this thread's part is a share of everything it could have,
    // not of what is free now: together, threads never exceed the limit.
    const own = this.#clients + this.#targets + this.#tunnels;
    const free = Math.max(0, this.#limit - reserveOf(this.#limit) - inUse);
    const room = Math.max(0, Math.floor((free + own) / this.workers) - own);
    this.#room = room;
    this.#quarter = Math.floor((own + room) * TARGET_SHARE);
    const enough = room > (forTarget ? 0 : this.#leftToTargets);
    if (!enough) this.#warn(inUse, now);
    return enough;
  }

  #warn(inUse: number, now: number): void {
    if (now - this.#warnedAt < WARN_EVERY) return;
    this.#exhausted = true;
    this.#warnedAt = now;
    this.#log('warn', 'out of file descriptors for new connections; raise the limit (ulimit -n)', {
      limit: this.#limit,
      inUse,
      clients: this.#clients,
      targets: this.#targets + this.#tunnels,
    });
  }
}
