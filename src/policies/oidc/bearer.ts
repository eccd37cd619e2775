/** Bearer tokens of the same issuer, for programs: RFC 6750, RFC 9068. */
import * as crypto from 'node:crypto';
import type { Authentication, Awaitable, Claims, Exchange, PolicyHost } from '../contract.js';
import { BearerAnswers } from '../kits/bearer/answers.js';
import { type ClaimRules, claimsFault, hasScopes, validUntil } from '../kits/bearer/claims.js';
import { SEVERAL, TokenPlaces } from '../kits/bearer/places.js';
import { VerifiedTokens } from '../kits/bearer/verified.js';
import { resourceUrl } from '../kits/protected-resource.js';
import type { Issuer } from './issuer.js';
import type { BearerSettings, OidcSettings } from './schema.js';

/** What a verified token is worth. */
export type Identify = (claims: Claims, why: string, token: string) => Authentication;

export interface BearerParts {
  readonly issuer: Issuer;
  readonly host: PolicyHost;
  readonly identify: Identify;
}

const PLACE = { header: 'authorization', scheme: 'Bearer' } as const;

export class Bearer {
  readonly answers: BearerAnswers;
  readonly #settings: BearerSettings;
  readonly #rules: ClaimRules;
  readonly #issuer: Issuer;
  readonly #host: PolicyHost;
  readonly #algorithms: OidcSettings['algorithms'];
  readonly #places = new TokenPlaces(PLACE);
  readonly #identify: Identify;
  readonly #verified = new VerifiedTokens();
  /** By digest: a token that arrives several times at once is verified once. */
  readonly #pending = new Map<string, Promise<Authentication>>();

  constructor(settings: OidcSettings, bearer: BearerSettings, parts: BearerParts) {
    const { algorithms, leeway, optional, realm } = settings;
    this.#settings = bearer;
    this.#issuer = parts.issuer;
    this.#host = parts.host;
    this.#identify = parts.identify;
    this.#algorithms = algorithms;
    this.#rules = { issuers: [settings.issuer], audiences: bearer.audiences, claims: {}, leeway, requireExp: true };
    const { resource, scope } = bearer;
    const metadata = resource === undefined ? {} : { resourceMetadata: resourceUrl(resource.resource) };
    this.answers = new BearerAnswers({ ...PLACE, ...metadata, optional, realm, scope }, this.#places);
  }

  /** Undefined if the request has no token. */
  authenticate(exchange: Exchange): Awaitable<Authentication> | undefined {
    const token = this.#places.find(exchange);
    if (token === undefined) return undefined;
    if (token === SEVERAL) return this.answers.several;
    if (token.length > this.#settings.maxToken) return this.answers.invalid('the token is too long', false);
    const digest = crypto.hash('sha256', token, 'binary');
    const known = this.#verified.get(digest);
    if (known !== undefined && this.#issuer.keysUsable && known.until > this.#host.clock.now()) {
      if (known.consumers === this.#host.consumers.version) return known.result;
      return this.#accept(known.claims, token, digest);
    }
    return this.#pending.get(digest) ?? this.#begin(token, digest);
  }

  /** The keys of the issuer have changed. */
  forget(): void {
    this.#verified.clear();
  }

  #begin(token: string, digest: string): Promise<Authentication> {
    const pending = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, pending);
    return pending;
  }

  async #verify(token: string, digest: string): Promise<Authentication> {
    const read = await this.#issuer.verify(token, { algorithms: this.#algorithms });
    if ('outcome' in read) return read;
    if ('fault' in read) return this.answers.invalid(read.fault, false);
    const fault = claimsFault(read.claims, this.#rules, this.#host.clock.now());
    if (fault !== undefined) return this.answers.unfit(fault, false);
    // Only ID tokens have it: they are for the login, and say nothing about what their bearer may do.
    if ('at_hash' in read.claims) return this.answers.unfit('the token is an ID token', false);
    return this.#accept(read.claims, token, digest);
  }

  /** The answer for verified claims, which is remembered. */
  #accept(claims: Claims, token: string, digest: string): Authentication {
    const { scope } = this.#settings;
    const found = hasScopes(claims, scope)
      ? this.#identify(claims, 'valid token', token)
      : this.answers.scope(scope, false);
    // For a policy that refuses the caller for a missing scope.
    const { bearer: challenge } = this.answers.challenges;
    const result = found.outcome === 'identity' ? { ...found, challenge } : found;
    const until = validUntil(claims, this.#rules.leeway, undefined, 0);
    const source = { usable: true };
    const { version: consumers } = this.#host.consumers;
    this.#verified.set(digest, { claims, result, binding: undefined, source, consumers, until, size: token.length });
    return result;
  }
}
