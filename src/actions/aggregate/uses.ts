/** Everything of an aggregate that uses results of calls, or facts of the request. Compile part. */
import type { RequestFact } from '../../policies/contract.js';
import { expressionsOf, readExpression } from './expressions.js';
import type { AggregateConfig } from './schema.js';
import { type ReadUses, templateFactsOf, templateUsesOf } from './templates.js';

export function usesOf(config: AggregateConfig, params: ReadonlySet<string>): ReadUses {
  const found = [
    templateUsesOf(config, params),
    ...expressionsOf(config).map((place) => readExpression(place, config)),
  ];
  return { uses: found.flatMap(({ uses }) => uses), faults: found.flatMap(({ faults }) => faults) };
}

/** The facts that templates and expressions read. Path parameters are part of every key. */
export const factsOf = (config: AggregateConfig): readonly RequestFact[] => [
  ...templateFactsOf(config),
  ...expressionsOf(config).flatMap((place) => readExpression(place, config).facts),
];
