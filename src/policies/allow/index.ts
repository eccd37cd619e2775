/** Compile part of allow. */
import { declarePolicy } from '../compile-kit.js';
import type { AccessRule, ConfigPath, Json } from '../contract.js';
import { encodeAddresses } from '../kits/addresses.js';
import { minutesOfWeek } from './clock-times.js';
import { lintRules } from './lint.js';
import { PROBLEMS } from './problems.js';
import { type PlacedRule, placedRules } from './rules.js';
import {
  type AllowConfig,
  type AllowSettings,
  type ClaimPath,
  type Conditions,
  type RuleConfig,
  type RuleSettings,
  schema,
  type TimeSettings,
} from './schema.js';

export default declarePolicy<AllowConfig, AllowSettings>({
  use: 'allow',
  summary: 'Allows requests by rules about the caller, and refuses all others',
  phase: 'authorize',
  stateful: false,
  schema,
  traits: (config) => ({ access: placedRules(config).map((placed) => accessRule(placed, config)) }),
  problems: Object.values(PROBLEMS),
  codes: [
    { code: 'allow/no-rule', severity: 'error', summary: 'An allow policy has no rule, so it refuses every request' },
    { code: 'allow/two-forms', severity: 'error', summary: 'An allow policy has rules and conditions beside them' },
    { code: 'allow/rule-name', severity: 'error', summary: 'Two rules of an allow policy have the same name' },
    { code: 'allow/never', severity: 'warning', summary: 'A rule of an allow policy can never hold' },
  ],
  lint: lintRules,
  compile(config) {
    const placed = placedRules(config);
    const of = (effect: 'allow' | 'deny'): RuleSettings[] =>
      placed.filter((one) => one.effect === effect).map(({ name, rule }) => settingsOf(name, rule));
    return { rules: of('allow'), deny: of('deny'), roleClaims: config.role_claims.map(claimPath) };
  },
});

/** What lint rules know about a rule. */
function accessRule({ at, effect, name, rule }: PlacedRule, { role_claims }: AllowConfig): AccessRule {
  const { consumers, groups, scopes = [], roles, claims, when } = rule;
  return {
    at,
    name,
    effect,
    ...(consumers === undefined ? {} : { consumers }),
    ...(groups === undefined ? {} : { groups }),
    scopes: scopes.map((scope, index) => ({ name: scope, at: [...at, 'scopes', index] satisfies ConfigPath })),
    claims: [
      ...Object.keys(claims ?? {}).map((claim) => ({ names: [claim], at: [...at, 'claims', claim] })),
      ...(roles === undefined ? [] : [{ names: role_claims, at: [...at, 'roles'] }]),
    ],
    readsClaims: scopes.length > 0 || roles !== undefined || claims !== undefined,
    conditional: when !== undefined,
  };
}

const claimPath = (name: string): ClaimPath => ({ name, path: name.split('.') });

function settingsOf(name: string, rule: Conditions | RuleConfig): RuleSettings {
  const { consumers, groups, scopes, roles, claims, addresses, methods, time, when } = rule;
  const wanted = claims === undefined ? undefined : Object.entries(claims);
  return {
    name,
    ...given('consumers', consumers),
    ...given('groups', groups),
    ...given('scopes', scopes),
    ...given('roles', roles),
    ...given(
      'claims',
      wanted?.map(([claim, values]) => ({ ...claimPath(claim), values })),
    ),
    ...given('addresses', addresses === undefined ? undefined : encodeAddresses(addresses)),
    ...given('methods', methods && withHead(methods)),
    ...given('time', time === undefined ? undefined : timeOf(time)),
    ...given('when', when as RuleSettings['when']),
  };
}

/** A route that takes GET also answers HEAD. */
const withHead = (methods: readonly string[]): readonly string[] =>
  methods.includes('GET') && !methods.includes('HEAD') ? [...methods, 'HEAD'] : methods;

function timeOf({ days, hours, zone, from, until }: NonNullable<Conditions['time']>): TimeSettings {
  const always = days === undefined && hours === undefined;
  return {
    zone,
    ...given('minutes', always ? undefined : minutesOfWeek(days, hours)),
    ...given('from', from),
    ...given('until', until),
  };
}

const given = <K extends string, V extends Json>(key: K, value: V | undefined): { readonly [key in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [key in K]: V });
