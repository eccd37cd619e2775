/** Checks the calls of an aggregate against each other. */
import type { ConfigPath, PolicyContext, PolicyProblem } from '../../policies/contract.js';
import { edgesOf, type PlacedEdge } from './edges.js';
import { jsonBodyFault } from './json-body.js';
import { isSafe } from './methods.js';
import { planOf } from './plan.js';
import type { AggregateConfig, CallConfig } from './schema.js';
import type { Use } from './templates.js';
import { usesOf } from './uses.js';

type Report = (problem: PolicyProblem) => void;

const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

export function lintCalls(config: AggregateConfig, { routes }: PolicyContext, report: Report): void {
  const params = new Set(routes[0]?.params);
  const { faults, uses } = usesOf(config, params);
  for (const fault of faults)
    report({ severity: 'error', ...fault, ...(fault.code === 'aggregate/jsonata' ? { help: JSONATA } : {}) });
  for (const use of uses) lintUse(use, config, report);
  lintNames(config, report);
  const edges = edgesOf(config, uses);
  lintCycle(config, edges, report);
  for (const [name, call] of Object.entries(config.call)) {
    lintCall(name, call, report);
    lintBody(['call', name, 'body'], jsonBodyFault(call, params), report);
    lintFailure(['call', name], call, config, { alwaysSent: isAlwaysSent(name, call, edges), report });
  }
  lintUnused(config, uses, edges, report);
}

const JSONATA =
  'The bodies of the calls are available by their names, such as `orders.items.product`, and `$calls.NAME.status`, `$request`, `$consumer`, `$claims`, `$client`.';
const CORRECT = 'Correct the name, or add the call.';

function unknownCall(name: string, config: AggregateConfig): string {
  return `Unknown call \`${name}\`; the calls are ${quoted(Object.keys(config.call))}.`;
}

function lintUse({ at, by, name, part, path }: Use, config: AggregateConfig, report: Report): void {
  const problem = { severity: 'error', at, part } as const;
  if (path === undefined) {
    report({
      ...problem,
      code: 'aggregate/unknown-name',
      message: `\`${name}\` is not a value of a call.`,
      help: 'Write `calls.NAME.body`, or a member such as `calls.NAME.body.id`; `calls.NAME.status`; `calls.NAME.header.FIELD`; `item` in a call with `for_each`; `body.x` with `request_body`.',
    });
    return;
  }
  if (path.of === 'request') {
    if (config.request_body !== undefined) return;
    const message = `\`${name}\` is a value of the body of the request, which is not read.`;
    report({
      ...problem,
      code: 'aggregate/unknown-name',
      message,
      help: 'Set `request_body`, for example to `"64KiB"`.',
    });
    return;
  }
  if (path.call === undefined) {
    if (by !== undefined && config.call[by]?.for_each !== undefined) return;
    const message = `\`${name}\` is an item of \`for_each\`, which is not available here.`;
    report({ ...problem, code: 'aggregate/unknown-name', message, help: 'Use a value of a call: `calls.NAME.body`.' });
    return;
  }
  const called = Object.hasOwn(config.call, path.call) ? config.call[path.call] : undefined;
  if (called === undefined) {
    report({ ...problem, code: 'aggregate/unknown-name', message: unknownCall(path.call, config), help: CORRECT });
    return;
  }
  if (called.for_each !== undefined && (path.of === 'status' || path.of === 'header'))
    report({
      ...problem,
      code: 'aggregate/unknown-name',
      message: `\`${path.call}\` has a reply for each item, so it has no \`${path.of}\` of its own.`,
      related: [{ at: ['call', path.call, 'for_each'], message: 'one request for each item' }],
      help: `Use \`calls.${path.call}.body\`, the list of their bodies.`,
    });
}

function lintNames(config: AggregateConfig, report: Report): void {
  const check = (name: string, at: ConfigPath): void => {
    if (!Object.hasOwn(config.call, name))
      report({
        code: 'aggregate/unknown-name',
        severity: 'error',
        at,
        message: unknownCall(name, config),
        help: CORRECT,
      });
  };
  if (typeof config.merge !== 'string')
    config.merge?.forEach((name, index) => {
      check(name, ['merge', index]);
    });
  for (const [name, { after }] of Object.entries(config.call))
    after.forEach((other, index) => {
      check(other, ['call', name, 'after', index]);
    });
}

function lintCycle(config: AggregateConfig, edges: readonly PlacedEdge[], report: Report): void {
  const plan = planOf(Object.keys(config.call), edges);
  if (!('cycle' in plan)) return;
  const { cycle } = plan;
  const steps = cycle.map((from, index) => {
    const to = cycle[(index + 1) % cycle.length]!;
    return edges.find((edge) => edge.from === from && edge.to === to)!;
  });
  const [first, ...others] = steps as [PlacedEdge, ...PlacedEdge[]];
  report({
    code: 'aggregate/cycle',
    severity: 'error',
    at: first.at,
    ...(first.part === undefined ? {} : { part: first.part }),
    message:
      others.length === 0
        ? `Call \`${first.from}\` waits for itself: it ${first.why}.`
        : `The calls wait for each other: ${[...cycle, cycle[0]!].map((name) => `\`${name}\``).join(' -> ')}.`,
    related: others.map(({ at, from, why }) => ({ at, message: `\`${from}\` ${why}` })),
    help: 'Remove one of these uses, or split a call in two.',
  });
}

