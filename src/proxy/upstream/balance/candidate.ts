/** What the balancing algorithms know about targets and requests. */
import type { HashKeyEntry } from '../../../bundle/service/balance.js';
import type { TargetLoad } from './load.js';

/** A target that may be chosen. */
export interface Candidate {
  /** Share of the traffic. 0: it gets no requests of its own accord. */
  readonly weight: number;
  /** The same in every worker and every gateway with this target: what hashes and cookies name it by. */
  readonly identity: string;
  /** Undefined: none. */
  readonly zone: string | undefined;
  /** 0 is served first. */
  readonly priority: number;
  readonly load: TargetLoad;
  /** `fit`: neither ejected nor found unhealthy. `available`: that, or so few are fit that all are used. */
  readonly health: { readonly available: boolean; readonly fit: boolean };
}

/** A request that needs a target. The request itself: nothing is created to choose one. */
export interface BalancedRequest {
  /** Monotonic milliseconds at which its present attempt begins. */
  readonly since: number;
  /** Of the cookie of the service that keeps clients at their targets; undefined for none. */
  readonly stickyValue: string | undefined;
  /** Whether an earlier attempt of it has failed at this target. */
  tried(target: object): boolean;
  /** The value of a key, for a consistent hash; undefined if the request has none. */
  hashValue(key: HashKeyEntry): string | undefined;
}

/** Stands for a request of which nothing is known. */
export const ANY_REQUEST: BalancedRequest = {
  since: 0,
  stickyValue: undefined,
  tried: () => false,
  hashValue: () => undefined,
};

/** Chooses among the targets of one group. Its targets and their weights do not change: a new list gets a new balancer. */
export interface Balancer<C extends Candidate> {
  /**
   * A target that the request has not tried; with `healthy`, one that is available too. Undefined if there is none.
   */
  pick(request: BalancedRequest, healthy: boolean): C | undefined;
  /** A number from 0 to 1, exclusive, that decides between groups of targets. */
  place(request: BalancedRequest): number;
  /** The algorithm, for people. */
  readonly name: string;
}

/** Whether the request may go to this target. */
export const fits = (target: Candidate, request: BalancedRequest, healthy: boolean): boolean =>
  (!healthy || target.health.available) && !request.tried(target);
