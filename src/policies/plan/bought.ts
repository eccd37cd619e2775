/** What a plan allows, ready for requests. */
import type { LimitRate, PlanEntry, ReadyField, RouteEntry } from '../contract.js';
import { RateFields } from '../run-kit.js';

/** One rate of a plan. */
export interface BoughtRate {
  /** Of the key that it counts by: the second rate and further ones name their window in seconds. */
  readonly suffix: string;
  readonly rate: LimitRate;
  readonly fields: RateFields;
  readonly policyField: ReadyField;
}

/** A plan, as a policy applies it. */
export class Bought {
  readonly name: string;
  readonly rates: readonly BoughtRate[];
  readonly concurrency: number | undefined;
  /** Undefined: every route. */
  readonly #routes: ReadonlySet<string> | undefined;
  readonly #tags: ReadonlySet<string>;

  constructor({ name, rates = [], concurrency, routes, routeTags }: PlanEntry, policy: string) {
    this.name = name;
    this.concurrency = concurrency;
    this.#routes = routes === undefined && routeTags === undefined ? undefined : new Set(routes);
    this.#tags = new Set(routeTags);
    this.rates = rates.map((rate, at) => {
      const fields = new RateFields(rates.length === 1 ? policy : `${policy}-${at + 1}`);
      const suffix = at === 0 ? '' : ` w=${Math.ceil(rate.periodMs / 1000)}`;
      return { suffix, rate, fields, policyField: fields.describe(rate) };
    });
  }

  /** Whether the plan includes a route, by its name or one of its tags. */
  includes({ name, tags }: RouteEntry): boolean {
    if (this.#routes === undefined || this.#routes.has(name)) return true;
    return tags?.some((tag) => this.#tags.has(tag)) === true;
  }
}