function lintCall(name: string, call: CallConfig, report: Report): void {
  const at = ['call', name];
  const { body, cache, for_each, idempotent, json, max_items, method, path, retry } = call;
  if (body !== undefined && json !== undefined)
    report({
      code: 'aggregate/no-effect',
      severity: 'warning',
      at: [...at, 'body'],
      message: '`body` has no effect: `json` is the body of the call.',
      related: [{ at: [...at, 'json'], message: 'this is sent' }],
      help: 'Remove one of the two.',
    });
  lintPath([...at, 'path'], path, report);
  if (cache !== undefined && method !== 'GET')
    report({
      code: 'aggregate/no-effect',
      severity: 'warning',
      at: [...at, 'cache'],
      message: `\`cache\` has no effect: replies to ${method} are not stored.`,
      help: 'Remove it.',
    });
  if (retry > 0 && !idempotent && !isSafe(method))
    report({
      code: 'aggregate/unsafe-retry',
      severity: 'error',
      at: [...at, 'retry'],
      message: `\`${method}\` is not safe: after a timeout, a second attempt could act twice.`,
      help: 'Remove `retry`, or set `idempotent = true` if the service recognizes a repeated request.',
    });
  if (for_each !== undefined && max_items === undefined)
    report({
      code: 'aggregate/unbounded',
      severity: 'error',
      at: [...at, 'for_each'],
      message: 'A reply decides how many requests this call sends, and nothing bounds their number.',
      help: 'Set `max_items`, for example to 50.',
    });
  if (for_each === undefined && max_items !== undefined)
    report({
      code: 'aggregate/no-effect',
      severity: 'warning',
      at: [...at, 'max_items'],
      message: '`max_items` has no effect: the call has no `for_each`.',
      help: 'Remove it.',
    });
}

function lintBody(at: ConfigPath, fault: string | undefined, report: Report): void {
  if (fault === undefined) return;
  report({
    code: 'aggregate/json',
    severity: 'error',
    at,
    message: `The body of the call is not JSON, whatever its values are: ${fault}`,
    help: 'Correct it, write it in JSONata as `json`, or set the `content-type` of the call in `headers`.',
  });
}

function lintPath(at: ConfigPath, path: string, report: Report): void {
  if (!/^\/(?!\/)/.test(path))
    report({
      code: 'aggregate/path',
      severity: 'error',
      at,
      message: 'The path of a call begins with one `/`, so that the spec decides where it leads.',
      help: 'Write, for example, `"/products/{id}"`.',
    });
  // Names of variables are among these characters.
  const wrong = /[^\x21-\x7e]|#/u.exec(path);
  if (wrong !== null)
    report({
      code: 'aggregate/path',
      severity: 'error',
      at,
      part: { text: path, start: wrong.index, end: wrong.index + wrong[0].length },
      message: `A path cannot contain ${JSON.stringify(wrong[0])}.`,
      help: `Write it percent-encoded: \`${encodeURIComponent(wrong[0])}\`.`,
    });
}

/** Whether it is sent in any case: it has no condition, and needs nothing of others. */
const isAlwaysSent = (name: string, call: CallConfig, edges: readonly PlacedEdge[]): boolean =>
  call.when === undefined && call.if === undefined && !edges.some(({ from }) => from === name);

function lintFailure(
  at: ConfigPath,
  call: CallConfig,
  config: AggregateConfig,
  { alwaysSent, report }: { readonly alwaysSent: boolean; readonly report: Report },
): void {
  const { default: value, on_failure } = call;
  if (on_failure === 'default' && value === undefined)
    report({
      code: 'aggregate/missing-default',
      severity: 'error',
      at: [...at, 'on_failure'],
      message: 'The default is to be used if the call fails, but the call has none.',
      help: 'Set `default`, for example to `[]`, or write `on_failure = "omit"`.',
    });
  else if (on_failure === undefined && value === undefined && config.on_failure === 'default')
    report({
      code: 'aggregate/missing-default',
      severity: 'error',
      at: ['on_failure'],
      message: `The default is to be used if a call fails, but call \`${String(at[1])}\` has none.`,
      related: [{ at, message: 'this call has no `default`' }],
      help: 'Set the `default` of the call, or its `on_failure`.',
    });
  if (value !== undefined && on_failure !== undefined && on_failure !== 'default' && alwaysSent)
    report({
      code: 'aggregate/no-effect',
      severity: 'warning',
      at: [...at, 'default'],
      message: `The default has no effect: the call is always sent, and \`on_failure = "${on_failure}"\` does not use it.`,
      help: 'Remove one of the two.',
    });
}

/** A safe call whose result is not used. */
function lintUnused(config: AggregateConfig, uses: readonly Use[], edges: readonly PlacedEdge[], report: Report): void {
  const used = new Set([
    ...(typeof config.merge === 'string' ? [] : (config.merge ?? Object.keys(config.call))),
    ...uses.flatMap(({ path }) => path?.call ?? []),
    ...edges.map(({ to }) => to),
  ]);
  for (const [name, { method }] of Object.entries(config.call))
    if (!used.has(name) && isSafe(method))
      report({
        code: 'aggregate/unused-call',
        severity: 'warning',
        at: ['call', name],
        message: `Nothing uses the result of call \`${name}\`.`,
        help: 'Name it in `merge`, use it in another call, or remove it.',
      });
}
