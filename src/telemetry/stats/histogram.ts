/** Latencies over the last minute, from cumulative counts: keeps the increase of each five-second interval. */
import type { LatencySnapshot } from '../snapshot.js';
import { bucketBound, HISTOGRAM_BUCKETS } from './layout.js';

export const INTERVAL_MS = 5000;
/** Number of closed intervals; with the open one they cover the last 55 to 60 seconds. */
const INTERVALS = 11;

/** Pairs of bucket and count: most routes fill few buckets in five seconds. */
type Sparse = Float64Array;

const NOTHING: Sparse = new Float64Array(0);

/** The part of a histogram that is not zero. */
export function sparse(counts: ArrayLike<number>): Sparse {
  let used = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) if (counts[bucket]! > 0) used++;
  if (used === 0) return NOTHING;
  const pairs = new Float64Array(used * 2);
  let at = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    if (counts[bucket]! <= 0) continue;
    pairs[at++] = bucket;
    pairs[at++] = counts[bucket]!;
  }
  return pairs;
}

/** Adds sparse counts to a histogram. */
export function addSparse(into: Float64Array, pairs: Sparse): void {
  for (let at = 0; at < pairs.length; at += 2) into[pairs[at]!] = into[pairs[at]!]! + pairs[at + 1]!;
}

export class LatencyWindow {
  /** The counts when the open interval began. */
  readonly #baseline = new Float64Array(HISTOGRAM_BUCKETS);
  readonly #closed: Sparse[] = new Array<Sparse>(INTERVALS).fill(NOTHING);
  #next = 0;

  /** `baseline`: counts from before this window. */
  constructor(baseline: Sparse = NOTHING) {
    addSparse(this.#baseline, baseline);
  }

  /** Ends the open interval at the current counts; returns its increase. */
  close(counts: Float64Array): Sparse {
    const added = new Float64Array(HISTOGRAM_BUCKETS);
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
      added[bucket] = counts[bucket]! - this.#baseline[bucket]!;
      this.#baseline[bucket] = counts[bucket]!;
    }
    return this.#push(sparse(added));
  }

  /** Ends an interval without an increase. */
  skip(): void {
    this.#push(NOTHING);
  }

  /** Adds the increase of the last minute, up to the current counts. */
  addTo(into: Float64Array, counts: Float64Array): void {
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
      into[bucket] = into[bucket]! + counts[bucket]! - this.#baseline[bucket]!;
    }
    for (const interval of this.#closed) addSparse(into, interval);
  }

  #push(interval: Sparse): Sparse {
    this.#closed[this.#next] = interval;
    this.#next = (this.#next + 1) % INTERVALS;
    return interval;
  }
}

/** Percentiles in milliseconds, interpolated within a bucket; null without counts. */
export function percentiles(counts: Float64Array): LatencySnapshot {
  let total = 0;
  for (const count of counts) total += Math.max(0, count);
  return {
    p50: percentile(counts, total, 0.5),
    p95: percentile(counts, total, 0.95),
    p99: percentile(counts, total, 0.99),
  };
}

function percentile(counts: Float64Array, total: number, share: number): number | null {
  if (total <= 0) return null;
  const rank = share * total;
  let before = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = Math.max(0, counts[bucket]!);
    if (before + count >= rank && count > 0) {
      const from = bucket === 0 ? 0 : bucketBound(bucket - 1);
      const inside = from + ((rank - before) / count) * (bucketBound(bucket) - from);
      return Math.round(inside * 1000) / 1000;
    }
    before += count;
  }
  return bucketBound(counts.length - 1);
}
