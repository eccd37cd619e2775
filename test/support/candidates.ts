/** Targets and requests for tests of the balancing. */
import type { BalancedRequest, Candidate } from '../../src/proxy/upstream/balance/candidate.js';
import { TargetLoad } from '../../src/proxy/upstream/balance/load.js';

class TestHealth {
  fit = true;
  /** All targets are used. */
  panic = false;

  get available(): boolean {
    return this.fit || this.panic;
  }

  set available(fit: boolean) {
    this.fit = fit;
  }
}

export class TestTarget implements Candidate {
  weight = 1;
  zone: string | undefined = undefined;
  priority = 0;
  readonly load = new TargetLoad();
  readonly health = new TestHealth();

  constructor(
    readonly identity: string,
    facts: { weight?: number; zone?: string | undefined; priority?: number } = {},
  ) {
    Object.assign(this, facts);
  }
}

/** Targets with these weights, `http://t0`, `http://t1` and so on. */
export const targetsOf = (...weights: number[]): TestTarget[] =>
  weights.map((weight, index) => new TestTarget(`http://t${index}`, { weight }));

/** A request at a time, with a value to hash. */
export class TestRequest implements BalancedRequest {
  since = 1;
  stickyValue: string | undefined = undefined;
  value: string | undefined = undefined;
  readonly failedAt: object[] = [];

  tried(target: object): boolean {
    return this.failedAt.includes(target);
  }

  hashValue(): string | undefined {
    return this.value;
  }
}

/**
 * Whether `hits` of `draws` may be the result of a probability: within 4.5 standard deviations of the binomial distribution, outside
 * of which one in 150000 results is.
 */
export function isBinomial(hits: number, draws: number, probability: number): boolean {
  const deviation = Math.sqrt(draws * probability * (1 - probability));
  return Math.abs(hits - draws * probability) <= 4.5 * deviation + 1e-9;
}
