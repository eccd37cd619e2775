/** Smooth weighted round robin: each target in turn, as often as its weight says, and not twice in a row if it can be avoided. */
import { type BalancedRequest, type Balancer, type Candidate, fits } from './candidate.js';

export class RoundRobin<C extends Candidate> implements Balancer<C> {
  readonly name = 'round robin';
  readonly #targets: readonly C[];
  readonly #random: () => number;
  readonly #equal: boolean;
  #next = 0;

  constructor(targets: readonly C[], random: () => number) {
    this.#targets = targets;
    this.#random = random;
    this.#equal = targets.every(({ weight }) => weight === targets[0]!.weight);
  }

  pick(request: BalancedRequest, healthy: boolean): C | undefined {
    return (this.#equal ? this.#inTurn(request, healthy) : undefined) ?? this.#byWeight(request, healthy);
  }

  /** With equal weights the order is that of the list. Undefined if it is the turn of a target that does not fit. */
  #inTurn(request: BalancedRequest, healthy: boolean): C | undefined {
    const targets = this.#targets;
    const target = targets[this.#next];
    // While a target begins slowly, its turns are not those of the list.
    if (target === undefined || target.load.slowStart > 0) return undefined;
    this.#next = this.#next + 1 === targets.length ? 0 : this.#next + 1;
    return fits(target, request, healthy) ? target : undefined;
  }

  /** What one target cannot take goes to all others by weight, and not to the next one alone. */
  #byWeight(request: BalancedRequest, healthy: boolean): C | undefined {
    let best: C | undefined;
    let total = 0;
    const targets = this.#targets;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i]!;
      if (!fits(target, request, healthy)) continue;
      const { load } = target;
      const weight = load.slowStart === 0 ? target.weight : target.weight * load.ramp(request.since);
      total += weight;
      load.turn += weight;
      if (best === undefined || load.turn > best.load.turn) best = target;
    }
    if (best !== undefined) best.load.turn -= total;
    return best;
  }

  place(): number {
    return this.#random();
  }
}
