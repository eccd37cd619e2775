import { formatDuration } from '../../schema/units.js';
import type { Rule } from '../rule.js';

/** Milliseconds. Supervisors allow less for the whole shutdown by default: Kubernetes 30 s, systemd 90 s. */
const LONG = 120_000;

const rule: Rule = {
  code: 'drain/long-delay',
  severity: 'warning',
  summary: 'The drain delay is longer than supervisors wait',
  partial: true,
  check(model, report) {
    if (model.drainDelay <= LONG) return;
    report({
      span: model.at.spanOf('drain_delay'),
      message: `After SIGTERM, gw accepts new requests for ${formatDuration(model.drainDelay)} before it starts to drain. A supervisor that waits less kills gw and cuts all requests in flight.`,
      help: 'Set the time that the load balancer needs to notice, which is a few health checks: `drain_delay = "10s"`. Requests in flight then have `drain_timeout` to finish.',
    });
  },
};
export default rule;
