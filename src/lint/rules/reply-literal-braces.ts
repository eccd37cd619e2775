import { unknownVariable } from '../../schema/template.js';
import type { RouteModel } from '../../spec/model.js';
import { spanWithin } from '../edits.js';
import { paramsOf, routeEntity } from '../facts.js';
import type { Rule } from '../rule.js';

/** Names in single braces. Doubled braces and `${...}` belong to another template language, which sees the text later. */
const PLACEHOLDER = /(?<![{$])\{([A-Za-z_][\w-]*(?:\.[\w!#$%&'*+^`|~-]+)*)\}/g;

/**
 * Placeholders that elsewhere would be variables of this route. A body may hold braces for many reasons, so a word without
 * a dot counts only where it is a path parameter.
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

/** Placeholders of one text that are reported: more say nothing new, and each is looked for in the whole text. */
const MOST = 20;

/** A header value that is to hold a reference, such as `${REGION}`. In a body it belongs to another language. */
const references = (text: string): readonly string[] => [...new Set(text.match(/\$\{[^{}]*\}/g))].slice(0, MOST);

const BODY_HELP = 'Write the text without braces; only header fields can hold variables, with a `headers` policy.';
const HEADER_HELP =
  'Set the field with a `headers` policy (`reply.set`), whose values are templates, or write it without braces.';

const REFERENCE_HELP =
  'Set the field with a `headers` policy (`reply.set`), whose values take references: `${env:NAME}`, `${file:path}`.';

const rule: Rule = {
  code: 'reply/literal-braces',
  severity: 'warning',
  summary: 'A fixed reply holds what looks like a template variable, and is sent as it is written',
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
            message: `\`${reference}\` is sent as it is written: header values of a fixed reply hold no references.`,
            help: REFERENCE_HELP,
          });
        }
        for (const placeholder of placeholders(text, route)) {
          report({
            span: spanWithin(model, route.at.spanOf('reply', ...path), placeholder),
            entity: routeEntity(route),
            message: `\`${placeholder}\` is sent as it is written: ${path[0] === 'body' ? 'the body of a fixed reply is not a template' : 'header values of a fixed reply are not templates'}.`,
            help: path[0] === 'body' ? BODY_HELP : HEADER_HELP,
          });
        }
      }
    }
  },
};
export default rule;
