/** Compile part of reply. */
import { declareAction, parseText, textFacts } from '../../policies/compile-kit.js';
import type { TemplateEntry } from '../../policies/contract.js';
import { TEMPLATE_CODES } from '../../policies/kits/template-text.js';
import { type ReplyConfig, type ReplySettings, schema } from './schema.js';
import { lintVariables } from './variables.js';

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY = new Set([204, 205, 304]);

export default declareAction<ReplyConfig, ReplySettings>({
  use: 'reply',
  summary: 'Sends a reply without a service',
  schema,
  codes: [
    {
      code: 'reply/content-type',
      severity: 'error',
      summary: 'The media type of a reply is ambiguous, or wrong for its body',
    },
    {
      code: 'reply/forbidden-body',
      severity: 'error',
      summary: 'A reply has a body, but its status does not allow one',
    },
    {
      code: 'reply/literal-braces',
      severity: 'warning',
      summary: 'A reply contains braces that resemble a variable and are sent literally',
    },
    ...TEMPLATE_CODES,
  ],
  lint(config, context, report) {
    lintVariables(config, context, report);
    const { body, status } = config;
    if (body === '' || !WITHOUT_BODY.has(status)) return;
    report({
      code: 'reply/forbidden-body',
      severity: 'error',
      at: ['body'],
      message: `A reply with status ${status} cannot have a body, so this text would never be sent.`,
      related: [{ at: ['status'], message: 'the status is set here' }],
      help: 'Remove the body, or use another status, such as 200.',
    });
  },
  requestFacts: ({ body, headers, template }) =>
    template
      ? [
          ...Object.entries(headers).flatMap(([name, value]) => textFacts(value, ['headers', name])),
          ...textFacts(body, ['body']),
        ]
      : [],
  describe: ({ status }) => `reply ${status}`,
  compile({ body, headers, status, template }, { routes }) {
    const params = new Set(routes[0]?.params);
    const parts = (text: string): TemplateEntry => (template ? parseText(text, params).parts : [text]);
    const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), parts(value)] as const);
    const typed = body === '' || fields.some(([name]) => name === 'content-type');
    return { status, headers: typed ? fields : [...fields, PLAIN_TEXT], body: body === '' ? [] : parts(body) };
  },
});

const PLAIN_TEXT = ['content-type', ['text/plain; charset=utf-8']] as const;
