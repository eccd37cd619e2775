/**
 * Cost of what policies do with content, per request: cache hits beside nginx and Varnish, each policy beside a plain route, and aggregates
 * beside the same work by hand.
 */
import { aggregates } from './content/aggregate.js';
import { hits } from './content/hits.js';
import { idempotency } from './content/idempotency.js';
import { policies } from './content/policies.js';
import type { Benchmark } from './kit.js';
import { runScenarios } from './proxy/run-scenarios.js';

const scenarios = [...hits, ...policies, idempotency, ...aggregates];

const benchmark: Benchmark = {
  name: 'content',
  summary: 'cost of cache, transformation, masking, idempotency, aggregates',
  scenarios: scenarios.map(({ name, summary }) => ({ name, summary })),
  run: (options) => runScenarios('content', scenarios, options),
};
export default benchmark;
