/** Edits of header fields in a config: keys, checks, settings. For compile parts. */
import {
  fieldProblem,
  isFieldText,
  parseTemplate,
  type Schema,
  s,
  templateFacts,
  unknownVariable,
  withReferences,
} from '../compile-kit.js';
import type { ConfigPath, Json, PolicyContext, PolicyProblem, RefString, RequestFact } from '../contract.js';
import type { EditsSettings } from './field-edits.js';

type Report = (problem: PolicyProblem) => void;
type Values = { readonly [name: string]: RefString };

export interface EditsConfig {
  readonly set: Values;
  readonly add: Values;
  readonly remove: readonly string[];
  readonly rename?: { readonly [from: string]: string };
}

const NOT_TEXT =
  'A header value may contain only printable ASCII and tabs, no line breaks or other control characters.';

const hostProblem = (use: string) => (name: string) =>
  name.toLowerCase() === 'host'
    ? `A ${use} policy cannot set \`host\`. Set \`host = "preserve"\` or \`host = "target"\` on the service instead.`
    : fieldProblem(name);

function checkValue(text: string): string | undefined {
  if (!isFieldText(text)) return NOT_TEXT;
  const parsed = parseTemplate(text);
  return 'error' in parsed ? parsed.error : undefined;
}

/** The keys `set`, `add` and `remove` of the fields of a message. `use`: of the policy, for messages. */
export function editKeys(use: string, whose: string) {
  const value = s.reference('a header value', checkValue, { template: true });
  const checkName = hostProblem(use);
  return {
    set: s
      .map(value, checkName)
      .describe(`Fields of the ${whose} to set or replace. Values are templates; an empty result removes the field.`, {
        'x-tenant': '{consumer.name}',
      })
      .default({}),
    add: s
      .map(value, checkName)
      .describe(`Fields of the ${whose} to add, in addition to existing ones of that name. Values are templates.`)
      .default({}),
    remove: s.array(fieldName(use)).describe(`Names of fields to remove from the ${whose}.`, ['server']).default([]),
  };
}

/** A name of a field that a policy may write. */
export const fieldName = (use: string): Schema<string> =>
  s.string({ nonEmpty: true }).check('schema/format', hostProblem(use));

/** The key `rename`. */
export const renameKey = (use: string, whose: string) =>
  s
    .map(fieldName(use), hostProblem(use))
    .describe(`Fields of the ${whose} to give another name, in place of a field that has it.`, { 'x-old': 'x-new' })
    .default({});

export const isEmptyEdits = ({ set, add, remove, rename = {} }: EditsConfig): boolean =>
  [set, add, rename].every((values) => Object.keys(values).length === 0) && remove.length === 0;

/** Names of the fields that are set, added, removed or renamed, in lower case. */
export const ownedNames = ({ set, add, remove, rename = {} }: EditsConfig): string[] =>
  [...Object.keys(set), ...Object.keys(add), ...remove, ...Object.keys(rename)].map((name) => name.toLowerCase());

/** The facts of requests that the values read; `at`: the place of the edits. */
export const editFacts = (edits: EditsConfig, at: ConfigPath): readonly RequestFact[] =>
  (['set', 'add'] as const).flatMap((action) =>
    Object.entries(edits[action]).flatMap(([name, value]) => templateFacts(textOf(value), [...at, action, name])),
  );

const textOf = (value: RefString): string => (typeof value === 'string' ? value : value.$ref);

/** What lint of edits needs: where they are, and the code for a name that is there twice. */
export interface EditsPlace {
  readonly at: ConfigPath;
  readonly onReply: boolean;
  readonly duplicate: string;
  readonly routes: RouteParams;
}

export function lintEdits(edits: EditsConfig, place: EditsPlace, report: Report): void {
  const { at, duplicate } = place;
  const seen = new Map<string, string>();
  for (const name of Object.keys(edits.set)) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      report({
        code: duplicate,
        severity: 'error',
        at: [...at, 'set', name],
        message: `\`${name}\` and \`${other}\` name the same header field: case makes no difference.`,
        help: 'Remove one of them; to send the field twice, use `add`.',
      });
    }
    seen.set(name.toLowerCase(), name);
  }
  for (const action of ['set', 'add'] as const) {
    for (const [name, value] of Object.entries(edits[action])) {
      const text = textOf(value);
      const where = [...at, action, name];
      if (lintTemplate(text, where, place, report) && !isFieldText(text))
        report({ code: 'template/syntax', severity: 'error', at: where, message: NOT_TEXT });
    }
  }
}

/** Checks a template and its variables. Returns false if it cannot be parsed. */
export function lintTemplate(
  text: string,
  at: ConfigPath,
  { routes, onReply }: Pick<EditsPlace, 'routes' | 'onReply'>,
  report: Report,
): boolean {
  const parsed = parseTemplate(text);
  if ('error' in parsed) {
    report({ code: 'template/syntax', severity: 'error', at, message: parsed.error });
    return false;
  }
  for (const variable of parsed.variables) {
    // An unused policy has no routes to check parameters against.
    const message = routes.problem(variable.name, onReply);
    if (message !== undefined) report({ code: 'template/unknown-variable', severity: 'error', at, message });
  }
  return true;
}

/** The path parameters of the routes that use a policy. */
export class RouteParams {
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

export function compileEdits({ set, add, remove, rename = {} }: EditsConfig): EditsSettings {
  const renamed = Object.entries(rename).map(([from, to]) => [from.toLowerCase(), to.toLowerCase()] as const);
  return {
    remove: remove.map((name) => name.toLowerCase()),
    ...(renamed.length === 0 ? {} : { rename: renamed }),
    set: compileValues(set),
    add: compileValues(add),
  };
}

function compileValues(values: Values): (readonly [string, readonly Json[]])[] {
  return Object.entries(values).map(([name, value]) => [name.toLowerCase(), templateOf(value)]);
}

/** The parts of a template for the settings. */
export function templateOf(value: RefString): readonly Json[] {
  const parsed = parseTemplate(textOf(value));
  return 'error' in parsed ? [value] : withReferences(parsed);
}
