/** Draws targets at random, each with the probability of its weight. */
import { type BalancedRequest, type Candidate, fits } from './candidate.js';

/** Draws before all targets are looked at: enough if at least one in four fits. */
const DRAWS = 8;

export class Sampler<C extends Candidate> {
  readonly #targets: readonly C[];
  readonly #random: () => number;
  /** Sums of the weights up to each target; undefined if all weights are equal. */
  readonly #sums: Float64Array | undefined;

  constructor(targets: readonly C[], random: () => number) {
    this.#targets = targets;
    this.#random = random;
    if (targets.every(({ weight }) => weight === targets[0]!.weight)) return;
    let sum = 0;
    this.#sums = Float64Array.from(targets, ({ weight }) => {
      sum += weight;
      return sum;
    });
  }

  /** A target that fits the request, other than `than`; undefined if there is none. */
  pick(request: BalancedRequest, healthy: boolean, than: C | undefined): C | undefined {
    for (let i = 0; i < DRAWS; i++) {
      const target = this.#draw();
      if (target === than || !fits(target, request, healthy)) continue;
      if (target.load.slowStart === 0) return target;
      const ramp = target.load.ramp(request.since);
      if (ramp === 1 || this.#random() < ramp) return target;
    }
    return this.#search(request, healthy, than);
  }

  #draw(): C {
    const targets = this.#targets;
    const sums = this.#sums;
    if (sums === undefined) return targets[Math.floor(this.#random() * targets.length)]!;
    const wanted = this.#random() * sums[sums.length - 1]!;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return targets[low]!;
  }

  /** The same by looking at all targets. */
  #search(request: BalancedRequest, healthy: boolean, than: C | undefined): C | undefined {
    let total = 0;
    let chosen: C | undefined;
    for (const target of this.#targets) {
      if (target === than || !fits(target, request, healthy)) continue;
      const weight = target.weight * target.load.ramp(request.since);
      total += weight;
      // Each is chosen with its share of all weights so far.
      if (chosen === undefined || this.#random() * total < weight) chosen = target;
    }
    return chosen;
  }
}
