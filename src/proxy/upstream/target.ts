/** A target of a service: its address, its pool of connections and the queue for them. */
import type { LookupFunction } from 'node:net';
import { inspect } from 'node:util';
import type { ServiceEntry } from '../../bundle/types.js';
import { Counter } from '../../telemetry/stats/layout.js';
import { NO_DESCRIPTOR, queueFull, queueTimeout } from '../errors/cause.js';
import { BUG } from '../errors/errors.js';
import type { ScheduledTask } from '../load/fair-scheduler.js';
import type { WriteBatcher } from '../load/write-batcher.js';
import { Claims } from './claims.js';
import { UpstreamConnection } from './connection.js';
import { Health } from './health.js';
import { IdleConnections } from './idle.js';
import { Origin } from './origin.js';
import { Pipeline } from './pipeline.js';
import { Pipelines } from './pipelines.js';
import type { ReplyConnection } from './reply-connection.js';
import { Shedding } from './shed.js';
import { SlowClients } from './slow-clients.js';
import type { TargetHost } from './target-host.js';
import type { UpstreamUser } from './user.js';
import { WaitQueue } from './wait-queue.js';

/** As long as no more are in use there are some to spare. */
const SPARE_SHARE = 1 / 2;

export class Target extends Origin implements ScheduledTask {
  readonly service: string;
  weight = 1;
  /** Smooth weighted round robin's running value. */
  current = 0;
  readonly health: Health;
  slot: number;
  settings: ServiceEntry;
  readonly lookup: LookupFunction;
  readonly batcher: WriteBatcher;
  readonly #host: TargetHost;
  readonly #idle = new IdleConnections();
  readonly #pipelines = new Pipelines();
  /** All of them. */
  readonly #connections = new Set<ReplyConnection>();
  #maxConnections = 0;
  #maxQueue = 0;
  readonly #waiting = new WaitQueue();
  readonly #claims = new Claims(this.#connections);
  /** Exchanges that hold a connection and wait for their clients. */
  readonly slow = new SlowClients();
  readonly #shedding: Shedding;
  /** An exchange of an older generation asks for it though it has retired: it must be looked after again. */
  onUsedAgain: () => void = () => {};
  /** Opens a connection in the place of the next one that closes. */
  #heir: UpstreamUser | undefined;
  /** Those who wait will get what has become free in its turn. */
  #inTurn = false;
  #retired = false;

  constructor(url: string, settings: ServiceEntry, slot: number, host: TargetHost) {
    super(url);
    this.service = settings.name;
    this.settings = settings;
    this.slot = slot;
    this.#host = host;
    this.lookup = host.dns.lookup;
    this.batcher = host.batcher;
    this.health = new Health(this, host);
    this.#shedding = new Shedding(
      { waiting: this.#waiting, slow: this.slow, claims: this.#claims, isFull: () => this.#full },
      () => host.monotonic(),
      (error) => this.bug(error),
    );
    this.configure(settings, 1);
  }

  /** Whether connections wait for the address of its name. */
  get resolving(): boolean {
    return this.#host.dns.resolving(this.host);
  }

  /** Something threw that must not, in what this target or its reply brought about. */
  bug(error: unknown): void {
    this.#host.log('error', BUG, { target: this.url, error: inspect(error) });
  }

