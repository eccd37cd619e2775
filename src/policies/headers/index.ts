/** headers, the half that the compiler reads. */

import { declarePolicy, isFieldText, parseTemplate, unknownVariable, withReferences } from '../compile-kit.js';
import type { ConfigPath, Json, PolicyContext, PolicyProblem } from '../contract.js';
import { type EditsConfig, type EditsPlan, type HeadersConfig, type HeadersPlan, schema } from './schema.js';

type Report = (problem: PolicyProblem) => void;
type Side = 'request' | 'reply';

export default declarePolicy<HeadersConfig, HeadersPlan>({
  use: 'headers',
  summary: 'Sets, adds and removes header fields of the request and of the reply.',
  phase: 'transform',
  stateful: false,
  schema,
  codes: [
    { code: 'headers/empty', severity: 'warning', summary: 'A headers policy that edits nothing.' },
    { code: 'headers/duplicate', severity: 'error', summary: 'One field is set twice, in different spellings.' },
    { code: 'template/syntax', severity: 'error', summary: 'A template with a brace in the wrong place.' },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template names a variable or path parameter that does not exist.',
    },
  ],
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
        message: 'This policy edits nothing.',
        help: 'Say what to change, such as `request.set = { x-tenant = "{consumer.name}" }`, or leave it out.',
      });
    }
    for (const side of ['request', 'reply'] as const) lintSide(side, config[side], context, report);
  },
  compile(config) {
    if (isEmpty(config.request) && isEmpty(config.reply)) return undefined;
    return { request: compileSide(config.request), reply: compileSide(config.reply) };
  },
});

const isEmpty = (edits: EditsConfig): boolean =>
  Object.keys(edits.set).length === 0 && Object.keys(edits.add).length === 0 && edits.remove.length === 0;

function lintSide(side: Side, edits: EditsConfig, context: PolicyContext, report: Report): void {
  const seen = new Map<string, string>();
  for (const name of Object.keys(edits.set)) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      report({
        code: 'headers/duplicate',
        severity: 'error',
        at: [side, 'set', name],
        message: `\`${name}\` and \`${other}\` are the same header field.`,
        help: 'Keep one of them; to send the field twice, use `add`.',
      });
    }
    seen.set(name.toLowerCase(), name);
  }
  for (const action of ['set', 'add'] as const) {
    for (const [name, value] of Object.entries(edits[action])) {
      lintTemplate(typeof value === 'string' ? value : value.$ref, [side, action, name], side, context, report);
    }
  }
}

function lintTemplate(text: string, at: ConfigPath, side: Side, context: PolicyContext, report: Report): void {
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
      message: 'A header value holds printable ASCII alone: no line breaks, no control characters.',
    });
  }
  for (const variable of parsed.variables) {
    for (const route of context.routes.length > 0 ? context.routes : [undefined]) {
      // Unused policies are judged with the parameter taken for granted: no route says otherwise.
      const params = route?.params ?? [variable.name.replace(/^param\./, '')];
      const message = unknownVariable(variable.name, params, side === 'reply');
      if (message === undefined) continue;
      const where = route !== undefined && variable.name.startsWith('param.') ? ` (on route \`${route.name}\`)` : '';
      report({ code: 'template/unknown-variable', severity: 'error', at, message: `${message}${where}` });
      break;
    }
  }
}

function compileSide(edits: EditsConfig): EditsPlan {
  return {
    remove: edits.remove.map((name) => name.toLowerCase()),
    set: compileValues(edits.set),
    add: compileValues(edits.add),
  };
}

function compileValues(values: EditsConfig['set']): (readonly [string, readonly Json[]])[] {
  return Object.entries(values).map(([name, value]) => {
    const text = typeof value === 'string' ? value : value.$ref;
    const parsed = parseTemplate(text);
    return [name.toLowerCase(), 'error' in parsed ? [value] : withReferences(parsed)];
  });
}
