import { unknownVariable } from '../../schema/template.js';
import type { RouteModel } from '../../spec/model.js';
import { spanWithin } from '../edits.js';
import { paramsOf, routeEntity } from '../model-index.js';
import type { Rule } from '../rule.js';

/** Names in single braces. Doubled braces and `${...}` belong to another template language that processes the text later. */
const PLACEHOLDER = /(?<![{$])\{([A-Za-z_][\w-]*(?:\.[\w!#$%&'*+^`|~-]+)*)\}/g;

/**
 * Placeholders that would be variables of this route in a template. A body may contain braces for many reasons, so a word
 * without a dot counts only if it is a path parameter.
 */
function placeholders(text: string, route: RouteModel): string[] {
  const params = new Set(paramsOf(route));
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

const rule: Rule = {
  code: 'reply/literal-braces',
  severity: 'warning',
  summary: 'A fixed reply contains a template variable, which is sent literally',
  partial: true,
  check(model, report) {
    for (const route of model.routes) {
      if (!route.reply) continue;
      const texts: [readonly string[], string][] = [
        ...Object.entries(route.reply.headers).map(([name, value]): [string[], string] => [['headers', name], value]),
        [['body'], route.reply.body],
      ];
      for (const [path, text] of texts) {
        for (const reference of path[0] === 'headers' ? references(text) : []) {
          report({
            span: spanWithin(model, route.at.spanOf('reply', ...path), reference),
            entity: routeEntity(route),
            message: `\`${reference}\` is sent literally: header values of a fixed reply cannot contain references.`,
            help: REFERENCE_HELP,
          });
        }
        for (const placeholder of placeholders(text, route)) {
          report({
            span: spanWithin(model, route.at.spanOf('reply', ...path), placeholder),
            entity: routeEntity(route),
            message: `\`${placeholder}\` is sent literally: ${path[0] === 'body' ? 'the body of a fixed reply is not a template' : 'header values of a fixed reply are not templates'}.`,
            help: path[0] === 'body' ? BODY_HELP : HEADER_HELP,
          });
        }
      }
    }
  },
};
export default rule;
