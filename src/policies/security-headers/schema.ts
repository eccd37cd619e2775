/** Config of the security-headers policy. */
import { type Infer, isFieldName, s } from '../compile-kit.js';

const REFERRER = [
  'no-referrer',
  'no-referrer-when-downgrade',
  'origin',
  'origin-when-cross-origin',
  'same-origin',
  'strict-origin',
  'strict-origin-when-cross-origin',
  'unsafe-url',
] as const;

/** A value, or `false` for none. */
const oneOf = <const T extends string>(...values: T[]) =>
  s.either<T | false>(
    { kinds: ['string'], schema: s.enum(...values) },
    { kinds: ['boolean'], schema: s.boolean().check('schema/value', onlyFalse) as never },
  );
const textOrFalse = () =>
  s.either<string | false>(
    { kinds: ['string'], schema: s.string({ nonEmpty: true }) },
    { kinds: ['boolean'], schema: s.boolean().check('schema/value', onlyFalse) as never },
  );
const onlyFalse = (value: boolean): string | undefined => (value ? 'Expected a text, or `false` for none.' : undefined);

const hsts = s.object({
  days: s.integer({ min: 0, max: 3650 }).describe('How long browsers use HTTPS only.').default(365),
  subdomains: s.boolean().describe('For all subdomains too.').default(false),
  preload: s
    .boolean()
    .describe('Say that the domain may be in the list that browsers are shipped with. Hard to undo.')
    .default(false),
});
export type HstsConfig = Infer<typeof hsts>;

export const schema = s.object({
  preset: s
    .enum('api', 'web', 'none')
    .describe('Values of the other keys where they are absent: for replies to programs, for pages, or none.')
    .default('api'),
  hsts: s
    .either<HstsConfig | false>(
      { kinds: ['table'], schema: hsts },
      { kinds: ['boolean'], schema: s.boolean().check('schema/value', onlyFalse) as never },
    )
    .describe('`Strict-Transport-Security`, in replies over HTTPS only.', { days: 365 })
    .optional(),
  csp: textOrFalse()
    .describe('`Content-Security-Policy`; its directives are checked.', "default-src 'self'")
    .optional(),
  csp_report_only: textOrFalse()
    .describe('`Content-Security-Policy-Report-Only`: browsers only report what it would refuse.')
    .optional(),
  no_sniff: s.boolean().describe('`X-Content-Type-Options: nosniff`.').optional(),
  referrer_policy: oneOf(...REFERRER)
    .describe('`Referrer-Policy`.', 'no-referrer')
    .optional(),
  permissions_policy: textOrFalse()
    .describe('`Permissions-Policy`; its syntax is checked.', 'camera=(), geolocation=(self)')
    .optional(),
  frame_options: oneOf('DENY', 'SAMEORIGIN')
    .describe('`X-Frame-Options`, for browsers without `frame-ancestors`.', 'DENY')
    .optional(),
  opener_policy: oneOf('unsafe-none', 'same-origin-allow-popups', 'same-origin', 'noopener-allow-popups')
    .describe('`Cross-Origin-Opener-Policy`.', 'same-origin')
    .optional(),
  resource_policy: oneOf('same-site', 'same-origin', 'cross-origin')
    .describe('`Cross-Origin-Resource-Policy`.', 'same-origin')
    .optional(),
  embedder_policy: oneOf('unsafe-none', 'require-corp', 'credentialless')
    .describe('`Cross-Origin-Embedder-Policy`.', 'require-corp')
    .optional(),
  replace: s.boolean().describe('Replace what a target has set itself. Otherwise its values stay.').default(false),
  remove: s
    .array(
      s
        .string({ nonEmpty: true })
        .check('schema/format', (name) =>
          isFieldName(name) ? undefined : `\`${name}\` is not a valid header field name.`,
        ),
    )
    .describe('Fields of replies that are removed.')
    .default(['server', 'x-powered-by', 'x-aspnet-version', 'x-aspnetmvc-version']),
});

export type SecurityHeadersConfig = Infer<typeof schema>;

type Field = { readonly name: string; readonly value: string };

export type SecurityHeadersSettings = {
  readonly fields: readonly Field[];
  /** In replies over HTTPS only. */
  readonly secure: readonly Field[];
  readonly replace: boolean;
  /** Lower case. */
  readonly remove: readonly string[];
};
