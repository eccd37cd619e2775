/** All scenarios in order of execution. */
import { bodies, uploads } from './bodies.js';
import { idle } from './idle.js';
import { latency } from './latency.js';
import { pipelining } from './pipelining.js';
import { connections, plain } from './plain.js';
import { policies } from './policies.js';
import { protocols } from './protocols.js';
import { routes } from './routes.js';
import type { Scenario } from './scenario.js';
import { streams } from './streams.js';
import { workers } from './workers.js';

export const scenarios: readonly Scenario[] = [
  plain,
  connections,
  bodies,
  uploads,
  routes,
  policies,
  pipelining,
  workers,
  idle,
  streams,
  latency,
  ...protocols,
];
