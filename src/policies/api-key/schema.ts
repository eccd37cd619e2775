/** Config of the api-key policy. */
import { type Infer, isFieldName, plainText, s } from '../compile-kit.js';

export const schema = s.object({
  header: s
    .string({ nonEmpty: true })
    .check('schema/format', (name) => (isFieldName(name) ? undefined : `\`${name}\` is not a valid header field name.`))
    .describe(
      'Header field with the key. Default: `x-api-key`; with `scheme`: `authorization`; with only `query`: none.',
      'x-api-key',
    )
    .optional(),
  scheme: s
    .string({ pattern: /^[A-Za-z][A-Za-z0-9-]*$/, expected: 'an authentication scheme such as `"Bearer"`' })
    .describe('Authentication scheme in front of the key: `Authorization: Bearer KEY`.', 'Bearer')
    .optional(),
  query: s
    .string({ nonEmpty: true })
    .describe('Query parameter with the key. Prefer a header: URLs appear in logs.', 'api_key')
    .optional(),
  optional: s
    .boolean()
    .describe('Let requests without a key pass, without a consumer. A wrong key still gets 401.')
    .default(false),
  realm: plainText().describe('Realm in the `WWW-Authenticate` field of a 401.').default('api'),
});

export type ApiKeyConfig = Infer<typeof schema>;

export type ApiKeySettings = {
  /** Lower case. */
  readonly header?: string;
  readonly scheme?: string;
  readonly query?: string;
  readonly optional: boolean;
  readonly realm: string;
};
