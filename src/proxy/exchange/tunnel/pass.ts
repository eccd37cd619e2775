/** What a tunnel has to do with the guard of its service and the health of its target: the same as every request. */
import type { ErrorSlug } from '../../errors/errors.js';
import type { GuardRefusal } from '../../upstream/guard.js';
import { GuardedUser } from '../../upstream/guarded-user.js';
import type { Target } from '../../upstream/target.js';

export class TunnelPass extends GuardedUser {
  #refusal: GuardRefusal | undefined = undefined;

  /** Asked once. Why the tunnel may not begin; undefined if it may: then end() must follow. */
  admit(): GuardRefusal | undefined {
    if (this.enter()) this.upstream.state.budget.requests++;
    return this.#refusal;
  }

  protected refused(refusal: GuardRefusal): void {
    this.#refusal = refusal;
  }

  /** The head of a reply that is passed on. A tunnel has no other reply: it has succeeded. */
  answered(status: number, target: Target | undefined): void {
    this.status = status;
    this.answeredWith(status);
    if (status === 101) this.whole(target);
  }

  /** The reply is complete. */
  whole(target: Target | undefined): void {
    target?.health.completed(this.status);
    this.completed();
  }

  /** No attempt is left, or the reply was cut. */
  failed(error: ErrorSlug, cause: string): void {
    this.noteFailure(error, cause);
  }

  /** Idempotent. */
  end(): void {
    this.leave();
  }
}
