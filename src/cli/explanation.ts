/** An explanation for people: the answer first, then the steps that led to it. */
import type { Json, SourceRef } from '../bundle/types.js';
import type { ExplainedPolicy, Explanation } from '../control/explain.js';
import type { Style } from './io.js';

export type Paint = (style: Style, text: string) => string;

/** Ends with a newline. */
export function renderExplanation(explanation: Explanation, paint: Paint): string {
  const { request, outcome, summary } = explanation;
  const color = COLORS[outcome];
  const sections = [
    [
      `${paint('bold', `${request.method} ${request.url}`)}`,
      paint(color, summary),
      ...missingLines(explanation),
      ...(explanation.cause === null || explanation.match !== null ? [] : [`  because: ${explanation.cause}`]),
      ...explanation.unresolved.map((text) =>
        paint('yellow', `  ${text} has no value here, so its content is unknown`),
      ),
    ],
    certificateLines(explanation),
    routeLines(explanation, paint),
    nearMissLines(explanation, paint),
    policyLines(explanation, paint),
    serviceLines(explanation, paint),
    replyLines(explanation, paint),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function certificateLines({ decisions }: Explanation): string[] {
  const found = decisions.find(({ step, outcome }) => step === 'client certificate' && outcome === 'pass');
  return found === undefined ? [] : [`client certificate: ${found.why}`];
}

/** How the command line can give what is missing. */
function missingLines({ missing }: Explanation): string[] {
  if (missing?.kind === 'mock') return [`  to give its reply: --mock ${missing.name}=STATUS[:FILE]`];
  if (missing?.kind === 'published') return [`  to give it: --published ${missing.name}=FILE`];
  return missing?.kind === 'body' ? ['  to give it: --body FILE'] : [];
}

const COLORS = { target: 'green', reply: 'yellow', unknown: 'yellow', refused: 'red' } as const;

/** The path as it was sent. */
const pathOf = (url: string): string => url.replace(/^https?:\/\/[^/?#]*/i, '').split('?')[0] || '/';

const title = (paint: Paint, text: string): string => paint('bold', text);

function routeLines({ request, route, match, params, consumer }: Explanation, paint: Paint): string[] {
  const lines: string[] = [];
  if (request.path !== null && request.path !== pathOf(request.url)) lines.push(`normalised: ${request.path}`);
  if (!route) return match ? [...lines, `no route: ${match.why}`] : lines;
  lines.push(`${title(paint, 'route')} ${route.name}: ${route.match} ${paint('dim', place(route.source))}`.trimEnd());
  if (match) {
    const steps = match.segments.map(({ pattern, text }) => (pattern === text ? text : `${text} as ${pattern}`));
    lines.push(`  because ${match.why}${match.host === null ? '' : `; host ${match.host}`}`);
    if (steps.length > 0) lines.push(`  segments: ${steps.join(', ')}`);
  }
  lines.push(`  action ${route.action.use}: ${route.action.summary}`);
  for (const line of route.action.details ?? []) lines.push(`    ${line}`);
  for (const [name, value] of Object.entries(params)) lines.push(`  {${name}} = ${JSON.stringify(value)}`);
  if (consumer !== null) lines.push(`  consumer: ${consumer}`);
  return lines;
}

function nearMissLines({ nearMisses }: Explanation, paint: Paint): string[] {
  if (nearMisses.length === 0) return [];
  const lines = nearMisses.map(({ route, match, pattern, why, source }) => {
    const name = route === null ? pattern : `${route}: ${match}`;
    return `  ${name} ${paint('dim', source ? place(source) : '')}\n    ${why}`.replace(/ +\n/, '\n');
  });
  return [title(paint, 'near misses'), ...lines];
}

function policyLines({ policies }: Explanation, paint: Paint): string[] {
  if (policies.length === 0) return [];
  return [title(paint, 'policies, in the order they run'), ...policies.flatMap((policy) => onePolicy(policy, paint))];
}

function onePolicy({ name, use, phase, ran, values, decisions }: ExplainedPolicy, paint: Paint): string[] {
  const head = `  ${name} (${use === name ? '' : `${use}, `}${phase})`;
  if (!ran) return [paint('dim', `${head}: never reached`)];
  const outcomes = decisions.map(
    ({ outcome, why }) => `    ${paint(OUTCOME_COLORS[outcome] ?? 'dim', outcome)}: ${why}`,
  );
  const settings = values.map(({ key, value, source, plan }) => {
    const own = `${key} = ${written(value)}  (${place(source)})`;
    const counts =
      plan === undefined || plan.value === null ? '' : `${key} = ${written(plan.value)}  (plan ${plan.name}), not `;
    return paint('dim', `    ${counts}${own}${plan?.value === null ? `, not used by plan ${plan.name}` : ''}`);
  });
  return [head, ...outcomes, ...settings];
}

const OUTCOME_COLORS: Readonly<Record<string, Style>> = {
  pass: 'green',
  edit: 'cyan',
  call: 'cyan',
  skip: 'dim',
  answer: 'yellow',
  error: 'red',
};

function serviceLines({ service, outcome, decisions }: Explanation, paint: Paint): string[] {
  if (!service) return [];
  const found = service.discover === undefined ? '' : `, found by ${service.discover}`;
  const instances = service.instances === undefined ? '' : ` (instances: ${service.instances})`;
  const where = service.run === null ? found : `, started by gw${instances}: ${service.run}`;
  const lines = [`${title(paint, 'service')} ${service.name}${where}`];
  for (const { url, weight } of service.targets) {
    lines.push(`  ${url === service.chosen ? '*' : '-'} ${url}${weight === 1 ? '' : ` (weight ${weight})`}`);
  }
  if (outcome !== 'target') return lines;
  for (const { step, why } of decisions) if (step === 'balance') lines.push(`  ${why}`);
  for (const line of service.attempts ?? []) lines.push(`  ${line}`);
  if (service.head) {
    const body = service.body ? ['', ...bodyLines(service.body)] : [];
    lines.push('  what the target would see:');
    lines.push(...[...service.head, ...body].map((line) => (line === '' ? '' : paint('dim', `    ${line}`))));
  }
  return lines;
}

function replyLines({ reply }: Explanation, paint: Paint): string[] {
  if (!reply) return [];
  const fields = reply.headers.map(([name, value]) => paint('dim', `  ${name}: ${value}`));
  const body = bodyLines(reply.body).map((line) => `  ${line}`);
  return [`${title(paint, 'reply')} ${reply.status}`, ...fields, ...body];
}

const bodyLines = (body: string): string[] => (body === '' ? [] : body.trimEnd().split('\n'));

/** `gateway.toml:12`, `default`, `group gateway.toml:12`. */
function place({ from, file, line }: SourceRef): string {
  if (file === undefined) return from;
  return `${from === 'spec' ? '' : `${from} `}${file}:${line}`;
}

const written = (value: Json): string => JSON.stringify(value);
