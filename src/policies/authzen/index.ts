/** Compile part of authzen. */
import { declarePolicy, parseCallUrl, parseTemplate, unknownVariable } from '../compile-kit.js';
import type { ConfigPath, PolicyContext, PolicyProblem } from '../contract.js';
import { callsOf } from '../kits/called-service.js';
import { PROBLEMS } from './problems.js';
import {
  type AuthzenConfig,
  type AuthzenSettings,
  type FactsConfig,
  type FactsEntry,
  type MembersEntry,
  schema,
  type ValueEntry,
} from './schema.js';

type Report = (problem: PolicyProblem) => void;

export default declarePolicy<AuthzenConfig, AuthzenSettings>({
  use: 'authzen',
  summary: 'Asks an authorization service for decisions, by the AuthZEN API',
  phase: 'authorize',
  stateful: false,
  schema,
  traits: ({ headers }) => ({
    callFields: ['content-type', 'accept', ...Object.keys(headers).map((name) => name.toLowerCase())],
  }),
  problems: Object.values(PROBLEMS),
  calls: callsOf,
  codes: [
    { code: 'authzen/service', severity: 'error', summary: 'An authzen policy names no service, or two' },
    {
      code: 'template/syntax',
      severity: 'error',
      summary: 'A template has an unmatched brace',
    },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template uses an unknown variable or path parameter',
    },
  ],
  lint(config, context, report) {
    lintService(config, report);
    lintFacts(config, [], context, report);
    for (const [index, check] of config.checks.entries()) lintFacts(check, ['checks', index], context, report);
  },
  compile(config) {
    const { cache, checks, headers, metadata, obligations, permit, service, timeout, url } = config;
    const called = url === undefined ? undefined : parseCallUrl(url);
    const base = (called?.path ?? '').replace(/\/$/, '');
    return {
      service: called?.origin ?? service ?? '',
      ...(metadata && called !== undefined
        ? { identifier: `${called.origin}${base}`, metadataPath: `/.well-known/authzen-configuration${base}` }
        : {}),
      evaluation: base + config.evaluation,
      evaluations: base + config.evaluations,
      headers: Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const),
      facts: factsOf({
        subject: config.subject ?? DEFAULTS.subject,
        action: config.action ?? DEFAULTS.action,
        resource: config.resource ?? DEFAULTS.resource,
        context: config.context,
      }),
      checks: checks.map((check, index) => ({ name: check.name ?? String(index + 1), facts: factsOf(check) })),
      permit,
      obligations,
      timeout,
      maxAnswer: config.max_answer,
      ...(cache === undefined ? {} : { ttl: cache.ttl }),
    };
  },
});

const DEFAULTS = {
  subject: { type: 'user', id: '{consumer.name}', properties: {} },
  action: { name: '{request.method}', properties: {} },
  resource: { type: 'path', id: '{request.path}', properties: {} },
};

function factsOf({ subject, action, resource, context }: FactsConfig): FactsEntry {
  return {
    ...(subject === undefined
      ? {}
      : { subject: membersOf({ type: subject.type, id: subject.id }, subject.properties) }),
    ...(action === undefined ? {} : { action: membersOf({ name: action.name }, action.properties) }),
    ...(resource === undefined
      ? {}
      : { resource: membersOf({ type: resource.type, id: resource.id }, resource.properties) }),
    ...(context === undefined ? {} : { context: membersOf(context) }),
  };
}

type Values = { readonly [name: string]: string | boolean | number };

const entriesOf = (values: Values): [string, ValueEntry][] =>
  Object.entries(values).map(([name, value]) => {
    if (typeof value !== 'string') return [name, value];
    const parsed = parseTemplate(value);
    return [name, 'error' in parsed ? [value] : parsed.parts];
  });

const membersOf = (values: Values, properties: Values = {}): MembersEntry => [
  ...entriesOf(values),
  ...(Object.keys(properties).length === 0 ? [] : [['properties', { of: entriesOf(properties) }] as const]),
];

// ---------------------------------------------------------------- lint

function lintService({ url, service, metadata }: AuthzenConfig, report: Report): void {
  const problem = { code: 'authzen/service', severity: 'error' } as const;
  if (url === undefined && service === undefined)
    report({
      ...problem,
      at: [],
      message: 'This policy does not say which service decides.',
      help: 'Set `url = "https://..."`, or `service = "NAME"`.',
    });
  else if (url !== undefined && service !== undefined)
    report({
      ...problem,
      at: ['service'],
      message: 'A service and a URL are set, so it is not clear which one decides.',
      help: 'Keep one of them.',
    });
  else if (metadata && url === undefined)
    report({
      ...problem,
      at: ['metadata'],
      message:
        'The metadata name the URL of the policy decision point, which must be that of the policy; but it has only a service.',
      help: 'Set `url`, or remove `metadata`.',
    });
}

function lintFacts(facts: FactsConfig, at: ConfigPath, { routes }: PolicyContext, report: Report): void {
  const texts: [ConfigPath, string][] = [];
  for (const key of ['subject', 'action', 'resource', 'context'] as const) collect(facts[key], [...at, key], texts);
  for (const [place, text] of texts) {
    const parsed = parseTemplate(text);
    if ('error' in parsed) {
      report({ code: 'template/syntax', severity: 'error', at: place, message: parsed.error });
      continue;
    }
    for (const { name } of parsed.variables) {
      const route = routes.find(({ params }) => unknownVariable(name, new Set(params), false) !== undefined);
      if (route === undefined) continue;
      const message = `${unknownVariable(name, new Set(route.params), false)} (on route \`${route.name}\`)`;
      report({ code: 'template/unknown-variable', severity: 'error', at: place, message });
    }
  }
}

/** Every text in a value, with its place. */
function collect(value: unknown, at: ConfigPath, texts: [ConfigPath, string][]): void {
  if (typeof value === 'string') texts.push([at, value]);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) collect(item, [...at, key], texts);
}
