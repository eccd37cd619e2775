/** A service of one generation: chooses the target of the next exchange. */
import type { ServiceEntry } from '../../bundle/types.js';
import type { Target } from './target.js';

export class Service {
  readonly entry: ServiceEntry;
  /** As the data plane knows them now; another list after each change. */
  targets: readonly Target[];
  /** Why there are none, if that is known. */
  #cause: string | undefined;
  /** Called when its generation has ended. */
  readonly release: () => void;

  constructor(entry: ServiceEntry, targets: readonly Target[], release: () => void = () => {}) {
    this.entry = entry;
    this.targets = targets;
    this.release = release;
  }

  /** Its endpoints have changed. `cause`: why there are none. */
  use(targets: readonly Target[], cause: string | undefined): void {
    this.targets = targets;
    this.#cause = cause;
  }

  /** Why pick() returns undefined. */
  get noTargetCause(): string {
    if (this.#cause !== undefined) return this.#cause;
    return this.entry.run === undefined ? 'the service has no target' : 'the managed target is not ready';
  }

  /**
   * Smooth weighted round robin over the available targets. If none is, over all: a target that may fail is
   * better than a certain 503. Skips `avoid` if there is another target. Undefined without targets.
   */
  pick(avoid: Target | undefined): Target | undefined {
    const { targets } = this;
    if (targets.length <= 1) return targets[0];
    return this.#pick(avoid, true) ?? this.#pick(avoid, false) ?? this.#pick(undefined, false);
  }

  /** Whether some target has a connection for a request with an incomplete body. */
  get takesParts(): boolean {
    return this.targets.some((target) => target.pool.takesParts);
  }

  /** Whether some target has connections to spare. */
  get hasSpare(): boolean {
    return this.targets.some((target) => target.pool.hasSpare);
  }

  #pick(avoid: Target | undefined, available: boolean): Target | undefined {
    let best: Target | undefined;
    let total = 0;
    for (const target of this.targets) {
      if (target === avoid || (available && !target.health.available)) continue;
      total += target.weight;
      target.current += target.weight;
      if (best === undefined || target.current > best.current) best = target;
    }
    if (best !== undefined) best.current -= total;
    return best;
  }
}
