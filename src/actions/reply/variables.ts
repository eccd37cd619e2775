/** Checks the variables of a reply, and finds braces that were probably meant as variables. */
import { parseText, unknownVariable } from '../../policies/compile-kit.js';
import type { ConfigPath, PolicyContext, PolicyProblem } from '../../policies/contract.js';
import type { ReplyConfig } from './schema.js';

type Report = (problem: PolicyProblem) => void;

/** At most this many references per text are reported, since each one is searched in the whole text. */
const MOST = 20;

/** References in a header value, such as `${REGION}`. In a body they belong to another language. */
const references = (text: string): readonly string[] => [...new Set(text.match(/\$\{[^{}]*\}/g))].slice(0, MOST);

const LITERAL = { code: 'reply/literal-braces', severity: 'warning' } as const;
const UNKNOWN = { code: 'template/unknown-variable', severity: 'error' } as const;

export function lintVariables(
  { body, headers, template }: ReplyConfig,
  { routes }: PolicyContext,
  report: Report,
): void {
  if (!template) return;
  const params = new Set(routes[0]?.params);
  for (const [name, text] of Object.entries(headers)) {
    const at = ['headers', name];
    lintText(text, at, params, report);
    for (const part of references(text)) {
      report({
        ...LITERAL,
        at,
        part,
        message: `\`${part}\` is sent literally: header values of a reply cannot contain references.`,
        help: 'Set the field with a `headers` policy (`reply.set`), whose values may contain `${env:NAME}` and `${file:path}`.',
      });
    }
  }
  lintText(body, ['body'], params, report);
}

function lintText(text: string, at: ConfigPath, params: ReadonlySet<string>, report: Report): void {
  const { nearMisses, variables } = parseText(text, params);
  for (const { name, offset } of variables) {
    const message = unknownVariable(name, params, false);
    if (message === undefined) continue;
    const part = text.slice(offset, text.indexOf('}', offset) + 1);
    report({
      ...UNKNOWN,
      at,
      part,
      message,
      help: 'Correct the name, or set `template = false` to send all braces literally.',
    });
  }
  for (const part of nearMisses) {
    const name = part.slice(1, -1);
    const why = unknownVariable(name.includes('.') ? name : `param.${name}`, params, false);
    report({
      ...LITERAL,
      at,
      part,
      message: `\`${part}\` is sent literally, because it is not a variable.${why === undefined ? '' : ` ${why}`}`,
      help: 'Correct the name, or set `template = false` if the braces are intended.',
    });
  }
}