  /** The bounds of a generation; those that hold for the gateway as a whole are divided among `sharers`. */
  configure(settings: ServiceEntry, sharers: number): void {
    this.settings = settings;
    this.#maxConnections = Math.ceil(settings.maxConnections / sharers);
    this.#maxQueue = Math.ceil(settings.maxQueue / sharers);
    this.#claims.configure(this.#maxConnections, settings);
    this.#idle.close(this.#surplus);
    this.#pipelines.closeIdle(this.#surplus);
    if (this.#waiting.length > 0) this.#askForTurn();
  }

  /** Gives `user` a connection, or a place on one: now, or when there is one; or tells it that there will be none. */
  acquire(user: UpstreamUser): void {
    if (this.#retired) this.onUsedAgain();
    if (this.#inTurn) this.#serve();
    if (this.settings.pipelining > 1 && user.shares) {
      this.#share(user);
      return;
    }
    if (!this.#may(user)) {
      this.#wait(user);
      return;
    }
    const idle = user.fresh ? undefined : this.#idle.take();
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

  /** Whether `user` may have one of the connections that are free, or may be opened. */
  readonly #may = (user: UpstreamUser): boolean => {
    const busy = this.#busy;
    return (busy < this.#claims.mostOfOne && !user.streams) || this.#claims.allow(user, busy);
  };

  #hand(connection: UpstreamConnection, user: UpstreamUser): void {
    connection.deadline = 0;
    this.#claims.took(connection, user);
    user.onConnection(connection);
  }

  /** As few connections as will do, so that much is written at once; but nobody stands behind what does not move. */
  #share(user: UpstreamUser): void {
    const pipeline = this.#pipelines.withRoom(this.settings.pipelining, this.#host.cachedNow());
    if (pipeline !== undefined) {
      user.onPlace(pipeline);
      return;
    }
    if (this.#full) this.#idle.close(1);
    if (!this.#full && this.#may(user) && this.#host.descriptors.takeTarget()) this.#openPipeline(user);
    else this.#wait(user);
  }

  /** Connections that serve an exchange, or are opened for one. */
  get #busy(): number {
    return this.#connections.size - this.#idle.length;
  }

  /** Whether a request whose body has not all come may have a connection. */
  get takesParts(): boolean {
    return this.#waiting.length === 0 && this.#claims.partial < this.#claims.mostPartial;
  }

  /** Whether there are connections to spare: for a client that may wait for an answer to the part that it has sent. */
  get hasSpare(): boolean {
    return this.#waiting.length === 0 && this.#busy < this.#maxConnections * SPARE_SHARE;
  }

  get #full(): boolean {
    return this.#connections.size >= this.#maxConnections;
  }

  /** A load made the bound lower: so many are let go of as soon as they are not in use any more. */
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
    return this.#host.monotonic() + this.settings.connectTimeout;
  }

  #add(connection: ReplyConnection, user: UpstreamUser): void {
    this.#connections.add(connection);
    this.#claims.took(connection, user);
    this.#count();
  }

  #wait(user: UpstreamUser): void {
    if (this.#connections.size === 0) {
      // Nobody is there to give one back.
      user.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      return;
    }
    if (this.#waiting.push(user, this.#host.monotonic(), this.settings.connectTimeout, this.#maxQueue)) {
      this.#makeRoom();
      this.#shedding.soon();
    } else user.onUnavailable('upstream/queue-full', false, queueFull(this.#maxQueue, this.#maxConnections));
  }

  /** An exchange waits for a connection of its own while all are shared. */
  #makeRoom(): void {
    if (this.#pipelines.length > 0 && this.#waiting.ownWaits) this.#pipelines.makeRoom(this.#host.cachedNow());
  }

  /** A connection whose reply has ended, or that connected for somebody who is gone. */
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
    if (this.#retired && !this.#inTurn) {
      connection.abandon();
      return;
    }
    connection.deadline = this.#host.cachedNow() + this.settings.idleTimeout;
    this.#idle.push(connection);
  }

