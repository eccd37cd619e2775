/** What each call waits for, with the place that says so. Compile part. */
import type { ConfigPath, TextPart } from '../../policies/contract.js';
import { type CallPlan, type Edge, planOf } from './plan.js';
import type { AggregateConfig } from './schema.js';
import type { Use } from './templates.js';
import { usesOf } from './uses.js';

export interface PlacedEdge extends Edge {
  readonly at: ConfigPath;
  readonly part?: TextPart;
  /** `reads calls.product.body.id`, `waits for product`. */
  readonly why: string;
}

export function edgesOf(config: AggregateConfig, uses: readonly Use[]): readonly PlacedEdge[] {
  const known = (name: string): boolean => Object.hasOwn(config.call, name);
  const read = uses.flatMap(({ at, by, name, part, path }): PlacedEdge[] =>
    by === undefined || path?.call === undefined || !known(path.call)
      ? []
      : [{ from: by, to: path.call, at, part, why: `reads \`${name}\`` }],
  );
  const ordered = Object.entries(config.call).flatMap(([from, { after }]) =>
    after.flatMap((to, index): PlacedEdge[] =>
      known(to) ? [{ from, to, at: ['call', from, 'after', index], why: `waits for \`${to}\`` }] : [],
    ),
  );
  return [...read, ...ordered];
}

/** The plan of a config without faults; undefined if its calls form a cycle. */
export function callPlanOf(config: AggregateConfig, params: ReadonlySet<string>): CallPlan | undefined {
  const plan = planOf(Object.keys(config.call), edgesOf(config, usesOf(config, params).uses));
  return 'cycle' in plan ? undefined : plan;
}
