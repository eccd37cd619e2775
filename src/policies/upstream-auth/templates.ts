/** Templates in the config: their schema, their checks, and their settings. */
import { isFieldText, parseTemplate, s, templateFacts, unknownVariable, withReferences } from '../compile-kit.js';
import type { ConfigPath, Json, PolicyContext, PolicyProblem, RequestFact } from '../contract.js';

export type TemplateConfig = string | { readonly $ref: string };

/** Parts of a template; references are resolved at load. */
export type TemplateParts = readonly Json[];

function check(text: string): string | undefined {
  if (!isFieldText(text)) return 'A value may contain only printable ASCII and tabs, no line breaks.';
  const parsed = parseTemplate(text);
  return 'error' in parsed ? parsed.error : undefined;
}

/** A text with variables and references. `sensitive`: it may be a secret and must not be printed. */
export const template = (what: string) => s.reference(what, check, { template: true, sensitive: true });

const textOf = (value: TemplateConfig): string => (typeof value === 'string' ? value : value.$ref);

/** For settings. The text itself if it is malformed, which the schema reports. */
export function templateParts(value: TemplateConfig): TemplateParts {
  const parsed = parseTemplate(textOf(value));
  return 'error' in parsed ? [textOf(value)] : withReferences(parsed);
}

/** Reports variables that do not exist, or that one of the routes does not have. */
export function lintTemplate(
  value: TemplateConfig,
  at: ConfigPath,
  { routes }: PolicyContext,
  report: (problem: PolicyProblem) => void,
): void {
  const parsed = parseTemplate(textOf(value));
  if ('error' in parsed) return;
  for (const { name } of parsed.variables) {
    const problems = routes.map(({ params }) => unknownVariable(name, new Set(params), false));
    const general = name.startsWith('param.') ? undefined : unknownVariable(name, new Set(), false);
    const message = problems.find((problem) => problem !== undefined) ?? general;
    if (message !== undefined) report({ code: 'template/unknown-variable', severity: 'error', at, message });
  }
}

/** The facts of requests that a template reads; none without one. */
export const factsOfTemplate = (value: TemplateConfig | undefined, at: ConfigPath): readonly RequestFact[] =>
  value === undefined ? [] : templateFacts(textOf(value), at);

/** The same for templates by name. */
export const factsOfTemplates = (
  values: { readonly [name: string]: TemplateConfig } | undefined,
  at: ConfigPath,
): readonly RequestFact[] =>
  Object.entries(values ?? {}).flatMap(([name, value]) => factsOfTemplate(value, [...at, name]));
