/**
 * Requests that wait because their service has no target at the moment: its processes are starting, or a source names none. They
 * go on together when there is one. Bounded in number and time; one room for all generations of a service.
 */
import type { ServiceEntry } from '../../bundle/types.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { GuardRefusal } from './guard.js';

/** Requests that go on in one turn of the event loop. */
const AT_ONCE = 256;

export interface Waiting {
  /** Monotonic milliseconds at which it gives up; 0: it has not waited yet. */
  waitUntil: number;
  /** The service may have a target now. Must not throw. */
  arrived(): void;
  /** The wait is over without a target. Must not throw. */
  gaveUp(refusal: GuardRefusal): void;
}

/** Why the service has no target now and gets none soon. */
export interface StartFailure {
  readonly cause: string;
  /** Milliseconds since 1970 of the next attempt. */
  readonly retryAt: number;
}

export interface RoomHost {
  readonly stats: StatsWriter;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** A request waits for a target of the service. */
  demand(service: string): void;
}

export class WaitingRoom {
  readonly #service: string;
  readonly #host: RoomHost;
  readonly #waiting = new Set<Waiting>();
  #most = 0;
  /** Counter slot of the service; undefined: nothing is counted. */
  #slot: number | undefined;
  #failure: StartFailure | undefined;
  #closed = false;

  constructor(service: string, host: RoomHost) {
    this.#service = service;
    this.#host = host;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** `sharers`: workers among which the bound of the service is divided. */
  configure({ maxQueue }: Pick<ServiceEntry, 'maxQueue'>, sharers: number, slot: number | undefined): void {
    this.#most = Math.ceil(maxQueue / sharers);
    this.#slot = slot;
  }

  /** The request waits until arrived() or gaveUp(), unless it leaves; or the result says why it cannot. `cause`: why there is no target. */
  enter(
    waiting: Waiting,
    { waitForTargets = 0 }: Pick<ServiceEntry, 'waitForTargets'>,
    cause: string,
  ): GuardRefusal | undefined {
    if (waitForTargets === 0) return refusal(cause);
    // Nothing opens it any more.
    if (this.#closed) return refusal(REMOVED);
    const now = this.#host.monotonic();
    if (waiting.waitUntil === 0) waiting.waitUntil = now + waitForTargets;
    if (now >= waiting.waitUntil) return refusal(WAITED);
    const failure = this.#failing();
    if (failure !== undefined) return failure;
    if (this.#waiting.size >= this.#most) return refusal(`${cause}; ${this.#waiting.size} requests wait (max_queue)`);
    this.#waiting.add(waiting);
    if (this.#waiting.size === 1) this.#host.demand(this.#service);
    this.#count();
    return undefined;
  }

  #failing(): GuardRefusal | undefined {
    const failure = this.#failure;
    const left = (failure?.retryAt ?? 0) - this.#host.now();
    return failure === undefined || left <= 0 ? undefined : refusal(failure.cause, Math.ceil(left / 1000));
  }

  /** The request has ended. */
  leave(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) this.#count();
  }

  /** There are targets: all go on, some at a time. */
  open(): void {
    this.#failure = undefined;
    if (this.#waiting.size > 0) this.#admit([...this.#waiting], 0);
  }

  #admit(all: readonly Waiting[], from: number): void {
    const to = Math.min(all.length, from + AT_ONCE);
    for (let at = from; at < to; at++) if (this.#take(all[at]!)) all[at]!.arrived();
    if (to < all.length) setImmediate(() => this.#admit(all, to));
  }

  /** There is none, and control says whether that will last: those who wait give up in that case. */
  fail(failure: StartFailure | undefined): void {
    this.#failure = failure;
    const refused = this.#failing();
    if (refused === undefined) return;
    for (const waiting of [...this.#waiting]) if (this.#take(waiting)) waiting.gaveUp(refused);
  }

  /** The service is gone. */
  close(): void {
    this.#closed = true;
    for (const waiting of [...this.#waiting]) if (this.#take(waiting)) waiting.gaveUp(refusal(REMOVED));
  }

  /** Called a few times a second. */
  sweep(now: number): void {
    for (const waiting of this.#waiting)
      if (now >= waiting.waitUntil && this.#take(waiting)) waiting.gaveUp(refusal(WAITED));
  }

  #take(waiting: Waiting): boolean {
    const was = this.#waiting.delete(waiting);
    if (was) this.#count();
    return was;
  }

  #count(): void {
    if (this.#slot !== undefined) this.#host.stats.set(this.#slot, Counter.Waiting, this.#waiting.size);
  }
}

const REMOVED = 'the service was removed';
const WAITED = 'no target became ready within wait_for_targets';

const refusal = (cause: string, retryAfter = 1): GuardRefusal => ({ error: 'upstream/none', cause, retryAfter });
