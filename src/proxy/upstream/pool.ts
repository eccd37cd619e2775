/** The connections to a target, and the queue of exchanges that wait for one. */
import type { LookupFunction, Socket } from 'node:net';
import { inspect } from 'node:util';
import { Counter } from '../../telemetry/stats/layout.js';
import { NO_DESCRIPTOR, queueFull, queueTimeout } from '../errors/cause.js';
import { BUG } from '../errors/errors.js';
import type { ScheduledTask } from '../load/fair-scheduler.js';
import { Claims } from './claims.js';
import { type ConnectionOwner, UpstreamConnection } from './connection.js';
import { IdleConnections, Pipelines } from './connection-lists.js';
import { Pipeline, type PipelineOwner } from './pipeline.js';
import { ownerOf } from './proxied.js';
import type { ReplyConnection } from './reply-connection.js';
import { Shedding } from './shed.js';
import { SlowClients } from './slow-clients.js';
import type { TargetHost } from './target-host.js';
import type { PoolTarget, TargetPool } from './target-pool.js';
import { replyDeadline, type UpstreamUser } from './user.js';
import { WaitQueue } from './wait-queue.js';

/** There are connections to spare while at most this share is in use. */
const SPARE_SHARE = 1 / 2;

export class ConnectionPool implements TargetPool, ConnectionOwner, PipelineOwner, ScheduledTask {
  readonly target: PoolTarget;
  readonly lookup: LookupFunction;
  readonly batcher: TargetHost['batcher'];
  /** Exchanges that use a connection and wait for their clients. */
  readonly slow = new SlowClients();
  readonly #host: TargetHost;
  readonly #idle = new IdleConnections();
  readonly #pipelines = new Pipelines();
  /** All connections. */
  readonly #connections = new Set<ReplyConnection>();
  #maxConnections = 0;
  #maxQueue = 0;
  readonly #waiting = new WaitQueue();
  readonly #claims = new Claims(this.#connections);
  readonly #shedding: Shedding;
  /** Gets a new connection in place of the one that closes next. */
  #successor: UpstreamUser | undefined;
  /** takeTurn() is scheduled: waiting exchanges get free connections there. */
  #scheduled = false;
  #retired = false;

  constructor(target: PoolTarget, host: TargetHost) {
    this.target = target;
    this.#host = host;
    this.lookup = host.dns.lookup;
    this.batcher = host.batcher;
    this.#shedding = new Shedding(
      { waiting: this.#waiting, slow: this.slow, claims: this.#claims, isFull: () => this.#full },
      () => host.monotonic(),
      (error) => this.bug(error),
    );
  }

  /** Whether connections wait for the address of the target's name. */
  get resolving(): boolean {
    return this.target.address === undefined && this.#host.dns.resolving(this.target.host);
  }

  /** Logs an unexpected exception in the handling of this target or its replies. */
  bug(error: unknown): void {
    this.#host.log('error', BUG, { target: this.target.url, error: inspect(error) });
  }