  #give(connection: UpstreamConnection, next: UpstreamUser): void {
    if (next.fresh && connection.reused) this.#replace(connection, next);
    else this.#hand(connection, next);
  }

  /** The rest of the body of a request that is on its way has come. */
  whole(connection: UpstreamConnection): void {
    this.#claims.whole(connection);
    if (this.#waiting.length > 0) this.#askForTurn();
  }

  /** Whether those who wait may go on. While connections come in, their requests would make the turns long: they get theirs. */
  #mayServe(): boolean {
    if (!this.#host.scheduler.held || this.#waiting.length === 0) return true;
    this.#askForTurn();
    return false;
  }

  #askForTurn(): void {
    if (!this.#inTurn) this.#host.scheduler.wait(this);
    this.#inTurn = true;
  }

  /** Those who wait get what has become free, and what there may be more of since a reload. */
  takeTurn(): void {
    this.#inTurn = false;
    this.#serve();
    if (this.#retired) this.#letIdleGo();
  }

  /** Ahead of whoever asks now. */
  #serve(): void {
    this.look();
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

  #replace(connection: UpstreamConnection, heir: UpstreamUser): void {
    this.#heir = heir;
    connection.abandon();
    if (this.#heir === undefined) return;
    // No descriptor for it: on with waiting.
    this.#heir = undefined;
    this.#wait(heir);
  }

  /** A reply on a shared connection has ended: somebody else may stand in its line. */
  vacated(pipeline: Pipeline): void {
    if (this.#surplus > 0) pipeline.leave();
    else if (this.#waiting.length > 0 && this.#mayServe()) this.#fill(pipeline);
    if (this.#retired && !this.#inTurn && pipeline.idle) pipeline.leave();
  }

  #fill(pipeline: Pipeline): void {
    const now = this.#host.cachedNow();
    const { pipelining } = this.settings;
    while (pipeline.hasRoom(pipelining, now)) {
      const next = this.#waiting.nextSharing();
      if (next === undefined) return;
      next.onPlace(pipeline);
    }
  }

  /** A connection is gone. */
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
    while (!this.#full && (this.#heir !== undefined || this.#waiting.length > 0)) {
      const more = this.#host.descriptors.takeTarget();
      // Without a descriptor they wait for one of those that are open, if there is one.
      if (!more && this.#connections.size > 0) return;
      const next = this.#heir ?? this.#waiting.next(this.#may);
      this.#heir = undefined;
      if (next === undefined) {
        if (more) this.#host.descriptors.freeTarget();
        return;
      }
      if (!more) next.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      else if (!next.shares || this.settings.pipelining === 1)
        this.#add(new UpstreamConnection(this, next, this.#connectBy()), next);
      else {
        this.#fill(this.#openPipeline(next));
      }
    }
  }

  #count(): void {
    this.#host.stats.set(this.slot, Counter.Connections, this.#connections.size);
  }

  /** Looks at the clock for cachedNow(). */
  look(): void {
    this.#host.monotonic();
  }

  /** Monotonic milliseconds, a sweep old at most. */
  cachedNow(): number {
    return this.#host.cachedNow();
  }

  /** Monotonic time until which the next bytes of a reply must come. */
  responseDeadline(): number {
    return this.#host.monotonic() + this.settings.responseTimeout;
  }

  /** Timeouts, at the sweep's grain. */
  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
    this.slow.look(now);
    this.#claims.sweep(this.#busy);
    this.#makeRoom();
    if (this.#waiting.length === 0) return;
    this.#shedding.run(now);
    this.#askForTurn();
    const cause = queueTimeout(this.settings.connectTimeout, this.#connections.size, this.#maxConnections);
    for (let late = this.#waiting.nextExpired(now); late !== undefined; late = this.#waiting.nextExpired(now))
      late.onUnavailable('upstream/queue-timeout', false, cause);
  }

  /** Memory runs short: closes half of the connections that nobody uses, those first that have been idle longest. */
  shrink(): void {
    this.#idle.close(Math.ceil(this.#idle.length / 2));
    this.#pipelines.closeIdle();
  }

  /** No live generation names it: connections close as they become free. */
  retire(): void {
    this.#retired = true;
    if (!this.#inTurn) this.#letIdleGo();
  }

  #letIdleGo(): void {
    this.#idle.close();
    this.#pipelines.closeIdle();
  }

  /** A generation names it again. */
  revive(): void {
    this.#retired = false;
  }

  get finished(): boolean {
    return this.#retired && this.#connections.size === 0 && this.#waiting.length === 0;
  }

  /** At once. */
  close(): void {
    this.#retired = true;
    this.#waiting.clear();
    for (const connection of [...this.#connections]) connection.destroy();
  }
}
