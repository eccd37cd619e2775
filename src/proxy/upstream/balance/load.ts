/**
 * What one worker knows about the load of a target: requests in progress, latency, and how long it has been there. Latency is a
 * moving average that takes every rise at once and every fall slowly (peak EWMA).
 */

/** Milliseconds in which the weight of an observation falls to 1/e. */
export const DECAY = 10_000;
/** Milliseconds that a target without any observation is taken to need while its first requests are in progress. */
export const UNKNOWN = 60_000;
/** Milliseconds that a failed attempt counts for at least: a target that fails at once is not a fast one. */
export const FAILURE = 1000;
/** Share of its weight with which a target begins. */
export const LEAST_RAMP = 0.1;

export class TargetLoad {
  /** Attempts in progress. */
  inFlight = 0;
  /** Running value of the smooth weighted round robin. */
  turn = 0;
  /** Milliseconds in which its weight grows after it has come (back); 0: at once. */
  slowStart = 0;
  /** It was seen unavailable. */
  wasDown = false;
  /** Average at the time of the last observation, in milliseconds; 0: no observation yet. */
  #latency = 0;
  #observedAt = 0;
  /** Monotonic milliseconds; 0: it has its whole weight. */
  #rampFrom = 0;

  /** A reply has begun, `ms` milliseconds after its request. */
  observe(ms: number, now: number): void {
    const before = this.latency(now);
    // Never 0, which stands for no observation.
    const sample = Math.max(ms, 0.001);
    if (sample >= before) this.#latency = sample;
    else {
      const kept = Math.exp((this.#observedAt - now) / DECAY);
      this.#latency = this.#latency * kept + sample * (1 - kept);
    }
    this.#observedAt = now;
  }

  /** An attempt has failed by the target's fault. */
  failed(ms: number, now: number): void {
    this.observe(Math.max(ms, FAILURE), now);
  }

  /** The average now: it falls while nothing is observed, so that a slow target is tried again. 0: unknown. */
  latency(now: number): number {
    return this.#latency === 0 ? 0 : this.#latency * Math.exp((this.#observedAt - now) / DECAY);
  }

  /** Expected milliseconds for one more request. `weight`: relative to the average of its group. */
  cost(now: number, weight: number): number {
    const latency = this.latency(now);
    const waiting = this.inFlight / weight;
    if (latency === 0) return this.inFlight === 0 ? 0 : UNKNOWN + waiting;
    return latency * (waiting + 1);
  }

  /** It is new among targets that are in use, or available again. */
  came(now: number): void {
    if (this.slowStart > 0) this.#rampFrom = now;
  }

  /** The share of its weight that counts now, LEAST_RAMP to 1. */
  ramp(now: number): number {
    if (this.#rampFrom === 0) return 1;
    const share = (now - this.#rampFrom) / this.slowStart;
    if (share < 1) return Math.max(share, LEAST_RAMP);
    this.#rampFrom = 0;
    return 1;
  }
}
