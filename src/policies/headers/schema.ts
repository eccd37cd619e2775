/** Config of the headers policy. */
import { fieldProblem, type Infer, isFieldText, parseTemplate, s } from '../compile-kit.js';
import type { Json } from '../contract.js';

function checkName(name: string): string | undefined {
  if (name.toLowerCase() === 'host') {
    return 'A headers policy cannot set `host`. Set `host = "preserve"` or `host = "target"` on the service instead.';
  }
  return fieldProblem(name);
}

function checkValue(text: string): string | undefined {
  if (!isFieldText(text))
    return 'A header value may contain only printable ASCII and tabs, no line breaks or other control characters.';
  const parsed = parseTemplate(text);
  return 'error' in parsed ? parsed.error : undefined;
}

const value = s.reference('a header value', checkValue, { template: true });
const names = s.array(s.string({ nonEmpty: true }).check('schema/format', checkName));

const edits = (whose: string) =>
  s.object({
    set: s
      .map(value, checkName)
      .describe(`Fields of the ${whose} to set or replace. Values are templates; an empty result removes the field.`, {
        'x-tenant': '{consumer.name}',
      })
      .default({}),
    add: s
      .map(value, checkName)
      .describe(`Fields of the ${whose} to add, in addition to existing ones of that name. Values are templates.`)
      .default({}),
    remove: names.describe(`Names of fields to remove from the ${whose}.`, ['server']).default([]),
  });

const NO_EDITS = { set: {}, add: {}, remove: [] };

export const schema = s.object({
  request: edits('request').describe('Edits of the request, before it goes to the target.').default(NO_EDITS),
  reply: edits('reply')
    .describe('Edits of the reply, before it goes to the client; also of replies from gw itself.')
    .default(NO_EDITS),
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
