/** Config of the allow policy. */
import { type Infer, s } from '../compile-kit.js';
import type { ExpressionEntry, Json } from '../contract.js';
import { type AddressSetEntry, blockProblem } from '../kits/addresses.js';
import { daysOf, hoursOf, zoneProblem } from './clock-times.js';

/** Several names: one of them must fit. */
const names = (what: string, example: string) =>
  s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe(what, [example])
    .optional();

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** A value that a claim has, itself or as a member of a list. */
type ClaimValue = string | number | boolean;
const claimValues = s.either<readonly ClaimValue[]>(
  { kinds: ['boolean'], schema: s.mapped(s.boolean(), (value): readonly ClaimValue[] => [value]) },
  {
    kinds: ['integer'],
    schema: s.mapped(s.integer({ min: Number.MIN_SAFE_INTEGER }), (value): readonly ClaimValue[] => [value]),
  },
  { kinds: ['string'], schema: s.mapped(s.string(), (value): readonly ClaimValue[] => [value]) },
  { kinds: ['array'], schema: s.array(s.string(), { min: 1 }) },
);

const oneOrMore = (item: () => ReturnType<typeof s.string>) =>
  s.either<readonly string[]>(
    { kinds: ['string'], schema: s.mapped(item(), (text): readonly string[] => [text]) },
    { kinds: ['array'], schema: s.array(item(), { min: 1 }) },
  );

const TIME_KEYS = ['days', 'hours', 'from', 'until'] as const;

const times = s
  .object({
    days: oneOrMore(() => s.string())
      .check('schema/format', (texts) =>
        texts.some((text) => daysOf(text) === undefined)
          ? 'Expected days such as `"mon"` or `"mon-fri"`: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.'
          : undefined,
      )
      .describe('Days of the week, or ranges of them. Default: every day.', 'mon-fri')
      .optional(),
    hours: oneOrMore(() => s.string())
      .check('schema/format', (texts) =>
        texts.some((text) => hoursOf(text) === undefined)
          ? 'Expected hours such as `"08:00-18:00"`. An end at or before the start is on the next day; `24:00` is the end of the day.'
          : undefined,
      )
      .describe('Times of day, from the first up to, but without, the second. Default: the whole day.', '08:00-18:00')
      .optional(),
    zone: s
      .string({ nonEmpty: true })
      .check('schema/format', zoneProblem)
      .describe('Time zone of `days` and `hours`, with its daylight saving time.', 'Europe/Berlin')
      .default('UTC'),
    from: s.instant().describe('First moment.', '2027-01-01T00:00:00Z').optional(),
    until: s.instant().describe('Moment at which it ends.', '2027-02-01T00:00:00Z').optional(),
  })
  .check('schema/empty', (time) =>
    TIME_KEYS.every((key) => time[key] === undefined)
      ? {
          message: 'This condition says no time, so it would hold at every time.',
          help: 'Set `days`, `hours`, `from` or `until`, or remove it.',
        }
      : undefined,
  );

/** All conditions of a rule must hold. */
const conditions = {
  consumers: names('Names of consumers: the caller is one of them.', 'acme'),
  groups: names('The caller is in one of these groups.', 'staff'),
  scopes: s
    .array(s.string({ pattern: SCOPE, expected: 'a scope, without spaces' }), { min: 1 })
    .describe('The caller has all of these scopes, in the claims `scope` or `scp`.', ['orders:read'])
    .optional(),
  roles: names('The caller has one of these roles, in a claim of `role_claims`.', 'admin'),
  claims: s
    .map(claimValues)
    .check('schema/empty', (claims) =>
      Object.keys(claims).length === 0
        ? {
            message: 'This condition names no claim, so every token would have what it asks for.',
            help: 'Name one: `claims = { tenant = "acme" }`, or remove it.',
          }
        : undefined,
    )
    .describe(
      'Claims with the value that each must have, or a list of accepted texts. A claim that is a list must contain it. `address.country` is the claim of that name, or a member of `address`.',
      { tenant: 'acme' },
    )
    .optional(),
  addresses: s
    .array(s.string({ nonEmpty: true }).check('schema/format', blockProblem), { min: 1 })
    .describe('The client has an address in one of these blocks (CIDR).', ['10.0.0.0/8'])
    .optional(),
  methods: s
    .array(s.string({ pattern: /^[A-Z][A-Z-]*$/, expected: 'a method in capitals' }), { min: 1 })
    .describe('The request has one of these methods. `GET` includes `HEAD`.', ['GET'])
    .optional(),
  time: times.describe('The request comes at this time.').optional(),
  when: s
    .expression()
    .describe('A [condition](expressions.md) in CEL that must hold too.', 'request.params["tenant"] == claims.tenant')
    .optional(),
};

const rule = s.object({
  name: s
    .string({ pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, expected: 'a name of letters, digits, `.`, `_` and `-`' })
    .describe('Name of the rule, for the access log and `gw explain`. Default: its number.', 'staff')
    .optional(),
  ...conditions,
});

export const schema = s.object({
  ...conditions,
  rules: s.array(rule).describe('Rules that allow: one of them must hold. Instead of conditions directly.').default([]),
  deny: s.array(rule).describe('Rules that deny: if one of them holds, the request is refused.').default([]),
  role_claims: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Claims with the roles: a text, or a list of texts. Dots lead into claims that are objects.')
    .default(['roles', 'realm_access.roles']),
});

export type AllowConfig = Infer<typeof schema>;
export type RuleConfig = Infer<typeof rule>;
export type Conditions = Omit<RuleConfig, 'name'>;

/** When a rule holds. */
export type TimeSettings = {
  readonly zone: string;
  /** Pairs of minutes of the week, beginning with Monday: from the first up to the second. Absent: always. */
  readonly minutes?: readonly number[];
  /** Milliseconds since 1970. */
  readonly from?: number;
  readonly until?: number;
};

/** A claim by its name, or by its path. */
export type ClaimPath = { readonly name: string; readonly path: readonly string[] };

export type RuleSettings = {
  readonly name: string;
  readonly consumers?: readonly string[];
  readonly groups?: readonly string[];
  readonly scopes?: readonly string[];
  readonly roles?: readonly string[];
  readonly claims?: readonly (ClaimPath & { readonly values: readonly ClaimValue[] })[];
  readonly addresses?: AddressSetEntry;
  readonly methods?: readonly string[];
  readonly time?: TimeSettings;
  readonly when?: ExpressionEntry & Json;
};

export type AllowSettings = {
  readonly rules: readonly RuleSettings[];
  readonly deny: readonly RuleSettings[];
  readonly roleClaims: readonly ClaimPath[];
};
