/** Algorithms that draw at random: one target, or the better one of two ("power of two choices"). */
import type { BalancedRequest, Balancer, Candidate } from './candidate.js';
import { Sampler } from './sampler.js';

export class Random<C extends Candidate> implements Balancer<C> {
  readonly name: string = 'random';
  protected readonly sampler: Sampler<C>;
  protected readonly random: () => number;

  constructor(targets: readonly C[], random: () => number) {
    this.sampler = new Sampler(targets, random);
    this.random = random;
  }

  pick(request: BalancedRequest, healthy: boolean): C | undefined {
    return this.sampler.pick(request, healthy, undefined);
  }

  place(): number {
    return this.random();
  }
}

/** Draws two targets by weight and takes that with less load, the first one if they are equal. */
abstract class BetterOfTwo<C extends Candidate> extends Random<C> {
  /** Of the targets, for relative weights. */
  protected readonly averageWeight: number;

  constructor(targets: readonly C[], random: () => number) {
    super(targets, random);
    this.averageWeight = targets.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, targets.length);
  }

  override pick(request: BalancedRequest, healthy: boolean): C | undefined {
    const first = this.sampler.pick(request, healthy, undefined);
    if (first === undefined) return undefined;
    const second = this.sampler.pick(request, healthy, first);
    if (second === undefined) return first;
    return this.loadOf(second, request.since) < this.loadOf(first, request.since) ? second : first;
  }

  /** Relative to the average weight, 1 for equal ones. */
  protected weightOf(target: C, now: number): number {
    return (target.weight * target.load.ramp(now)) / this.averageWeight;
  }

  protected abstract loadOf(target: C, now: number): number;
}

/** Fewest requests in progress, per weight. */
export class LeastRequest<C extends Candidate> extends BetterOfTwo<C> {
  override readonly name = 'least request of two';

  protected loadOf(target: C, now: number): number {
    return target.load.inFlight / this.weightOf(target, now);
  }
}

/** Lowest expected latency: the peak EWMA, times the requests in progress. */
export class PeakEwma<C extends Candidate> extends BetterOfTwo<C> {
  override readonly name = 'peak EWMA, better of two';

  protected loadOf(target: C, now: number): number {
    return target.load.cost(now, this.weightOf(target, now));
  }
}
