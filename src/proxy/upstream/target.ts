/** A target of a service: its address, its pool of connections and the queue for them, and its health. */
import type { ServicePlan } from '../../bundle/types.js';
import { Counter } from '../../telemetry/stats-layout.js';
import type { StatsWriter } from '../../telemetry/stats-writer.js';
import type { Descriptors } from '../descriptors.js';
import { UpstreamConnection } from './connection.js';
import type { UpstreamUser } from './user.js';

/** What targets need of the data plane. */
export interface TargetHost {
  readonly stats: StatsWriter;
  readonly descriptors: Descriptors;
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** The same, a sweep old at most. */
  lately(): number;
  /** The host's clock. */
  now(): number;
  log(level: 'info' | 'warn', message: string, fields: Record<string, unknown>): void;
}

interface Waiter {
  readonly user: UpstreamUser;
  readonly deadline: number;
}

export class Target {
  readonly url: string;
  readonly service: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** For a Host of the target's own. */
  readonly authority: string;
  /** Base path without a slash at its end. */
  readonly basePath: string;
  weight = 1;
  /** Smooth weighted round robin's running value. */
  current = 0;
  /** Until then it rests (host clock). */
  ejectedUntil = 0;
  slot: number;
  settings: ServicePlan;
  readonly #host: TargetHost;
  readonly #idle: UpstreamConnection[] = [];
  readonly #connections = new Set<UpstreamConnection>();
  #waiters: Waiter[] = [];
  #failures = 0;
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
    this.basePath = parsed.pathname.replace(/\/+$/, '');
    this.settings = settings;
    this.slot = slot;
    this.#host = host;
  }

  get ejected(): boolean {
    return this.ejectedUntil !== 0 && this.ejectedUntil > this.#host.now();
  }

  /** Gives `user` a connection: now, or when one is there; or tells it that there will be none. */
  acquire(user: UpstreamUser): void {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.usable) {
        idle.abandon();
        continue;
      }
      idle.deadline = 0;
      user.onConnection(idle);
      return;
    }
    if (this.#connections.size < this.settings.maxConnections && this.#host.descriptors.takeTarget()) {
      this.#open(user);
      return;
    }
    if (this.#connections.size === 0) {
      // Nobody is there to give one back.
      user.onUnavailable('gateway/exhausted');
      return;
    }
    if (this.#waiters.length >= this.settings.maxQueue)
      this.#waiters = this.#waiters.filter((waiter) => !waiter.user.over);
    if (this.#waiters.length < this.settings.maxQueue)
      this.#waiters.push({ user, deadline: this.#host.monotonic() + this.settings.connectTimeout });
    else user.onUnavailable('upstream/queue-full');
  }

  #open(user: UpstreamUser): void {
    const deadline = this.#host.monotonic() + this.settings.connectTimeout;
    const connection = new UpstreamConnection(this, user, deadline);
    this.#connections.add(connection);
    this.#count();
  }

  /** A connection whose reply has ended, or that connected for somebody who is gone. */
  release(connection: UpstreamConnection): void {
    const next = this.#nextWaiter();
    if (next !== undefined) {
      next.onConnection(connection);
      return;
    }
    if (this.#retired) {
      connection.abandon();
      return;
    }
    connection.deadline = this.#host.lately() + this.settings.idleTimeout;
    this.#idle.push(connection);
  }

  /** A connection is gone. */
  closed(connection: UpstreamConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.#host.descriptors.freeTarget();
    this.#count();
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#connections.size >= this.settings.maxConnections) return;
    const next = this.#nextWaiter();
    if (next === undefined) return;
    if (this.#host.descriptors.takeTarget()) this.#open(next);
    else next.onUnavailable('gateway/exhausted');
  }

  #nextWaiter(): UpstreamUser | undefined {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift())
      if (!waiter.user.over) return waiter.user;
    return undefined;
  }

  #count(): void {
    this.#host.stats.set(this.slot, Counter.Connections, this.#connections.size);
  }

  /** Monotonic time until which the next bytes of a reply must come. */
  responseDeadline(): number {
    return this.#host.monotonic() + this.settings.responseTimeout;
  }

  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    if (this.ejectedUntil === 0) return;
    this.ejectedUntil = 0;
    this.#host.stats.set(this.slot, Counter.EjectedUntil, 0);
    this.#host.log('info', 'A target is back.', { service: this.service, target: this.url });
  }

  /** It could not be reached, did not answer in time, or answered nonsense. */
  failed(error: string): void {
    const { ejectAfter, ejectFor } = this.settings;
    this.#failures++;
    if (ejectAfter === 0 || this.#failures < ejectAfter || this.ejected) return;
    this.ejectedUntil = this.#host.now() + ejectFor;
    this.#host.stats.set(this.slot, Counter.EjectedUntil, this.ejectedUntil);
    this.#host.log('warn', 'A target failed too often and rests.', {
      service: this.service,
      target: this.url,
      failures: this.#failures,
      restMs: ejectFor,
      error,
    });
  }

  /** Timeouts, at the sweep's grain. */
  sweep(now: number): void {
    for (const connection of this.#connections)
      if (connection.deadline !== 0 && connection.deadline <= now) connection.expire();
    while (this.#waiters.length > 0 && (this.#waiters[0]!.user.over || this.#waiters[0]!.deadline <= now)) {
      const { user } = this.#waiters.shift()!;
      if (!user.over) user.onUnavailable('upstream/queue-timeout');
    }
  }

  /** Memory runs short: closes half of the connections that nobody uses, those first that have been idle longest. */
  shrink(): void {
    for (const connection of this.#idle.slice(0, Math.ceil(this.#idle.length / 2))) connection.abandon();
  }

  /** No live generation names it: connections close as they become free. */
  retire(): void {
    this.#retired = true;
    for (const connection of [...this.#idle]) connection.abandon();
  }

  /** A generation names it again. */
  revive(): void {
    this.#retired = false;
  }

  get finished(): boolean {
    return this.#retired && this.#connections.size === 0 && this.#waiters.length === 0;
  }

  /** At once. */
  close(): void {
    this.#retired = true;
    this.#waiters = [];
    for (const connection of [...this.#connections]) connection.abandon();
  }
}
