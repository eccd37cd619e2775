/** Compile part of reply. */
import { declareAction } from '../../policies/compile-kit.js';
import { lintBraces } from './braces.js';
import { type ReplyConfig, type ReplySettings, schema } from './schema.js';

/** RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
const WITHOUT_BODY = new Set([204, 205, 304]);

export default declareAction<ReplyConfig, ReplySettings>({
  use: 'reply',
  summary: 'Sends a fixed reply',
  schema,
  codes: [
    {
      code: 'reply/forbidden-body',
      severity: 'error',
      summary: 'A reply has a body, but its status does not allow one',
    },
    {
      code: 'reply/literal-braces',
      severity: 'warning',
      summary: 'A fixed reply contains a template variable, which is sent literally',
    },
  ],
  lint(config, context, report) {
    lintBraces(config, context, report);
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
  describe: ({ status }) => `reply ${status}`,
  compile({ body, headers, status }) {
    const fields = Object.entries(headers);
    const typed = body === '' || fields.some(([name]) => name.toLowerCase() === 'content-type');
    return { status, headers: typed ? fields : [...fields, ['content-type', 'text/plain; charset=utf-8']], body };
  },
});
