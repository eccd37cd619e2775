/**
 * Estimate of a percentile of latencies in bounded memory: counts by bucket (four an octave, so the estimate is at most a fifth
 * too high) over the last ten to twenty seconds. It is found anew after each sweep.
 */
import { bucketBound, bucketOf, HISTOGRAM_BUCKETS } from '../../../telemetry/stats/layout.js';

/** Milliseconds of each of the two windows. */
const WINDOW_MS = 10_000;
/** Latencies from which there is an estimate. */
const LEAST = 20;

export class LatencyEstimate {
  #present = new Uint32Array(HISTOGRAM_BUCKETS);
  #before = new Uint32Array(HISTOGRAM_BUCKETS);
  #count = 0;
  #countBefore = 0;
  #until = 0;
  /** The last estimate, and its percentile; 0: none since the last sweep. */
  #percentile = 0;
  #estimate: number | undefined = undefined;

  /** A latency in milliseconds. */
  add(ms: number): void {
    const bucket = bucketOf(ms);
    this.#present[bucket] = this.#present[bucket]! + 1;
    this.#count++;
  }

  /** Called a few times a second with the monotonic time. */
  sweep(now: number): void {
    this.#percentile = 0;
    if (now < this.#until) return;
    const oldest = this.#before;
    this.#before = this.#present;
    this.#countBefore = this.#count;
    oldest.fill(0);
    this.#present = oldest;
    this.#count = 0;
    this.#until = now + WINDOW_MS;
  }

  /** Milliseconds that `percentile` percent of the latencies do not exceed; undefined if there are too few. */
  percentile(percentile: number): number | undefined {
    if (this.#percentile !== percentile) {
      this.#percentile = percentile;
      this.#estimate = this.#find(percentile);
    }
    return this.#estimate;
  }

  #find(percentile: number): number | undefined {
    const total = this.#count + this.#countBefore;
    if (total < LEAST) return undefined;
    const wanted = (total * percentile) / 100;
    let seen = 0;
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
      seen += this.#present[bucket]! + this.#before[bucket]!;
      if (seen >= wanted) return bucketBound(bucket);
    }
    return bucketBound(HISTOGRAM_BUCKETS - 1);
  }
}
