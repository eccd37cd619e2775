/** A target of a service: its address, its pool of connections and the queue for them. */
import type { LookupFunction } from 'node:net';
import { inspect } from 'node:util';
import type { ServicePlan } from '../../bundle/types.js';
import { Counter } from '../../telemetry/stats-layout.js';
import { NO_DESCRIPTOR, queueFull, queueTimeout } from '../cause.js';
import { BUG } from '../errors.js';
import type { Outbox } from '../outbox.js';
import type { InTurn } from '../turns.js';
import { UpstreamConnection } from './connection.js';
import { Health } from './health.js';
import { Pipeline } from './pipeline.js';
import type { ReplyConnection } from './reply-connection.js';
import type { TargetHost } from './target-host.js';
import type { UpstreamUser } from './user.js';
import { WaitQueue } from './wait-queue.js';

/** Of a target's connections, those that requests with bodies which have not all come may have. */
const PARTS_SHARE = 3 / 4;
/** As long as no more are in use there are some to spare. */
const SPARE_SHARE = 1 / 2;

export class Target implements InTurn {
  readonly url: string;
  readonly service: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** For a Host of the target's own. */
  readonly authority: string;
  /** The same as a line. */
  readonly hostLine: string;
  /** Base path without a slash at its end. */
  readonly basePath: string;
  weight = 1;
  /** Smooth weighted round robin's running value. */
  current = 0;
  readonly health: Health;
  slot: number;
  settings: ServicePlan;
  readonly lookup: LookupFunction;
  readonly outbox: Outbox;
  readonly #host: TargetHost;
  /** Those that nobody uses, the one that was used last at the end. */
  readonly #idle: UpstreamConnection[] = [];
  /** Shared ones, in the order in which they are filled. */
  readonly #pipelines: Pipeline[] = [];
  /** All of them. */
  readonly #connections = new Set<ReplyConnection>();
  #maxConnections = 0;
  #maxQueue = 0;
  readonly #waiting = new WaitQueue();
  /** An exchange of an older generation asks for it though it has retired: it must be looked after again. */
  onUsedAgain: () => void = () => {};
  /** Opens a connection in the place of the next one that closes. */
  #heir: UpstreamUser | undefined;
  /** Those who wait will get what has become free in its turn. */
  #inTurn = false;
  #retired = false;

  /** Throws TypeError for a URL that is not http or https. */
  constructor(url: string, settings: ServicePlan, slot: number, host: TargetHost) {
    const parsed = new URL(url);
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') throw new TypeError(`No target: ${url}`);
    this.url = url;
    this.service = settings.name;
    this.secure = parsed.protocol === 'https:';
    this.host = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname;
    this.port = parsed.port === '' ? (this.secure ? 443 : 80) : Number(parsed.port);
    this.authority = parsed.host;
    this.hostLine = `host: ${parsed.host}\r\n`;
    this.basePath = parsed.pathname.replace(/\/+$/, '');
    this.settings = settings;
    this.slot = slot;
    this.#host = host;
    this.lookup = host.names.lookup;
    this.outbox = host.outbox;
    this.health = new Health(this, host);
    this.configure(settings, 1);
  }

  /** Whether connections wait for the address of its name. */
  get resolving(): boolean {
    return this.#host.names.resolving(this.host);
  }

  /** Something threw that must not, in what this target or its reply brought about. */
  bug(error: unknown): void {
    this.#host.log('error', BUG, { target: this.url, error: inspect(error) });
  }

