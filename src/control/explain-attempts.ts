/** How a service repeats the requests to its targets, in words; no lines for one without a `retry` table. */
import type { ServiceEntry } from '../bundle/types.js';
import { formatDuration } from '../schema/units.js';

export function explainedAttempts({ retries, retry }: Pick<ServiceEntry, 'retries' | 'retry'>): string[] {
  if (retry === undefined) return [];
  const { attemptTimeout, grpc = [], hedge, methods, on, statuses = [] } = retry;
  const each = attemptTimeout === undefined ? '' : `, each within ${formatDuration(attemptTimeout)}`;
  const causes = [...on, ...statuses.map((code) => `status ${code}`), ...grpc.map((code) => `grpc-status ${code}`)];
  const which = methods === undefined ? 'idempotent methods' : methods.join(', ');
  const lines = [
    retries === 0
      ? `one attempt${each}`
      : `up to ${retries + 1} attempts${each}: again after ${causes.join(', ')} (${which}; connect: every method)`,
  ];
  if (hedge === undefined) return lines;
  const { after, percentile } = hedge;
  const when =
    percentile === undefined
      ? formatDuration(after)
      : `p${percentile} of the time until replies, at least ${formatDuration(after)}`;
  return [...lines, `another attempt beside one without a reply after ${when}`];
}
