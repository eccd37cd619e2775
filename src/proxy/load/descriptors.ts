/**
 * File descriptors: how many connections a data plane may open yet. At the system's limit the kernel's answer to a client
 * is a connection that closes without a word, and targets cannot be reached; so gw stops short of the limit, tells those
 * whom it turns away, and keeps some descriptors for targets, files and the admin API.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

/** Never given to connections: files that are read on a reload, the access log, clients of the admin API. */
const RESERVE_SHARE = 1 / 8;
const LEAST_RESERVE = 16;
const MOST_RESERVE = 1280;
/** Of what connections may have, clients leave this share to targets, or as much as those may use: an exchange needs both. */
const TARGET_SHARE = 1 / 4;
/** A count may cost this share of the time; it takes longer the more descriptors there are. */
const COUNTING_SHARE = 1 / 20;
const TELL_EVERY = 60_000;
const LIMITS = '/proc/self/limits';

/** Descriptors that are never given to connections, of `limit` that the process may have. */
export const reserveOf = (limit: number): number =>
  Math.min(MOST_RESERVE, Math.max(LEAST_RESERVE, Math.floor(limit * RESERVE_SHARE)));

/** What of the system a count looks at; a test brings its own numbers. */
export interface DescriptorSource {
  /** How many the process may have; Infinity where that is not known. */
  limit(): number;
  /** How many it has. */
  inUse(): number;
}

/** Linux tells both; elsewhere connections are bounded by `max_connections` alone. */
export const procDescriptors: DescriptorSource = {
  limit: () => {
    if (!existsSync(LIMITS)) return Number.POSITIVE_INFINITY;
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(LIMITS, 'utf8'))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  },
  inUse: () => readdirSync('/proc/self/fd').length,
};

type Log = (level: 'info' | 'warn', message: string, fields: Record<string, unknown>) => void;

export class Descriptors {
  /** Threads that share the process's descriptors. A reload may change it. */
  workers: number;
  /** As many connections as the targets of the live generation may have from this thread, tunnels not counted. */
  forTargets = Number.POSITIVE_INFINITY;
  readonly #log: Log;
  readonly #source: DescriptorSource;
  /** As of the last count: an operator may raise it while gw runs. */
  #limit: number;
  /** How many this thread may open before it must count again. */
  #room = 0;
  /** A share of all, as of the last count. */
  #quarter = 0;
  #clients = 0;
  /** Those of pools, and those of tunnels: each client may have one of these. */
  #targets = 0;
  #tunnels = 0;
  #mayCountAt = 0;
  #exhausted = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(workers: number, log: Log, source: DescriptorSource = procDescriptors) {
    this.workers = workers;
    this.#log = log;
    this.#source = source;
    this.#limit = source.limit();
    if (this.#limit === Number.POSITIVE_INFINITY) this.#room = this.#limit;
  }

  /** A client's connection was accepted: whether it may stay. One that may is given back by freeClient(). */
  takeClient(): boolean {
    if (this.#room <= this.#leftToTargets && !this.#count(false)) return false;
    this.#room--;
    this.#clients++;
    return true;
  }

  /** Connections of clients that are open. */
  get clients(): number {
    return this.#clients;
  }

  /** Those that clients leave to targets, taken ones among them. */
  get #share(): number {
    return Math.min(this.#quarter, this.forTargets);
  }

  /** Targets that have more than their share leave clients less of the rest, never a part of the reserve. */
  get #leftToTargets(): number {
    return Math.max(0, this.#share - this.#targets);
  }

  /** Whether a connection to a target may be opened. One that may is given back by freeTarget(). */
  takeTarget(): boolean {
    if (this.#room <= 0 && !this.#count(true)) return false;
    this.#room--;
    this.#targets++;
    return true;
  }

  /** The same for one that a single client has to itself. Given back by freeTunnel(). */
  takeTunnel(): boolean {
    if (this.#room <= 0 && !this.#count(true)) return false;
    this.#room--;
    this.#tunnels++;
    return true;
  }

  freeClient(): void {
    this.#clients--;
    this.#free();
  }

  freeTarget(): void {
    this.#targets--;
    this.#free();
  }

  freeTunnel(): void {
    this.#tunnels--;
    this.#free();
  }

  #free(): void {
    this.#room++;
    if (!this.#exhausted || this.#room < this.#share) return;
    this.#exhausted = false;
    this.#log('info', 'There are file descriptors for new connections again.', { limit: this.#limit });
  }

  /** Counts, unless that was done just now; whether there is room then. */
  #count(forTarget: boolean): boolean {
    const begun = performance.now();
    if (begun < this.#mayCountAt) return false;
    let inUse = this.#limit;
    try {
      this.#limit = this.#source.limit();
      inUse = this.#source.inUse();
    } catch {
      // Even to count takes a descriptor: there is none.
    }
    const now = performance.now();
    this.#mayCountAt = now + (now - begun) / COUNTING_SHARE;
    // Others may have room that they have not used. So the share is one of all that this thread could have, not of what
    // is free now: together, threads never have more than there is.
    const own = this.#clients + this.#targets + this.#tunnels;
    const free = Math.max(0, this.#limit - reserveOf(this.#limit) - inUse);
    const room = Math.max(0, Math.floor((free + own) / this.workers) - own);
    this.#room = room;
    this.#quarter = Math.floor((own + room) * TARGET_SHARE);
    const enough = room > (forTarget ? 0 : this.#leftToTargets);
    if (!enough) this.#tell(inUse, now);
    return enough;
  }

  #tell(inUse: number, now: number): void {
    if (now - this.#toldAt < TELL_EVERY) return;
    this.#exhausted = true;
    this.#toldAt = now;
    this.#log('warn', 'No file descriptors are left for new connections: raise the limit (ulimit -n).', {
      limit: this.#limit,
      inUse,
      clients: this.#clients,
      targets: this.#targets + this.#tunnels,
    });
  }
}
