/** Config of the headers policy. */

import { type Infer, isFieldName, isFieldText, parseTemplate, s } from '../compile-kit.js';
import type { Json } from '../contract.js';

/** Fields that frame a message or belong to one connection: gw writes these itself, RFC 9110 section 7.6.1. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function checkName(name: string): string | undefined {
  if (!isFieldName(name)) return `\`${name}\` cannot be the name of a header field.`;
  if (name.toLowerCase() === 'host') {
    return '`host` is not edited here: a service says with `host = "preserve"` or `"target"` which one its targets see.';
  }
  return FRAMING.has(name.toLowerCase())
    ? `\`${name}\` frames the message or belongs to one connection: gw writes it itself.`
    : undefined;
}

function checkValue(text: string): string | undefined {
  if (!isFieldText(text)) return 'A header value holds printable ASCII alone: no line breaks, no control characters.';
  const parsed = parseTemplate(text);
  return 'error' in parsed ? parsed.error : undefined;
}

const value = s.reference('a header value', checkValue, { template: true });
const names = s.array(s.string({ nonEmpty: true }).check('schema/format', checkName));

const edits = (whose: string) =>
  s.object({
    set: s
      .map(value, checkName)
      .describe(
        `Fields of the ${whose} to set, whatever they were. Values are templates; one that comes out empty takes the field away.`,
        { 'x-tenant': '{consumer.name}' },
      )
      .default({}),
    add: s
      .map(value, checkName)
      .describe(`Fields of the ${whose} to add beside those of the same name. Values are templates.`)
      .default({}),
    remove: names.describe(`Names of the fields that are taken off the ${whose}.`, ['server']).default([]),
  });

const NO_EDITS = { set: {}, add: {}, remove: [] };

export const schema = s.object({
  request: edits('request').describe('What the target sees.').default(NO_EDITS),
  reply: edits('reply').describe('What the client sees; also on replies of gw itself.').default(NO_EDITS),
});

export type HeadersConfig = Infer<typeof schema>;
export type EditsConfig = HeadersConfig['request'];

/** Applied in this order: remove, set, add. Names in lower case. */
export type EditsSettings = {
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, parts: readonly Json[]])[];
  readonly add: readonly (readonly [name: string, parts: readonly Json[]])[];
};

export type HeadersSettings = { readonly request: EditsSettings; readonly reply: EditsSettings };
