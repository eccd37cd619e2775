/** The HTTP/2 connections to a target, and the queue of exchanges that wait for a place on one. */
import type { LookupFunction, Socket } from 'node:net';
import { inspect } from 'node:util';
import { Counter } from '../../../telemetry/stats/layout.js';
import { NO_DESCRIPTOR, queueFull, streamQueueTimeout } from '../../errors/cause.js';
import { BUG } from '../../errors/errors.js';
import type { ScheduledTask } from '../../load/fair-scheduler.js';
import { Claims } from '../claims.js';
import { Shedding } from '../shed.js';
import { SlowClients } from '../slow-clients.js';
import type { TargetHost } from '../target-host.js';
import type { PoolTarget, TargetPool } from '../target-pool.js';
import type { UpstreamUser } from '../user.js';
import { WaitQueue } from '../wait-queue.js';
import { Session, type SessionOwner } from './session.js';
import type { UpstreamStream } from './stream.js';

/** There are places to spare while at most this share is in use. */
const SPARE_SHARE = 1 / 2;

export class Http2Pool implements TargetPool, SessionOwner, ScheduledTask {
  readonly target: PoolTarget;
  readonly lookup: LookupFunction;
  readonly slow = new SlowClients();
  readonly #host: TargetHost;
  /** In the order in which they are filled. */
  readonly #sessions: Session[] = [];
  /** All places in use. */
  readonly #streams = new Set<UpstreamStream>();
  readonly #waiting = new WaitQueue();
  readonly #claims = new Claims(this.#streams);
  readonly #shedding: Shedding;
  #maxConnections = 0;
  #maxQueue = 0;
  /** Streams whose heads have come, without a part of their bodies so far. */
  #heads: UpstreamStream[] = [];
  #scheduled = false;
  #serving = false;
  #retired = false;

