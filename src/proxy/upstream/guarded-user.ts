/** What a request to a service has to do with the guard of the service: whether it may go there, and what its result says. */
import type { ErrorSlug } from '../errors/errors.js';
import type { GuardRefusal } from './guard.js';
import { isBlameless } from './retry/rules.js';
import type { Service } from './service.js';

export abstract class GuardedUser {
  protected readonly upstream: Service;
  protected status = 0;
  /** What the head of the reply counts as, as an HTTP status; 0: only its trailers will say whether the service is well. */
  protected counted = 0;
  /** What the guard of the service gave it; below 0: nothing, or it has left. */
  #token = -1;

  constructor(service: Service) {
    this.upstream = service;
  }

  get service(): string {
    return this.upstream.entry.name;
  }

  /** Whether the request may go to the service: asked once, before anything is done for it. Otherwise it is refused. */
  protected enter(): boolean {
    const { guard } = this.upstream;
    if (guard === undefined) return true;
    const token = guard.enter();
    if (token < 0) this.refused(guard.refusal(token));
    else this.#token = token;
    return token >= 0;
  }

  /** The guard of the service lets it not pass. */
  protected abstract refused(refusal: GuardRefusal): void;

  /**
   * The service has answered with this status, which is passed on. Other requests may wait for the result of a probe; those that
   * are none have succeeded when their reply is complete.
   */
  protected answeredWith(status: number): void {
    this.counted = status;
    if (status >= 500 || this.#token > 0) this.#judge(status >= 500, this.outcome(status));
  }

  /** The reply is complete. */
  protected completed(): void {
    if (this.counted >= 500 || this.#token !== 0) return;
    const status = this.counted || this.counts(this.status);
    this.#judge(status >= 500, this.outcome(status));
  }

  /** What a reply with this HTTP status counts as; 0: its trailers will say, at completed(). */
  protected counts(status: number): number {
    return status;
  }

  /** What counts() has judged, for the log. */
  protected outcome(status: number): string {
    return `status ${status}`;
  }

  /** The service has failed the request, unless gw is to blame. */
  protected noteFailure(error: ErrorSlug, cause: string): void {
    if (!isBlameless(error) && this.status < 500) this.#judge(true, cause);
  }

  #judge(failed: boolean, cause: string): void {
    if (this.#token >= 0) this.upstream.guard!.result(this.#token, failed, cause);
  }

  /** The request is over. Idempotent. */
  protected leave(): void {
    if (this.#token < 0) return;
    this.upstream.guard!.leave(this.#token);
    this.#token = -1;
  }
}
