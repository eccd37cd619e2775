import { formatDuration } from '../../schema/units.js';
import type { Rule } from '../rule.js';

/** Milliseconds. What supervisors give by default is less: Kubernetes 30 s, systemd 90 s, for the whole of an end. */
const LONG = 120_000;

const rule: Rule = {
  code: 'drain/long-delay',
  severity: 'warning',
  summary: 'After SIGTERM gw serves on for longer than supervisors wait',
  partial: true,
  check(model, report) {
    if (model.drainDelay <= LONG) return;
    report({
      span: model.at.spanOf('drain_delay'),
      message: `After SIGTERM gw takes new requests for ${formatDuration(model.drainDelay)} more, and begins to drain only then: a supervisor that waits less kills it, with all that is in flight.`,
      help: 'Give it as long as a load balancer needs to notice, a few of its health checks: `drain_delay = "10s"`. What is in flight has `drain_timeout` after that.',
    });
  },
};
export default rule;