  constructor(target: PoolTarget, host: TargetHost) {
    this.target = target;
    this.#host = host;
    this.lookup = host.dns.lookup;
    this.#shedding = new Shedding(
      {
        waiting: this.#waiting,
        slow: this.slow,
        claims: this.#claims,
        isFull: () => this.#free === undefined && this.#full,
      },
      () => host.monotonic(),
      (error) => this.bug(error),
    );
  }

  get resolving(): boolean {
    return this.target.address === undefined && this.#host.dns.resolving(this.target.host);
  }

  get mostStreams(): number {
    return this.target.settings.http2?.maxStreams ?? 1;
  }

  bug(error: unknown): void {
    this.#host.log('error', BUG, { target: this.target.url, error: inspect(error) });
  }

  configure(sharers: number): void {
    const { settings } = this.target;
    this.#maxConnections = Math.ceil(settings.maxConnections / sharers);
    this.#maxQueue = Math.ceil(settings.maxQueue / sharers);
    this.#claims.configure(this.#maxConnections * this.mostStreams, settings);
    for (const session of this.#sessions.slice(this.#maxConnections)) session.leave();
    if (this.#waiting.length > 0) this.#schedule();
  }

  acquire(user: UpstreamUser): void {
    if (this.#scheduled) this.#serve();
    const session = this.#may(user) ? this.#roomFor() : undefined;
    if (session === undefined) this.#wait(user);
    else this.#assign(session, user);
  }

  again(user: UpstreamUser): void {
    this.acquire(user);
  }

  readonly #may = (user: UpstreamUser): boolean => {
    const busy = this.#streams.size;
    return (busy < this.#claims.mostOfOne && !user.streams) || this.#claims.allow(user, busy);
  };

  /** A connection with room, which may be new; undefined if there is none. */
  #roomFor(): Session | undefined {
    const free = this.#free;
    if (free !== undefined || this.#full || !this.#host.descriptors.takeTarget()) return free;
    const session = new Session(this, this.#host.monotonic() + this.target.settings.connectTimeout);
    this.#sessions.push(session);
    this.#count();
    return session;
  }

  get #free(): Session | undefined {
    for (const session of this.#sessions) if (session.hasRoom) return session;
    return undefined;
  }

  get #full(): boolean {
    return this.#sessions.length >= this.#maxConnections;
  }

  #assign(session: Session, user: UpstreamUser): void {
    const stream = session.assign(user);
    this.#streams.add(stream);
    this.#claims.took(stream, user);
    session.start(stream);
  }

  #wait(user: UpstreamUser): void {
    if (this.#sessions.length === 0) {
      user.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      return;
    }
    if (this.#waiting.push(user, this.#host.monotonic(), this.target.settings.connectTimeout, this.#maxQueue))
      this.#shedding.soon();
    else user.onUnavailable('upstream/queue-full', false, queueFull(this.#maxQueue, this.#maxConnections));
  }

  get takesParts(): boolean {
    return this.#waiting.length === 0 && this.#claims.partial < this.#claims.mostPartial;
  }

  get hasSpare(): boolean {
    return this.#waiting.length === 0 && this.#streams.size < this.#claims.most * SPARE_SHARE;
  }

  whole(stream: UpstreamStream): void {
    this.#claims.whole(stream);
    if (this.#waiting.length > 0) this.#schedule();
  }

  headCame(stream: UpstreamStream): void {
    if (this.#heads.length === 0) setImmediate(() => this.#flushHeads());
    this.#heads.push(stream);
  }

  #flushHeads(): void {
    const heads = this.#heads;
    this.#heads = [];
    for (const stream of heads) stream.flushHead();
  }

  release(session: Session, stream: UpstreamStream): void {
    this.#streams.delete(stream);
    this.#claims.freed(stream);
    if (this.#retired || this.#sessions.indexOf(session) >= this.#maxConnections) session.leaving = true;
    if (this.#waiting.length > 0) this.#schedule();
  }

  roomier(): void {
    if (this.#waiting.length > 0) this.#schedule();
  }

  opening(socket: Socket): void {
    this.#host.descriptors.opening(socket);
  }

  closed(session: Session): void {
    const at = this.#sessions.indexOf(session);
    if (at < 0) return;
    this.#sessions.splice(at, 1);
    for (const stream of session.streams) {
      this.#streams.delete(stream);
      this.#claims.freed(stream);
    }
    session.streams.clear();
    this.#host.descriptors.freeTarget();
    this.#count();
    if (this.#waiting.length > 0) this.#schedule();
  }

  #count(): void {
    this.#host.stats.set(this.target.slot, Counter.Connections, this.#sessions.length);
  }

  /** Serves waiting exchanges after the events of this turn: a session that ends frees many places at once. */
  #schedule(): void {
    if (!this.#scheduled) this.#host.scheduler.wait(this);
    this.#scheduled = true;
  }

  takeTurn(): void {
    this.#scheduled = false;
    this.#serve();
  }

  /** Waiting exchanges go before an exchange that asks now. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    try {
      while (this.#waiting.length > 0 && this.#serveOne());
    } catch (error) {
      this.bug(error);
    }
    this.#serving = false;
  }

  #serveOne(): boolean {
    if (this.#waiting.first(this.#may) === undefined) return false;
    const session = this.#roomFor();
    if (session === undefined) {
      // No connection will become free.
      if (this.#sessions.length > 0) return false;
      this.#waiting.next()?.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      return true;
    }
    const user = this.#waiting.next(this.#may);
    if (user !== undefined) this.#assign(session, user);
    return user !== undefined;
  }

  monotonic(): number {
    return this.#host.monotonic();
  }

  cachedNow(): number {
    return this.#host.cachedNow();
  }

  sweep(now: number): void {
    for (const session of [...this.#sessions]) session.sweep(now);
    this.slow.sweep(now);
    this.#claims.sweep(this.#streams.size);
    if (this.#waiting.length === 0) return;
    this.#shedding.run(now);
    this.#schedule();
    const { connectTimeout } = this.target.settings;
    const cause = streamQueueTimeout(connectTimeout, this.#streams.size, this.#sessions.length);
    for (let late = this.#waiting.nextExpired(now); late !== undefined; late = this.#waiting.nextExpired(now))
      late.onUnavailable('upstream/queue-timeout', false, cause);
  }

  shrink(): void {
    for (const session of [...this.#sessions]) if (session.streams.size === 0) session.leave();
  }

  retire(): void {
    this.#retired = true;
    this.shrink();
  }

  revive(): void {
    this.#retired = false;
  }

  get unused(): boolean {
    return this.#sessions.length === 0 && this.#waiting.length === 0;
  }

  close(): void {
    this.#retired = true;
    this.#waiting.clear();
    for (const session of [...this.#sessions]) session.destroy();
  }
}

/** For the TargetHost. */
export const http2Pool = (target: PoolTarget, host: TargetHost): TargetPool => new Http2Pool(target, host);
