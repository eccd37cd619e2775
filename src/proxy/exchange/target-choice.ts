/** A request as the balancing sees it, for what is no upstream user itself: tunnels, and offline runs. */
import type { HashKeyEntry } from '../../bundle/service/balance.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { BalancedRequest } from '../upstream/balance/candidate.js';
import { type HashedRequest, hashValueOf } from '../upstream/balance/hash-value.js';
import { isBlameless } from '../upstream/retry/rules.js';
import type { Service } from '../upstream/service.js';
import type { Target } from '../upstream/target.js';

export class TargetChoice implements BalancedRequest {
  /** Monotonic milliseconds. */
  since = 0;
  readonly #request: HashedRequest;
  /** Targets at which attempts have failed. */
  readonly #failedAt: object[] = [];

  constructor(request: HashedRequest) {
    this.#request = request;
  }

  tried(target: object): boolean {
    return this.#failedAt.includes(target);
  }

  /** The target of an attempt that begins at `now`; undefined if the service has none. */
  pick(service: Service, now: number): Target | undefined {
    this.since = now;
    return service.pick(this);
  }

  /** An attempt has failed at this target. */
  failed(target: Target, error: ErrorSlug, cause: string): void {
    target.health.failed(error, cause, !isBlameless(error));
    this.#failedAt.push(target);
  }

  hashValue(key: HashKeyEntry): string | undefined {
    return hashValueOf(this.#request, key);
  }
}
