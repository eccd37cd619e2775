/**
 * An attempt while the policies see it that sign requests or add credentials: the same way for proxied requests and for calls. It
 * takes a connection only when all of them have seen it.
 */
import type { Awaitable, Reply } from '../../contract/index.js';
import type { Target } from './target.js';

/** What makes attempts: a relay, a tunnel, a call. */
export interface AttemptUser {
  /** It has ended meanwhile. */
  readonly over: boolean;
  /** All policies have seen the attempt. */
  onAttemptReady(target: Target): void;
  /** A policy answers in place of the target. */
  onAttemptAnswered(reply: Reply): void;
  /** A policy has failed. */
  onAttemptFailed(error: unknown): void;
}

export abstract class ShownAttempt {
  readonly number: number;
  readonly unauthorized: boolean;
  /** A repeat after 401 was asked for, and there was none. */
  repeats = false;
  /** The fields that policies have set, which may be credentials. Lower-case names. */
  readonly added = new Set<string>();
  protected readonly to: Target;

  constructor(to: Target, number: number, unauthorized: boolean) {
    this.to = to;
    this.number = number;
    this.unauthorized = unauthorized;
  }

  /** Runs the hooks of the policies. May throw or reject. */
  protected abstract sign(): Awaitable<Reply | undefined>;
  /** The user has thrown. */
  protected abstract broke(error: unknown): void;

  /** Shows the attempt to the policies, before it takes a connection. Never throws. */
  show(user: AttemptUser): void {
    let pending: Awaitable<Reply | undefined>;
    try {
      pending = this.sign();
    } catch (error) {
      user.onAttemptFailed(error);
      return;
    }
    if (pending instanceof Promise) void this.#wait(user, pending);
    else this.#seen(user, pending);
  }

  #seen(user: AttemptUser, reply: Reply | undefined): void {
    if (reply === undefined) user.onAttemptReady(this.to);
    else user.onAttemptAnswered(reply);
  }

  async #wait(user: AttemptUser, pending: Promise<Reply | undefined>): Promise<void> {
    let reply: Reply | undefined;
    try {
      reply = await pending;
    } catch (error) {
      if (!user.over) user.onAttemptFailed(error);
      return;
    }
    try {
      if (!user.over) this.#seen(user, reply);
    } catch (error) {
      // No caller of this function catches exceptions.
      this.broke(error);
    }
  }

  get service(): string {
    return this.to.service;
  }

  get target(): string {
    return `${this.to.secure ? 'https' : 'http'}://${this.to.authority}`;
  }

  repeatAfter401(): void {
    this.repeats = !this.unauthorized;
  }
}
