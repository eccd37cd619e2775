/** Compile part of headers. */
import { declarePolicy } from '../compile-kit.js';
import {
  compileEdits,
  editFacts,
  isEmptyEdits,
  lintEdits,
  ownedNames,
  RouteParams,
} from '../kits/field-edits-schema.js';
import { type HeadersConfig, type HeadersSettings, schema } from './schema.js';

export default declarePolicy<HeadersConfig, HeadersSettings>({
  use: 'headers',
  summary: 'Sets, adds and removes header fields of requests and replies',
  phase: 'transform',
  // Fields such as Strict-Transport-Security belong on every reply, also on a 401.
  replyPhase: 'fields',
  stateful: false,
  schema,
  codes: [
    { code: 'headers/empty', severity: 'warning', summary: 'A headers policy changes nothing' },
    { code: 'headers/duplicate', severity: 'error', summary: 'A header field is set twice, in different case' },
    { code: 'template/syntax', severity: 'error', summary: 'A template has an unmatched brace' },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template uses an unknown variable or path parameter',
    },
  ],
  replyOnly: ({ request }) => isEmptyEdits(request),
  // Edits of the reply are outermost, so no cache keeps them.
  requestFacts: ({ request }) => editFacts(request, ['request']),
  traits: ({ request }) => ({ ownsRequestFields: ownedNames(request) }),
  lint(config, context, report) {
    if (isEmptyEdits(config.request) && isEmptyEdits(config.reply)) {
      report({
        code: 'headers/empty',
        severity: 'warning',
        at: [],
        message: 'This policy changes no header field.',
        help: 'Add an edit such as `request.set = { x-tenant = "{consumer.name}" }`, or remove the policy.',
      });
    }
    const routes = new RouteParams(context.routes);
    const duplicate = 'headers/duplicate';
    for (const side of ['request', 'reply'] as const)
      lintEdits(config[side], { at: [side], onReply: side === 'reply', duplicate, routes }, report);
  },
  compile(config) {
    if (isEmptyEdits(config.request) && isEmptyEdits(config.reply)) return undefined;
    return { request: compileEdits(config.request), reply: compileEdits(config.reply) };
  },
});
