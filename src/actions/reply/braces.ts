/** Finds placeholders in a fixed reply, which are sent literally. */
import { unknownVariable } from '../../policies/compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../../policies/contract.js';
import type { ReplyConfig } from './schema.js';

/** Names in single braces. Doubled braces and `${...}` belong to another template language that processes the text later. */
const PLACEHOLDER = /(?<![{$])\{([A-Za-z_][\w-]*(?:\.[\w!#$%&'*+^`|~-]+)*)\}/g;

/**
 * Placeholders that would be variables of this route in a template. A body may contain braces for many reasons, so a word
 * without a dot counts only if it is a path parameter.
 */
function placeholders(text: string, params: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const [whole, name = ''] of text.matchAll(PLACEHOLDER)) {
    const isMeant = name.includes('.')
      ? name.startsWith('param.') || unknownVariable(name, params, true) === undefined
      : params.has(name);
    if (isMeant && found.add(whole).size === MOST) break;
  }
  return [...found];
}

/** At most this many placeholders per text are reported, since each one is searched in the whole text. */
const MOST = 20;

/** References in a header value, such as `${REGION}`. In a body they belong to another language. */
const references = (text: string): readonly string[] => [...new Set(text.match(/\$\{[^{}]*\}/g))].slice(0, MOST);

const BODY_HELP = 'Write the text without braces. Only header fields can use variables, with a `headers` policy.';
const HEADER_HELP =
  'Set the field with a `headers` policy (`reply.set`), whose values are templates, or write it without braces.';

const REFERENCE_HELP =
  'Set the field with a `headers` policy (`reply.set`), whose values may contain `${env:NAME}` and `${file:path}`.';

const CODE = { code: 'reply/literal-braces', severity: 'warning' } as const;

/** Reports variables and references that a reply would send literally. */
export function lintBraces(
  { body, headers }: ReplyConfig,
  { routes }: PolicyContext,
  report: (problem: PolicyProblem) => void,
): void {
  const params = new Set(routes[0]?.params);
  for (const [name, text] of Object.entries(headers)) {
    const at = ['headers', name];
    for (const part of references(text)) {
      const message = `\`${part}\` is sent literally: header values of a fixed reply cannot contain references.`;
      report({ ...CODE, at, part, message, help: REFERENCE_HELP });
    }
    for (const part of placeholders(text, params)) {
      const message = `\`${part}\` is sent literally: header values of a fixed reply are not templates.`;
      report({ ...CODE, at, part, message, help: HEADER_HELP });
    }
  }
  for (const part of placeholders(body, params)) {
    const message = `\`${part}\` is sent literally: the body of a fixed reply is not a template.`;
    report({ ...CODE, at: ['body'], part, message, help: BODY_HELP });
  }
}
