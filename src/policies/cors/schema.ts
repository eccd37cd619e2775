/** Config of the cors policy. */
import { type Infer, isFieldName, s } from '../compile-kit.js';
import { originProblem } from '../kits/origins.js';

const ORIGIN = /^(\*|null|[a-z][a-z0-9+.-]*:\/\/(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?)$/;

const fieldNames = (doc: string) =>
  s
    .array(
      s
        .string({ nonEmpty: true })
        .check('schema/format', (name) =>
          isFieldName(name) ? undefined : `\`${name}\` is not a valid header field name.`,
        ),
    )
    .describe(doc)
    .default([]);

export const schema = s.object({
  origins: s
    .array(
      s
        .string({ pattern: ORIGIN, expected: 'an origin such as `"https://app.example.com"`' })
        .check('schema/format', originProblem),
      { min: 1 },
    )
    .describe(
      'Origins whose pages may read replies: exact, with a wildcard for the leftmost labels (`https://*.example.com`), or `*` for all.',
      ['https://app.example.com'],
    ),
  methods: s
    .array(s.string({ pattern: /^[A-Z][A-Z-]*$/, expected: 'a method in capitals' }), { min: 1 })
    .describe('Methods that pages may use.')
    .default(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']),
  headers: fieldNames('Request fields that pages may send, besides those that CORS always allows. `*`: any field.'),
  expose: fieldNames('Reply fields that pages may read, besides those that CORS always allows.'),
  credentials: s
    .boolean()
    .describe('Let pages send cookies and other credentials; not allowed with origin `*`.')
    .default(false),
  max_age: s.duration().describe('How long a browser may cache the answer to a preflight.').default(600_000),
});

export type CorsConfig = Infer<typeof schema>;

export type CorsSettings = {
  readonly anyOrigin: boolean;
  readonly origins: readonly string[];
  /** `https://*.example.com:8443` split around the star. */
  readonly wildcards: readonly { readonly before: string; readonly after: string }[];
  readonly methods: readonly string[];
  /** Allowed request fields joined; absent: any field. */
  readonly headers?: string;
  readonly expose: string;
  readonly credentials: boolean;
  readonly maxAge: number;
};
