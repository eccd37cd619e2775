/** Config of the headers policy. */
import { type Infer, s } from '../compile-kit.js';
import type { EditsSettings } from '../kits/field-edits.js';
import { editKeys } from '../kits/field-edits-schema.js';

const NO_EDITS = { set: {}, add: {}, remove: [] };

export const schema = s.object({
  request: s
    .object(editKeys('headers', 'request'))
    .describe('Edits of the request, before it goes to the target.')
    .default(NO_EDITS),
  reply: s
    .object(editKeys('headers', 'reply'))
    .describe('Edits of the reply, before it goes to the client; also of replies from gw itself.')
    .default(NO_EDITS),
});

export type HeadersConfig = Infer<typeof schema>;

export type HeadersSettings = { readonly request: EditsSettings; readonly reply: EditsSettings };