  /** The bounds of a generation; those that hold for the gateway as a whole are divided among `sharers`. */
  configure(settings: ServicePlan, sharers: number): void {
    this.settings = settings;
    this.#maxConnections = Math.ceil(settings.maxConnections / sharers);
    this.#maxQueue = Math.ceil(settings.maxQueue / sharers);
    while (this.#overfull && this.#idle.length > 0) this.#idle.shift()!.abandon();
    for (const pipeline of this.#pipelines.filter(({ idle }) => idle)) if (this.#overfull) pipeline.leave();
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
    const idle = user.fresh ? undefined : this.#takeIdle();
    if (idle !== undefined) {
      idle.deadline = 0;
      user.onConnection(idle);
      return;
    }
    if (this.#full) this.#idle.shift()?.abandon();
    if (this.#full) this.#pipelines.find((pipeline) => pipeline.idle)?.leave();
    if (!this.#full && this.#host.descriptors.takeTarget()) this.#open(user);
    else this.#wait(user);
  }

  #takeIdle(): UpstreamConnection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.usable) return idle;
      idle.abandon();
    }
    return undefined;
  }

  /** As few connections as will do, so that much is written at once; but nobody stands behind what does not move. */
  #share(user: UpstreamUser): void {
    const now = this.#host.lately();
    for (const pipeline of this.#pipelines) {
      if (!pipeline.hasRoom(this.settings.pipelining, now)) continue;
      user.onPlace(pipeline);
      return;
    }
    if (this.#full) this.#idle.pop()?.abandon();
    if (!this.#full && this.#host.descriptors.takeTarget()) this.#openPipeline(user);
    else this.#wait(user);
  }

  /** Connections that serve somebody, or are opened for somebody. */
  get #busy(): number {
    return this.#connections.size - this.#idle.length;
  }

  /** Whether a request whose body has not all come may have a connection. */
  get takesParts(): boolean {
    return this.#waiting.length === 0 && this.#busy < this.#maxConnections * PARTS_SHARE;
  }

  /** Whether there are connections to spare: for a client that may wait for an answer to the part that it has sent. */
  get hasSpare(): boolean {
    return this.#waiting.length === 0 && this.#busy < this.#maxConnections * SPARE_SHARE;
  }

  get #full(): boolean {
    return this.#connections.size >= this.#maxConnections;
  }

  /** A load made the bound lower: what is in use is let go of when it is not any more. */
  get #overfull(): boolean {
    return this.#connections.size > this.#maxConnections;
  }

  #open(user: UpstreamUser): void {
    this.#add(new UpstreamConnection(this, user, this.#host.monotonic() + this.settings.connectTimeout));
  }

  #openPipeline(user: UpstreamUser): void {
    const pipeline = new Pipeline(this, this.#host.monotonic() + this.settings.connectTimeout);
    this.#pipelines.push(pipeline);
    this.#add(pipeline);
    user.onPlace(pipeline);
  }

