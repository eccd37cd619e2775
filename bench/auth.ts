/** Cost of each authenticating policy, per request, cached and cold, beside nginx and HAProxy on the same work. */
import { scenarios } from './auth/scenarios.js';
import type { Benchmark } from './kit.js';
import { runScenarios } from './proxy/run-scenarios.js';

const benchmark: Benchmark = {
  name: 'auth',
  summary: 'cost of authentication and authorization: keys, tokens, passwords, signatures',
  scenarios: scenarios.map(({ name, summary }) => ({ name, summary })),
  run: (options) => runScenarios('auth', scenarios, options),
};
export default benchmark;
