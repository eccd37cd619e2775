/** What protects a service from too many requests: its circuit breaker, and the bound of requests in flight. */
import type { ServiceEntry } from '../../bundle/types.js';
import { ADMITTED, type Breaker, REFUSED_FULL } from '../../state/breaker/breaker.js';
import { timeSpan } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { Log } from '../load/log.js';

/** Why a request may not go to the service. */
export interface GuardRefusal {
  readonly error: ErrorSlug;
  readonly cause: string;
  /** Seconds until another request is worth its while. */
  readonly retryAfter: number;
}

export class ServiceGuard {
  readonly #entry: Pick<ServiceEntry, 'name' | 'breaker' | 'maxRequests'>;
  readonly #breaker: Breaker;
  readonly #log: Log;
  readonly #most: number;

  constructor(entry: ServiceEntry, breaker: Breaker, log: Log) {
    this.#entry = entry;
    this.#breaker = breaker;
    this.#log = log;
    this.#most = entry.maxRequests ?? 0;
  }

  /** A request begins. What is not refused gets a token of at least 0, and must leave(). */
  enter(): number {
    return this.#breaker.enter(this.#entry.breaker, this.#most);
  }

  /** Why enter() has returned this number below 0. */
  refusal(token: number): GuardRefusal {
    if (token === REFUSED_FULL)
      return {
        error: 'upstream/requests-full',
        cause: `${this.#most} requests in flight (max_requests)`,
        retryAfter: 1,
      };
    const left = this.#breaker.opensInMs;
    const cause = left > 0 ? `circuit breaker open for another ${timeSpan(left)}` : 'circuit breaker half-open';
    return { error: 'upstream/open', cause, retryAfter: Math.max(1, Math.ceil(left / 1000)) };
  }

  /** The service has answered the request with this token, or failed to. */
  result(token: number, failed: boolean, cause: string): void {
    const { breaker, name } = this.#entry;
    if (breaker === undefined || token < ADMITTED) return;
    const turned = this.#breaker.result(breaker, token, failed);
    if (turned === 'open')
      this.#log('warn', 'circuit breaker opened', { service: name, openForMs: breaker.openFor, cause });
    else if (turned === 'closed') this.#log('info', 'circuit breaker closed', { service: name });
  }

  leave(token: number): void {
    this.#breaker.leave(token, this.#most);
  }
}
