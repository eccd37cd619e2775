/** An aggregate in words, for `gw explain`, `gw routes` and the dashboard. */
import { formatDuration } from '../../policies/compile-kit.js';
import { callPlanOf } from './edges.js';
import type { AggregateConfig, CallConfig } from './schema.js';

export const summaryOf = ({ call }: AggregateConfig): string => {
  const names = Object.keys(call);
  return `${names.length} ${names.length === 1 ? 'call' : 'calls'}: ${names.join(', ')}`;
};

/** The call plan, one line for each stage and each call. */
export function describePlan(config: AggregateConfig, params: ReadonlySet<string>): readonly string[] {
  const plan = callPlanOf(config, params);
  if (plan === undefined) return [];
  const { merge = Object.keys(config.call) } = config;
  const reply = typeof merge === 'string' ? 'is made by `merge`' : `has ${merge.join(', ')}`;
  return [
    `all calls within ${formatDuration(config.timeout)}; the reply ${reply}`,
    ...plan.stages.flatMap((stage, index) => [
      `stage ${index + 1}${stage.length > 1 ? ', in parallel' : ''}:`,
      ...stage.map((name) => `  ${name}: ${callText(config.call[name]!, plan.waits.get(name) ?? [], config)}`),
    ]),
  ];
}

function callText(call: CallConfig, waits: readonly string[], config: AggregateConfig): string {
  const { for_each, if: only, max_items, method, path, retry, service, timeout, when } = call;
  const facts = [
    ...(waits.length === 0 ? [] : [`after ${waits.join(', ')}`]),
    ...(for_each === undefined
      ? []
      : [`for each of ${for_each}, at most ${max_items ?? 0}, ${call.concurrency} at once`]),
    ...(when === undefined ? [] : [`when ${when.source}`]),
    ...(only === undefined ? [] : [`if ${only}`]),
    ...(timeout === undefined ? [] : [`within ${formatDuration(timeout)}`]),
    ...(call.cache === undefined
      ? []
      : [`stored replies are used again${call.cache.shared ? ', for all callers' : ''}`]),
    ...(retry === 0 ? [] : [`${retry} ${retry === 1 ? 'retry' : 'retries'}`]),
    ...withoutReply(call, config),
  ];
  return `${method} ${path} of ${service}${facts.map((fact) => `; ${fact}`).join('')}`;
}

/** What takes the place of its reply. */
function withoutReply(call: CallConfig, config: AggregateConfig): readonly string[] {
  const { default: value, if: only, on_failure, when } = call;
  const policy = on_failure ?? (value === undefined ? config.on_failure : 'default');
  const unsent = value !== undefined && (when !== undefined || only !== undefined);
  if (policy === 'default') return [unsent ? 'a default if it fails or is not sent' : 'a default if it fails'];
  return [...(policy === 'omit' ? ['left out if it fails'] : []), ...(unsent ? ['a default if it is not sent'] : [])];
}
