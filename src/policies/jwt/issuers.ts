/** The issuers whose tokens a policy accepts, each with its keys and rules. */
import type { Json, PolicyHost } from '../contract.js';
import { idOfSource, isRemote, KeySource } from '../kits/jose/key-source.js';
import { claimedIssuer, formFault, isTable, type JsonTable } from '../kits/jose/token.js';
import type { Jose } from '../kits/jose.js';
import type { JwtSettings, TrustedIssuer } from './schema.js';

export interface Issuer {
  readonly rules: TrustedIssuer;
  readonly source: KeySource;
  /** Whether it has keys that are not too old. */
  readonly usable: boolean;
}

/** What a published value changes. */
export interface Taken {
  /** Whether an issuer has other keys now. */
  readonly keys: boolean;
  /** A list of revoked tokens; undefined if the value has none. */
  readonly list: JsonTable | undefined;
}

export class Issuers {
  readonly #all: readonly Issuer[];
  readonly #remote: readonly Issuer[];

  constructor({ trusted, revocations }: JwtSettings, host: PolicyHost, jose: Promise<Jose>) {
    const remote = trusted.flatMap(({ source }) => (isRemote(source) ? [source] : []));
    const several = new Set(remote.map(idOfSource)).size + (revocations?.from === 'url' ? 1 : 0) > 1;
    this.#all = trusted.map((rules) =>
      issuerOf(rules, new KeySource(rules.source, rules.algorithms, host, jose, several)),
    );
    this.#remote = this.#all.filter(({ rules }) => isRemote(rules.source));
  }

  /**
   * The issuer of a token, or why there is none. With several issuers the claim `iss` chooses, before anything is verified: then
   * the keys of that issuer alone count, and its name is checked again in the verified claims.
   */
  of(token: string): Issuer | string {
    const [first, second] = this.#all;
    if (second === undefined) return first!;
    const fault = formFault(token);
    if (fault !== undefined) return fault;
    const name = claimedIssuer(token);
    return this.#all.find(({ rules }) => name !== undefined && rules.issuers.includes(name)) ?? UNKNOWN_ISSUER;
  }

  /** A key set, or `{ sets, lists }` with those of several issuers and the list of revoked tokens. Throws for anything else. */
  take(value: Json): Taken {
    if (!isTable(value) || !('sets' in value || 'lists' in value)) return this.#takeOne(value);
    const sets = tablesOf(value['sets']);
    // In this order: a set that is not usable throws, and nothing else changes.
    const changed = sets.map((set) => {
      const meant = this.#remote.filter(({ source, rules }) => source.takes(set, rules.issuers));
      return meant.map(({ source }) => source.take(set)).some(Boolean);
    });
    return { keys: changed.some(Boolean), list: tablesOf(value['lists'])[0] };
  }

  #takeOne(value: Json): Taken {
    if (isTable(value) && 'revoked' in value) return { keys: false, list: value };
    if (this.#remote.length > 1 && isTable(value) && value['of'] === undefined)
      throw new TypeError('The policy has several issuers: {"sets": [{"issuer": "...", "keys": [...]}]} is expected.');
    return { keys: this.#remote.map(({ source }) => source.take(value)).some(Boolean), list: undefined };
  }
}

const issuerOf = (rules: TrustedIssuer, source: KeySource): Issuer => ({
  rules,
  source,
  get usable() {
    return source.usable;
  },
});

const tablesOf = (value: Json | undefined): readonly JsonTable[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isTable) : [];

const UNKNOWN_ISSUER = 'the issuer of the token is not accepted';
