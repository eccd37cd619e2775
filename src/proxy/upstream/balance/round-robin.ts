/** Smooth weighted round robin: each target in turn, as often as its weight says, and not twice in a row if it can be avoided. */
import { type BalancedRequest, type Balancer, type Candidate, fits } from './candidate.js';

export class RoundRobin<C extends Candidate> implements Balancer<C> {
  readonly name = 'round robin';
  readonly #targets: readonly C[];
  readonly #random: () => number;

  constructor(targets: readonly C[], random: () => number) {
    this.#targets = targets;
    this.#random = random;
  }

  pick(request: BalancedRequest, healthy: boolean): C | undefined {
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
