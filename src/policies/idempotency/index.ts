/** Compile part of idempotency. */
import { declarePolicy } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { PROBLEMS } from './problems.js';
import { type IdempotencyConfig, type IdempotencySettings, pageOf, schema } from './schema.js';

export default declarePolicy<IdempotencyConfig, IdempotencySettings>({
  use: 'idempotency',
  summary: 'Sends requests with an Idempotency-Key at most once, and repeats their replies',
  phase: 'cache',
  stateful: true,
  schema,
  // Keys and replies are those of the policy, whatever its config.
  stateKey: () => null,
  // It acts on requests that no cache answers.
  requestFacts: () => [],
  body: ({ max_body }) => ({ request: { max: max_body, mandatory: false, encoded: true } }),
  problems: Object.values(PROBLEMS),
  codes: [
    {
      code: 'idempotency/no-method',
      severity: 'warning',
      summary: 'No method of a route is one whose requests have idempotency keys',
    },
    {
      code: 'idempotency/short-ttl',
      severity: 'warning',
      summary: 'Idempotency keys are forgotten before the outcome of their requests can be known',
    },
  ],
  lint(config, context, report) {
    lintMethods(config, context, report);
    if (config.ttl < config.lease) {
      report({
        code: 'idempotency/short-ttl',
        severity: 'warning',
        at: ['ttl'],
        message:
          'Keys are forgotten after `ttl`, before the `lease` of a request with an unknown outcome would end: a client that waits that long is not protected.',
        related: [{ at: ['lease'], message: 'the lease' }],
        help: 'Set `ttl` to more than `lease`, and to the time for which clients repeat requests.',
      });
    }
  },
  compile: ({ methods, required, ttl, lease, on_unknown, free_on, disk, max_reply, documentation }) => ({
    methods: [...new Set(methods)],
    required,
    ttl,
    lease,
    retries: on_unknown === 'retry',
    freeOn: free_on,
    disk,
    maxReply: max_reply,
    documentation: documentation === undefined ? null : (pageOf(documentation) ?? null),
  }),
});

function lintMethods(
  { methods }: IdempotencyConfig,
  { routes }: PolicyContext,
  report: (problem: PolicyProblem) => void,
): void {
  const without = routes.filter(
    (route) =>
      route.methods.length > 0 && !route.methods.some((method) => (methods as readonly string[]).includes(method)),
  );
  if (methods.length > 0 && without.length === 0) return;
  const where = without.map(({ name }) => `\`${name}\``).join(', ');
  report({
    code: 'idempotency/no-method',
    severity: 'warning',
    at: methods.length === 0 ? ['methods'] : [],
    message:
      methods.length === 0
        ? '`methods` is empty, so no request has a key.'
        : `No request of ${without.length === 1 ? 'route' : 'the routes'} ${where} has one of the methods ${methods.join(', ')}, so the policy does nothing there.`,
    help: 'Take the policy from the route, or add the method to `methods`.',
  });
}
