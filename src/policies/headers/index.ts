/** Compile part of headers. */
import {
  declarePolicy,
  isFieldText,
  parseTemplate,
  templateFacts,
  unknownVariable,
  withReferences,
} from '../compile-kit.js';
import type { ConfigPath, Json, PolicyContext, PolicyProblem, RequestFact } from '../contract.js';
import { type EditsConfig, type EditsSettings, type HeadersConfig, type HeadersSettings, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;
type Side = 'request' | 'reply';

export default declarePolicy<HeadersConfig, HeadersSettings>({
  use: 'headers',
  summary: 'Sets, adds and removes header fields of requests and replies',
  phase: 'transform',
  // Fields such as Strict-Transport-Security belong on every reply, also on a 401.
  replyPhase: 'fields',
  stateful: false,
  schema,
  codes: [
    { code: 'headers/empty', severity: 'warning', summary: 'A headers policy changes nothing' },
    { code: 'headers/duplicate', severity: 'error', summary: 'A header field is set twice, in different case' },
    { code: 'template/syntax', severity: 'error', summary: 'A template has an unmatched brace' },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template uses an unknown variable or path parameter',
    },
  ],
  replyOnly: ({ request }) => isEmpty(request),
  // Edits of the reply are outermost, so no cache keeps them.
  requestFacts: ({ request }) => [...factsOf('set', request.set), ...factsOf('add', request.add)],
  traits: ({ request }) => ({
    ownsRequestFields: [...Object.keys(request.set), ...Object.keys(request.add), ...request.remove].map((name) =>
      name.toLowerCase(),
    ),
  }),
  lint(config, context, report) {
    if (isEmpty(config.request) && isEmpty(config.reply)) {
      report({
        code: 'headers/empty',
        severity: 'warning',
        at: [],
        message: 'This policy changes no header field.',
        help: 'Add an edit such as `request.set = { x-tenant = "{consumer.name}" }`, or remove the policy.',
      });
    }
    const routes = new RouteParams(context.routes);
    for (const side of ['request', 'reply'] as const) lintSide(side, config[side], routes, report);
  },
  compile(config) {
    if (isEmpty(config.request) && isEmpty(config.reply)) return undefined;
    return { request: compileSide(config.request), reply: compileSide(config.reply) };
  },
});

const factsOf = (key: 'set' | 'add', values: EditsConfig['set']): readonly RequestFact[] =>
  Object.entries(values).flatMap(([name, value]) => templateFacts(textOf(value), ['request', key, name]));

const textOf = (value: EditsConfig['set'][string]): string => (typeof value === 'string' ? value : value.$ref);

const isEmpty = (edits: EditsConfig): boolean =>
  Object.keys(edits.set).length === 0 && Object.keys(edits.add).length === 0 && edits.remove.length === 0;

function lintSide(side: Side, edits: EditsConfig, routes: RouteParams, report: Report): void {
  const seen = new Map<string, string>();
  for (const name of Object.keys(edits.set)) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      report({
        code: 'headers/duplicate',
        severity: 'error',
        at: [side, 'set', name],
        message: `\`${name}\` and \`${other}\` name the same header field: case makes no difference.`,
        help: 'Remove one of them; to send the field twice, use `add`.',
      });
    }
    seen.set(name.toLowerCase(), name);
  }
  for (const action of ['set', 'add'] as const) {
    for (const [name, value] of Object.entries(edits[action])) {
      lintTemplate(textOf(value), [side, action, name], side, routes, report);
    }
  }
}

/** The path parameters of the routes that use a policy. */
class RouteParams {
  readonly #routes: readonly { readonly name: string; readonly params: ReadonlySet<string> }[];
  /** How many routes have a parameter. */
  readonly #counts = new Map<string, number>();

  constructor(routes: PolicyContext['routes']) {
    this.#routes = routes.map(({ name, params }) => ({ name, params: new Set(params) }));
    for (const { params } of this.#routes) {
      for (const param of params) this.#counts.set(param, (this.#counts.get(param) ?? 0) + 1);
    }
  }

  /** What is wrong with a variable, on the first route that has the problem. */
  problem(variable: string, onReply: boolean): string | undefined {
    const param = /^param\.(.*)$/s.exec(variable)?.[1];
    if (param === undefined) return unknownVariable(variable, NO_PARAMS, onReply);
    if ((this.#counts.get(param) ?? 0) === this.#routes.length) return undefined;
    const route = this.#routes.find(({ params }) => !params.has(param));
    const message = route && unknownVariable(variable, route.params, onReply);
    return message && `${message} (on route \`${route.name}\`)`;
  }
}

const NO_PARAMS: ReadonlySet<string> = new Set();

function lintTemplate(text: string, at: ConfigPath, side: Side, routes: RouteParams, report: Report): void {
  const parsed = parseTemplate(text);
  if ('error' in parsed) {
    report({ code: 'template/syntax', severity: 'error', at, message: parsed.error });
    return;
  }
  if (!isFieldText(text)) {
    report({
      code: 'template/syntax',
      severity: 'error',
      at,
      message: 'A header value may contain only printable ASCII and tabs, no line breaks or other control characters.',
    });
  }
  for (const variable of parsed.variables) {
    // An unused policy has no routes to check parameters against.
    const message = routes.problem(variable.name, side === 'reply');
    if (message !== undefined) report({ code: 'template/unknown-variable', severity: 'error', at, message });
  }
}

function compileSide(edits: EditsConfig): EditsSettings {
  return {
    remove: edits.remove.map((name) => name.toLowerCase()),
    set: compileValues(edits.set),
    add: compileValues(edits.add),
  };
}

function compileValues(values: EditsConfig['set']): (readonly [string, readonly Json[]])[] {
  return Object.entries(values).map(([name, value]) => {
    const parsed = parseTemplate(textOf(value));
    return [name.toLowerCase(), 'error' in parsed ? [value] : withReferences(parsed)];
  });
}
