/** Bearer tokens of the same issuer, for programs: RFC 6750, RFC 9068. */
import * as crypto from 'node:crypto';
import type { Authentication, Awaitable, Claims, Exchange, PolicyHost, Refused, Unavailable } from '../contract.js';
import { BearerAnswers } from '../kits/bearer/answers.js';
import { type Binding, bindingOf } from '../kits/bearer/binding.js';
import { type ClaimRules, claimsFault, hasScopes, validUntil } from '../kits/bearer/claims.js';
import { SEVERAL, TokenPlaces } from '../kits/bearer/places.js';
import { SenderCheck } from '../kits/bearer/sender.js';
import { type Verified, VerifiedTokens } from '../kits/bearer/verified.js';
import { openJose } from '../kits/jose.js';
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

/** What is known of a token, independent of its sender. */
type Verdict = Verified | Refused | Unavailable;

export class Bearer {
  readonly answers: BearerAnswers;
  readonly #settings: BearerSettings;
  readonly #rules: ClaimRules;
  readonly #issuer: Issuer;
  readonly #host: PolicyHost;
  readonly #algorithms: OidcSettings['algorithms'];
  readonly #places = new TokenPlaces(PLACE);
  readonly #identify: Identify;
  readonly #sender: SenderCheck;
  readonly #verified = new VerifiedTokens();
  /** By digest: a token that arrives several times at once is verified once. */
  readonly #pending = new Map<string, Promise<Verdict>>();
  /** Changes with the keys: what was verified with earlier ones is not remembered. */
  #turn = 0;

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
    const jose = openJose();
    // Only proofs need it, and here are none.
    jose.catch(() => {});
    this.#sender = new SenderCheck({ bound: bearer.bound }, parts.host, jose, this.answers);
  }

  /** Undefined if the request has no token. */
  authenticate(exchange: Exchange): Awaitable<Authentication> | undefined {
    const token = this.#places.find(exchange);
    if (token === undefined) return undefined;
    if (token === SEVERAL) return this.answers.several;
    if (token.length > this.#settings.maxToken) return this.answers.invalid('the token is too long', false);
    const digest = crypto.hash('sha256', token, 'binary');
    const known = this.#verified.get(digest);
    if (known !== undefined && this.#issuer.keysUsable && known.until > this.#host.clock.now())
      return this.#sent(exchange, token, this.#current(known, token, digest));
    return this.#sentLater(exchange, token, this.#pending.get(digest) ?? this.#begin(token, digest));
  }

  /** The keys of the issuer have changed. */
  forget(): void {
    this.#turn++;
    this.#verified.clear();
  }

  /** The answer for a token from this sender. */
  #sent(exchange: Exchange, token: string, verdict: Verdict): Awaitable<Authentication> {
    if ('outcome' in verdict) return verdict;
    const { binding, result } = verdict;
    if (this.#sender.accepts(binding, false)) return result;
    const refused = this.#sender.check(exchange, token, binding, false, this);
    return refused instanceof Promise ? refused.then((late) => late ?? result) : (refused ?? result);
  }

  /** Apart from authenticate(), so that a request with a known token creates no closure. */
  #sentLater(exchange: Exchange, token: string, pending: Promise<Verdict>): Promise<Authentication> {
    return pending.then((verdict) => this.#sent(exchange, token, verdict));
  }

  /** What was verified, with the consumers of now. */
  #current(known: Verified, token: string, digest: string): Verified {
    if (known.consumers === this.#host.consumers.version) return known;
    const now = this.#accept(known.claims, known.binding, token);
    this.#verified.set(digest, now);
    return now;
  }

  #begin(token: string, digest: string): Promise<Verdict> {
    const pending = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, pending);
    return pending;
  }

  async #verify(token: string, digest: string): Promise<Verdict> {
    const turn = this.#turn;
    const read = await this.#issuer.verify(token, { algorithms: this.#algorithms });
    if ('outcome' in read) return read;
    if ('fault' in read) return this.answers.invalid(read.fault, false);
    const { claims } = read;
    const fault = claimsFault(claims, this.#rules, this.#host.clock.now()) ?? purposeFault(claims);
    if (fault !== undefined) return this.answers.unfit(fault, false);
    const binding = this.#settings.bound ? bindingOf(claims) : undefined;
    if (typeof binding === 'string') return this.answers.unfit(binding, false);
    const verified = this.#accept(claims, binding, token);
    // If the keys have changed meanwhile, the next request verifies again.
    if (turn === this.#turn) this.#verified.set(digest, verified);
    return verified;
  }

  /** The answer for verified claims, once the sender is known to hold what the token is bound to. */
  #accept(claims: Claims, binding: Binding | undefined, token: string): Verified {
    const { scope } = this.#settings;
    const found = hasScopes(claims, scope)
      ? this.#identify(claims, 'valid token', token)
      : this.answers.scope(scope, false);
    // For a policy that refuses the caller for a missing scope.
    const { bearer: challenge } = this.answers.challenges;
    const result = found.outcome === 'identity' ? { ...found, challenge } : found;
    const until = validUntil(claims, this.#rules.leeway, undefined, 0);
    const { version: consumers } = this.#host.consumers;
    return { claims, result, binding, source: { usable: true }, consumers, until, size: token.length };
  }
}

/** Claims that say what an access token is for. ID tokens and logout tokens have none of them. */
const OF_ACCESS = ['scope', 'scp', 'client_id'];

/**
 * Other tokens of the issuer have the same keys (RFC 8725 section 3.12). An ID token is for the login, and says nothing about what its
 * bearer may do: it has a hash, or the nonce of a login, which some issuers also write into access tokens. A logout token has events.
 */
function purposeFault(claims: Claims): string | undefined {
  const has = (name: string): boolean => Object.hasOwn(claims, name);
  if (has('at_hash') || has('c_hash') || (has('nonce') && !OF_ACCESS.some(has))) return 'the token is an ID token';
  return has('events') ? 'the token reports an event' : undefined;
}
