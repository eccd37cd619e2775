/**
 * Cost of a proxied request, compared with nginx, HAProxy, Caddy and Node proxies. The gateway is pinned to one core,
 * load generator and origins to another. All contestants run at the same time and are loaded in turn, so a disturbance
 * of the machine affects all of them equally.
 */
import type { Benchmark } from './kit.js';
import { runScenarios } from './proxy/run-scenarios.js';
import { scenarios } from './proxy/scenarios/index.js';

const benchmark: Benchmark = {
  name: 'proxy',
  summary: 'cost of a proxied request, compared with nginx, HAProxy, Caddy, http-proxy and @fastify/http-proxy',
  scenarios: scenarios.map(({ name, summary }) => ({ name, summary })),
  run: (options) => runScenarios('proxy', scenarios, options),
};
export default benchmark;
