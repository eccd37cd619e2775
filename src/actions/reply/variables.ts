/** Checks the variables of a reply, and finds braces that were probably meant as variables. */
import { unknownVariable } from '../../policies/compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../../policies/contract.js';
import { lintText } from '../../policies/kits/template-text.js';
import { contentTypeOf } from './content-type.js';
import type { ReplyConfig } from './schema.js';

type Report = (problem: PolicyProblem) => void;

/** At most this many references per text are reported, since each one is searched in the whole text. */
const MOST = 20;

/** References in a header value, such as `${REGION}`. In a body they belong to another language. */
const references = (text: string): readonly string[] => [...new Set(text.match(/\$\{[^{}]*\}/g))].slice(0, MOST);

const LITERAL = { code: 'reply/literal-braces', severity: 'warning' } as const;

export function lintVariables(config: ReplyConfig, { routes }: PolicyContext, report: Report): void {
  const { body, headers, template } = config;
  if (!template) return;
  const params = new Set(routes[0]?.params);
  for (const [name, text] of Object.entries(headers)) {
    const at = ['headers', name];
    lintPart({ text, at, params, form: 'other' }, report);
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
  const { form, problem } = contentTypeOf(config, params);
  if (problem !== undefined) report({ code: 'reply/content-type', severity: 'error', ...problem });
  const markup = problem === undefined && (form === 'html' || form === 'xml') ? form : 'other';
  lintPart({ text: body, at: ['body'], params, form: markup }, report);
}

const HELP = 'Correct the name, or set `template = false` to send all braces literally.';

type Part = Pick<Parameters<typeof lintText>[0], 'text' | 'at' | 'params' | 'form'>;

function lintPart(part: Part, report: Report): void {
  const { at, params } = part;
  const { nearMisses } = lintText({ ...part, onReply: false, help: HELP }, report);
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