  /** Takes over the bounds of the target's settings; those of the whole gateway are divided among `sharers`. */
  configure(sharers: number): void {
    const { settings } = this.target;
    this.#maxConnections = Math.ceil(settings.maxConnections / sharers);
    this.#maxQueue = Math.ceil(settings.maxQueue / sharers);
    this.#claims.configure(this.#maxConnections, settings);
    this.#idle.close(this.#surplus);
    this.#pipelines.closeIdle(this.#surplus);
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Gives `user` a connection, or a place on one, now or later; or calls onUnavailable(). */
  acquire(user: UpstreamUser): void {
    if (this.#scheduled) this.#serve();
    if (this.target.settings.pipelining > 1 && user.shares) {
      this.#share(user);
      return;
    }
    if (!this.#may(user)) {
      this.#wait(user);
      return;
    }
    const idle = user.fresh ? undefined : this.#idle.take(this.#ownerOf(user));
    if (idle !== undefined) {
      this.#hand(idle, user);
      return;
    }
    if (this.#full) this.#idle.close(1);
    if (this.#full) this.#pipelines.closeIdle(1);
    if (!this.#full && this.#host.descriptors.takeTarget())
      this.#add(new UpstreamConnection(this, user, this.#connectBy()), user);
    else this.#wait(user);
  }

  /** Whether the user's share permits one more connection. */
  readonly #may = (user: UpstreamUser): boolean => {
    const busy = this.#busy;
    return (busy < this.#claims.mostOfOne && !user.streams) || this.#claims.allow(user, busy);
  };

  #hand(connection: UpstreamConnection, user: UpstreamUser): void {
    connection.deadline = 0;
    this.#claims.took(connection, user);
    user.onConnection(connection);
  }

  /** Uses few connections, so that writes are large; but puts no request after a stalled reply. */
  #share(user: UpstreamUser): void {
    const pipeline = this.#pipelines.withRoom(this.target.settings.pipelining, this.#host.cachedNow());
    if (pipeline !== undefined) {
      user.onPlace(pipeline);
      return;
    }
    if (this.#full) this.#idle.close(1);
    if (!this.#full && this.#may(user) && this.#host.descriptors.takeTarget()) this.#openPipeline(user);
    else this.#wait(user);
  }

  /** Connections in use, or being opened. */
  get #busy(): number {
    return this.#connections.size - this.#idle.length;
  }

  /** Whether there is a connection for a request with an incomplete body. */
  get takesParts(): boolean {
    return this.#waiting.length === 0 && this.#claims.partial < this.#claims.mostPartial;
  }

  /** Whether there are connections to spare, for a client that may wait for a reply to a part of its body. */
  get hasSpare(): boolean {
    return this.#waiting.length === 0 && this.#busy < this.#maxConnections * SPARE_SHARE;
  }

  get #full(): boolean {
    return this.#connections.size >= this.#maxConnections;
  }

  /** Connections above the bound, which a reload lowered: they close as they become free. */
  get #surplus(): number {
    return Math.max(0, this.#connections.size - this.#maxConnections);
  }

  #openPipeline(user: UpstreamUser): Pipeline {
    const pipeline = new Pipeline(this, this.#connectBy());
    this.#pipelines.push(pipeline);
    this.#add(pipeline, user);
    user.onPlace(pipeline);
    return pipeline;
  }

  #connectBy(): number {
    return this.#host.monotonic() + this.target.settings.connectTimeout;
  }

  #add(connection: ReplyConnection, user: UpstreamUser): void {
    this.#connections.add(connection);
    this.#claims.took(connection, user);
    this.#count();
  }

  #wait(user: UpstreamUser): void {
    if (this.#connections.size === 0) {
      // No connection will become free.
      user.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      return;
    }
    if (this.#waiting.push(user, this.#host.monotonic(), this.target.settings.connectTimeout, this.#maxQueue)) {
      this.#makeRoom();
      this.#shedding.soon();
    } else user.onUnavailable('upstream/queue-full', false, queueFull(this.#maxQueue, this.#maxConnections));
  }

  /** An exchange waits for its own connection while all are shared: one of them must end. */
  #makeRoom(): void {
    if (this.#pipelines.length > 0 && this.#waiting.ownWaits) this.#pipelines.makeRoom(this.#host.cachedNow());
  }

  /** The connection is free: its reply has ended, or its user left while it connected. */
  release(connection: UpstreamConnection): void {
    this.#claims.freed(connection);
    if (this.#surplus > 0) {
      connection.abandon();
      return;
    }
    const next = this.#mayServe() ? this.#waiting.next(this.#may) : undefined;
    if (next !== undefined) {
      this.#give(connection, next);
      return;
    }
    if (this.#retired && !this.#scheduled) {
      connection.abandon();
      return;
    }
    connection.deadline = this.#host.cachedNow() + this.target.settings.idleTimeout;
    this.#idle.push(connection);
  }

  #ownerOf(user: UpstreamUser): string {
    return ownerOf(this.target.settings, user.clientAddress);
  }

  #give(connection: UpstreamConnection, next: UpstreamUser): void {
    if ((next.fresh && connection.reused) || connection.owner !== this.#ownerOf(next)) this.#replace(connection, next);
    else this.#hand(connection, next);
  }

  /** The request body of the connection is complete. */
  whole(connection: UpstreamConnection): void {
    this.#claims.whole(connection);
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** False during a burst of new connections, whose turns of the event loop must stay short: then they are served later. */
  #mayServe(): boolean {
    if (!this.#host.scheduler.held || this.#waiting.length === 0) return true;
    this.#schedule();
    return false;
  }

  #schedule(): void {
    if (!this.#scheduled) this.#host.scheduler.wait(this);
    this.#scheduled = true;
  }

  /** Gives free connections, and new ones that a reload permits, to waiting exchanges. */
  takeTurn(): void {
    this.#scheduled = false;
    this.#serve();
    if (this.#retired) this.#closeIdle();
  }

  /** Waiting exchanges go before an exchange that asks now. */
  #serve(): void {
    this.readClock();
    try {
      this.#giveIdle();
      for (const pipeline of this.#pipelines.all()) this.#fill(pipeline);
      this.#openForWaiting();
    } catch (error) {
      this.bug(error);
    }
  }

  #giveIdle(): void {
    while (this.#waiting.length > 0) {
      const idle = this.#idle.take();
      if (idle === undefined) return;
      const next = this.#waiting.next(this.#may);
      if (next === undefined) {
        this.#idle.push(idle);
        return;
      }
      this.#give(idle, next);
    }
  }

  #replace(connection: UpstreamConnection, successor: UpstreamUser): void {
    this.#successor = successor;
    connection.abandon();
    if (this.#successor === undefined) return;
    // There was no descriptor for a new one: keep waiting.
    this.#successor = undefined;
    this.#wait(successor);
  }

  /** A reply on a shared connection has ended: there is room for another request. */
  vacated(pipeline: Pipeline): void {
    if (this.#surplus > 0) pipeline.leave();
    else if (this.#waiting.length > 0 && this.#mayServe()) this.#fill(pipeline);
    if (this.#retired && !this.#scheduled && pipeline.idle) pipeline.leave();
  }

  #fill(pipeline: Pipeline): void {
    const now = this.#host.cachedNow();
    const { pipelining } = this.target.settings;
    while (pipeline.hasRoom(pipelining, now)) {
      const next = this.#waiting.nextSharing();
      if (next === undefined) return;
      next.onPlace(pipeline);
    }
  }

  opening(socket: Socket): void {
    this.#host.descriptors.opening(socket);
  }

  /** A connection has closed. */
  closed(connection: ReplyConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.#claims.freed(connection);
    this.#host.descriptors.freeTarget();
    this.#count();
    if (connection instanceof UpstreamConnection) this.#idle.delete(connection);
    else if (connection instanceof Pipeline) this.#pipelines.delete(connection);
    this.#openForWaiting();
    this.#makeRoom();
  }

  #openForWaiting(): void {
    while (!this.#full && (this.#successor !== undefined || this.#waiting.length > 0)) {
      const more = this.#host.descriptors.takeTarget();
      // Without a descriptor they wait for an open connection, if there is one.
      if (!more && this.#connections.size > 0) return;
      const next = this.#successor ?? this.#waiting.next(this.#may);
      this.#successor = undefined;
      if (next === undefined) {
        if (more) this.#host.descriptors.freeTarget();
        return;
      }
      if (!more) next.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      else if (!next.shares || this.target.settings.pipelining === 1)
        this.#add(new UpstreamConnection(this, next, this.#connectBy()), next);
      else this.#fill(this.#openPipeline(next));
    }
  }

  #count(): void {
    this.#host.stats.set(this.target.slot, Counter.Connections, this.#connections.size);
  }

  /** Reads the clock for cachedNow(). */
  readClock(): void {
    this.#host.monotonic();
  }

  /** Monotonic milliseconds, at most one sweep old. */
  cachedNow(): number {
    return this.#host.cachedNow();
  }

  /** Monotonic time by which the next bytes of a reply must come. */
  responseDeadline(user: UpstreamUser | null): number {
    return replyDeadline(this.#host.monotonic(), user, this.target.settings.responseTimeout);
  }

  /** Checks all deadlines; called a few times a second. */
  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
    this.slow.sweep(now);
    this.#claims.sweep(this.#busy);
    this.#makeRoom();
    if (this.#waiting.length === 0) return;
    this.#shedding.run(now);
    this.#schedule();
    const cause = queueTimeout(this.target.settings.connectTimeout, this.#connections.size, this.#maxConnections);
    for (let late = this.#waiting.nextExpired(now); late !== undefined; late = this.#waiting.nextExpired(now))
      late.onUnavailable('upstream/queue-timeout', false, cause);
  }

  /** Memory is low: closes half of the idle connections, the longest idle first. */
  shrink(): void {
    this.#idle.close(Math.ceil(this.#idle.length / 2));
    this.#pipelines.closeIdle();
  }

  /** Connections close as they become free. */
  retire(): void {
    this.#retired = true;
    if (!this.#scheduled) this.#closeIdle();
  }

  #closeIdle(): void {
    this.#idle.close();
    this.#pipelines.closeIdle();
  }

  revive(): void {
    this.#retired = false;
  }

  /** No connections, and no exchange waits for one. */
  get unused(): boolean {
    return this.#connections.size === 0 && this.#waiting.length === 0;
  }

  /** Closes all connections at once. */
  close(): void {
    this.#retired = true;
    this.#waiting.clear();
    for (const connection of [...this.#connections]) connection.destroy();
  }
}
