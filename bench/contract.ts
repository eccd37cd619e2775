/** Cost of each hook of the policy contract, per request, compared with a route without it in the same run. */
import { scenarios } from './contract/scenarios.js';
import type { Benchmark } from './kit.js';
import { runScenarios } from './proxy/run-scenarios.js';

const benchmark: Benchmark = {
  name: 'contract',
  summary: 'cost of whole bodies, a stage, a call, a condition, and custom code',
  scenarios: scenarios.map(({ name, summary }) => ({ name, summary })),
  run: (options) => runScenarios('contract', scenarios, options),
};
export default benchmark;
