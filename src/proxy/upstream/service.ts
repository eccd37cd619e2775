/** A service of one generation: which of its targets the next exchange asks. */
import type { ServiceEntry } from '../../bundle/types.js';
import type { Target } from './target.js';

export class Service {
  readonly entry: ServiceEntry;
  readonly targets: readonly Target[];

  constructor(entry: ServiceEntry, targets: readonly Target[]) {
    this.entry = entry;
    this.targets = targets;
  }

  /** Why pick() finds none. */
  get noTargetCause(): string {
    return this.entry.run === undefined ? 'the service has no target' : 'the managed target is not ready';
  }

  /**
   * Smooth weighted round robin over the targets that do not rest; when all rest, over all: a target that may fail is
   * better than a certain 503. `avoid` is passed over while there is another. Undefined without targets.
   */
  pick(avoid: Target | undefined): Target | undefined {
    const { targets } = this;
    if (targets.length <= 1) return targets[0];
    return this.#pick(avoid, true) ?? this.#pick(avoid, false) ?? this.#pick(undefined, false);
  }

  /** Whether some target has a connection for a request whose body has not all come. */
  get takesParts(): boolean {
    return this.targets.some((target) => target.takesParts);
  }

  /** Whether some target has many connections free. */
  get hasSpare(): boolean {
    return this.targets.some((target) => target.hasSpare);
  }

  #pick(avoid: Target | undefined, healthy: boolean): Target | undefined {
    let best: Target | undefined;
    let total = 0;
    for (const target of this.targets) {
      if (target === avoid || (healthy && target.health.ejected)) continue;
      total += target.weight;
      target.current += target.weight;
      if (best === undefined || target.current > best.current) best = target;
    }
    if (best !== undefined) best.current -= total;
    return best;
  }
}