  #add(connection: ReplyConnection): void {
    this.#connections.add(connection);
    this.#count();
  }

  #wait(user: UpstreamUser): void {
    if (this.#connections.size === 0) {
      // Nobody is there to give one back.
      user.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      return;
    }
    if (this.#waiting.push(user, this.#host.monotonic(), this.settings.connectTimeout, this.#maxQueue))
      this.#makeRoom();
    else user.onUnavailable('upstream/queue-full', false, queueFull(this.#maxQueue, this.#maxConnections));
  }

  /**
   * Somebody waits for a connection of its own while all are shared: one of them takes nobody more, and closes. One whose
   * line does not move is not waited for.
   */
  #makeRoom(): void {
    if (this.#pipelines.length === 0 || !this.#waiting.ownWaits) return;
    const now = this.#host.lately();
    if (this.#pipelines.some((pipeline) => pipeline.leaving && !pipeline.stalled(now))) return;
    const staying = this.#pipelines.filter(({ leaving }) => !leaving);
    (staying.findLast((pipeline) => !pipeline.stalled(now)) ?? staying.at(-1))?.leave();
  }

  /** A connection whose reply has ended, or that connected for somebody who is gone. */
  release(connection: UpstreamConnection): void {
    if (this.#overfull) {
      connection.abandon();
      return;
    }
    const next = this.#mayServe() ? this.#waiting.next() : undefined;
    if (next !== undefined) {
      this.#give(connection, next);
      return;
    }
    if (this.#retired && !this.#inTurn) {
      connection.abandon();
      return;
    }
    connection.deadline = this.#host.lately() + this.settings.idleTimeout;
    this.#idle.push(connection);
  }

  #give(connection: UpstreamConnection, next: UpstreamUser): void {
    if (next.fresh && connection.reused) this.#replace(connection, next);
    else next.onConnection(connection);
  }

  /** Whether those who wait may go on. While connections come in, their requests would make the turns long: they get theirs. */
  #mayServe(): boolean {
    if (!this.#host.turns.held || this.#waiting.length === 0) return true;
    this.#askForTurn();
    return false;
  }

  #askForTurn(): void {
    if (!this.#inTurn) this.#host.turns.wait(this);
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
      for (const pipeline of [...this.#pipelines]) this.#fill(pipeline);
      this.#openForWaiting();
    } catch (error) {
      this.bug(error);
    }
  }

  #giveIdle(): void {
    while (this.#waiting.length > 0) {
      const idle = this.#takeIdle();
      if (idle === undefined) return;
      const next = this.#waiting.next();
      if (next === undefined) {
        this.#idle.push(idle);
        return;
      }
      idle.deadline = 0;
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
    if (this.#overfull) pipeline.leave();
    else if (this.#waiting.length > 0 && this.#mayServe()) this.#fill(pipeline);
    if (this.#retired && !this.#inTurn && pipeline.idle) pipeline.leave();
  }

  #fill(pipeline: Pipeline): void {
    const now = this.#host.lately();
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
    this.#host.descriptors.freeTarget();
    this.#count();
    if (connection instanceof UpstreamConnection) remove(this.#idle, connection);
    else if (connection instanceof Pipeline) remove(this.#pipelines, connection);
    this.#openForWaiting();
    this.#makeRoom();
  }

  #openForWaiting(): void {
    while (!this.#full && (this.#heir !== undefined || this.#waiting.length > 0)) {
      const more = this.#host.descriptors.takeTarget();
      // Without a descriptor they wait for one of those that are open, if there is one.
      if (!more && this.#connections.size > 0) return;
      const next = this.#heir ?? this.#waiting.next();
      this.#heir = undefined;
      if (next === undefined) {
        if (more) this.#host.descriptors.freeTarget();
        return;
      }
      if (!more) next.onUnavailable('gateway/exhausted', false, NO_DESCRIPTOR);
      else if (!next.shares || this.settings.pipelining === 1) this.#open(next);
      else {
        this.#openPipeline(next);
        this.#fill(this.#pipelines.at(-1)!);
      }
    }
  }

  #count(): void {
    this.#host.stats.set(this.slot, Counter.Connections, this.#connections.size);
  }

  /** Looks at the clock for lately(). */
  look(): void {
    this.#host.monotonic();
  }

  /** Monotonic milliseconds, a sweep old at most. */
  lately(): number {
    return this.#host.lately();
  }

  /** Monotonic time until which the next bytes of a reply must come. */
  responseDeadline(): number {
    return this.#host.monotonic() + this.settings.responseTimeout;
  }

  /** Timeouts, at the sweep's grain. */
  sweep(now: number): void {
    for (const connection of this.#connections) connection.sweep(now);
    for (let late = this.#waiting.nextExpired(now); late !== undefined; late = this.#waiting.nextExpired(now))
      late.onUnavailable(
        'upstream/queue-timeout',
        false,
        queueTimeout(this.settings.connectTimeout, this.#connections.size, this.#maxConnections),
      );
    this.#makeRoom();
  }

  /** Memory runs short: closes half of the connections that nobody uses, those first that have been idle longest. */
  shrink(): void {
    for (const connection of this.#idle.slice(0, Math.ceil(this.#idle.length / 2))) connection.abandon();
    for (const pipeline of this.#pipelines.filter(({ idle }) => idle)) pipeline.leave();
  }

  /** No live generation names it: connections close as they become free. */
  retire(): void {
    this.#retired = true;
    if (!this.#inTurn) this.#letIdleGo();
  }

  #letIdleGo(): void {
    for (const connection of [...this.#idle]) connection.abandon();
    for (const pipeline of this.#pipelines.filter(({ idle }) => idle)) pipeline.leave();
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

function remove<T>(list: T[], one: T): void {
  const at = list.indexOf(one);
  if (at >= 0) list.splice(at, 1);
}
