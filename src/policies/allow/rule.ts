/** One rule at run time: flat, so that testing a request allocates nothing (except for `when`). */
import type { Claims, Condition, Exchange, Json, PolicyHost } from '../contract.js';
import { AddressSet } from '../kits/addresses.js';
import { LocalTime } from './local-time.js';
import type { ClaimPath, RuleSettings } from './schema.js';

/**
 * The first condition of a rule that does not hold. The order of the values is that of the tests: first what is known about
 * every request, then what needs a caller, the scopes last. So a rule that fails with `Scope` lacks nothing else.
 */
export const Failed = {
  Nothing: 0,
  Method: 1,
  Address: 2,
  Time: 3,
  Consumer: 4,
  Group: 5,
  Role: 6,
  Claim: 7,
  When: 8,
  Scope: 9,
} as const;
export type Failed = (typeof Failed)[keyof typeof Failed];

/** For decisions: why the rule does not hold. */
export const WHY: readonly string[] = [
  'holds',
  'other method',
  'other address',
  'other time',
  'other consumer',
  'not in its groups',
  'lacks its role',
  'other claims',
  'its condition does not hold',
  'lacks a scope',
];

/** Whether a caller with other credentials could make it hold. */
export const needsCaller = (failed: Failed): boolean => failed >= Failed.Consumer;

const NONE: readonly string[] = [];

export class Rule {
  readonly name: string;
  /** All of them are needed. */
  readonly scopes: readonly string[];
  readonly #settings: RuleSettings;
  readonly #addresses: AddressSet | undefined;
  readonly #local: LocalTime | undefined;
  readonly #when: Condition | undefined;
  readonly #host: PolicyHost;
  readonly #roleClaims: readonly ClaimPath[];

  constructor(settings: RuleSettings, roleClaims: readonly ClaimPath[], host: PolicyHost) {
    const { addresses, name, scopes = NONE, time, when } = settings;
    this.name = name;
    this.scopes = scopes;
    this.#settings = settings;
    this.#addresses = addresses === undefined ? undefined : new AddressSet(addresses);
    this.#local = time?.minutes === undefined ? undefined : new LocalTime(time.zone);
    this.#when = when === undefined ? undefined : host.condition(when);
    this.#host = host;
    this.#roleClaims = roleClaims;
  }

  /** Throws ExpressionError if `when` cannot be evaluated. */
  test(exchange: Exchange): Failed {
    const { methods, consumers, groups, roles } = this.#settings;
    const { consumer, claims } = exchange;
    if (methods !== undefined && !methods.includes(exchange.method)) return Failed.Method;
    if (this.#addresses !== undefined && !this.#addresses.has(exchange.remoteAddress)) return Failed.Address;
    if (!this.#isNow()) return Failed.Time;
    if (consumers !== undefined && (consumer === undefined || !consumers.includes(consumer.name)))
      return Failed.Consumer;
    if (groups !== undefined && (consumer === undefined || !meet(groups, consumer.groups))) return Failed.Group;
    if (roles !== undefined && !this.#hasRole(claims, roles)) return Failed.Role;
    if (!this.#hasClaims(claims)) return Failed.Claim;
    if (this.#when !== undefined && !this.#when.holds(exchange)) return Failed.When;
    for (let at = 0; at < this.scopes.length; at++) if (!hasScope(claims, this.scopes[at]!)) return Failed.Scope;
    return Failed.Nothing;
  }

  #isNow(): boolean {
    const { time } = this.#settings;
    if (time === undefined) return true;
    const now = this.#host.clock.now();
    if (time.from !== undefined && now < time.from) return false;
    if (time.until !== undefined && now >= time.until) return false;
    if (time.minutes === undefined || this.#local === undefined) return true;
    const minute = this.#local.minuteOfWeek(now);
    for (let at = 0; at < time.minutes.length; at += 2)
      if (minute >= time.minutes[at]! && minute < time.minutes[at + 1]!) return true;
    return false;
  }

  #hasRole(claims: Claims | undefined, roles: readonly string[]): boolean {
    if (claims === undefined) return false;
    for (let at = 0; at < this.#roleClaims.length; at++) {
      const found = claimAt(claims, this.#roleClaims[at]!);
      if (typeof found === 'string' ? roles.includes(found) : isList(found) && meet(roles, found)) return true;
    }
    return false;
  }

  #hasClaims(claims: Claims | undefined): boolean {
    const wanted = this.#settings.claims;
    if (wanted === undefined) return true;
    if (claims === undefined) return false;
    for (let at = 0; at < wanted.length; at++) {
      const found = claimAt(claims, wanted[at]!);
      if (
        found === undefined ||
        !(isList(found) ? meet(wanted[at]!.values, found) : isOneOf(wanted[at]!.values, found))
      )
        return false;
    }
    return true;
  }
}

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

function isOneOf(values: readonly Json[], value: Json): boolean {
  for (let at = 0; at < values.length; at++) if (values[at] === value) return true;
  return false;
}

/** Whether the lists have a common member. */
function meet(values: readonly Json[], found: readonly Json[]): boolean {
  for (let at = 0; at < found.length; at++) if (isOneOf(values, found[at]!)) return true;
  return false;
}

/** The claim of that name, or else the value at the path. */
function claimAt(claims: Claims, { name, path }: ClaimPath): Json | undefined {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: Json | undefined = claims;
  for (let at = 0; at < path.length; at++) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, path[at]!))
      return undefined;
    value = (value as Claims)[path[at]!];
  }
  return path.length > 1 ? value : undefined;
}

/** Whether `scope` or `scp` contains the scope: a text with spaces between scopes (RFC 6749 section 3.3), or a list. */
const hasScope = (claims: Claims | undefined, scope: string): boolean =>
  claims !== undefined && (names(claims, 'scope', scope) || names(claims, 'scp', scope));

function names(claims: Claims, claim: string, scope: string): boolean {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (typeof value === 'string') return hasWord(value, scope);
  if (!isList(value)) return false;
  for (let at = 0; at < value.length; at++) if (value[at] === scope) return true;
  return false;
}

function hasWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const end = at + word.length;
    if ((at === 0 || text[at - 1] === ' ') && (end === text.length || text[end] === ' ')) return true;
  }
  return false;
}
