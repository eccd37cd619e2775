/** jwt at run time: verifies the token of a request, or finds that it was verified before. */
import * as crypto from 'node:crypto';
import type {
  Absent,
  Authentication,
  AuthProblem,
  Awaitable,
  Claims,
  Exchange,
  Json,
  PolicyHost,
  PolicyInstance,
  Refused,
} from '../contract.js';
import { openJose } from '../kits/jose.js';
import { runPolicy } from '../run-kit.js';
import type { TokenKeys } from './key-set.js';
import { KeySource } from './key-source.js';
import { SEVERAL, TokenPlaces } from './places.js';
import { PROBLEMS } from './problems.js';
import type { JwtSettings } from './schema.js';
import { claimsFault, hasScopes, readClaims, readHeader } from './token.js';
import { type Verified, VerifiedTokens } from './verified.js';

/** Milliseconds that a token without `exp` is remembered. */
const REMEMBER = 300_000;

export const create = runPolicy<JwtSettings>((settings, host) => new JwtPolicy(settings, host));

class JwtPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly secretParams: readonly string[];
  readonly #settings: JwtSettings;
  readonly #host: PolicyHost;
  readonly #places: TokenPlaces;
  readonly #source: KeySource;
  readonly #verified = new VerifiedTokens();
  /** By digest: a token that arrives several times at once is verified once. */
  readonly #pending = new Map<string, Promise<Authentication>>();
  readonly #absent: Absent;
  readonly #several: Refused;
  /** `Bearer realm="api"`. */
  readonly #challenge: string;

  constructor(settings: JwtSettings, host: PolicyHost) {
    const { header, scheme, query, forward, optional, realm, scope } = settings;
    this.#settings = settings;
    this.#host = host;
    this.#places = new TokenPlaces(settings);
    this.#source = new KeySource(settings, host, openJose());
    this.requestFields = header === undefined || forward ? [] : [header];
    // With a scheme, a credential of another scheme stays in the field.
    this.clientFields = scheme === undefined ? this.requestFields : [];
    this.secretParams = query === undefined ? [] : [query];
    const where = this.#places.describe();
    this.#challenge = `${scheme ?? 'Bearer'} realm="${realm}"`;
    const wanted = scope.length === 0 ? '' : `, scope="${scope.join(' ')}"`;
    this.#absent = {
      outcome: 'absent',
      pass: optional,
      why: optional ? 'no token; the token is optional' : `no token in ${where}`,
      problem: { ...PROBLEMS.missing, detail: `Send it in ${where}.`, challenge: `${this.#challenge}${wanted}` },
    };
    const detail = `Send exactly one, in ${where}.`;
    this.#several = this.#refused('more than one token', {
      ...PROBLEMS.ambiguous,
      detail,
      challenge: `${this.#challenge}, error="invalid_request", error_description="more than one token"`,
    });
  }

  published(value: Json): void {
    if (this.#source.take(value)) this.#verified.clear();
  }

  authenticate(exchange: Exchange): Awaitable<Authentication> {
    const token = this.#places.find(exchange);
    if (token === undefined) return this.#absent;
    if (token === SEVERAL) return this.#several;
    if (token.length > this.#settings.maxToken) return this.#invalid('the token is too long');
    const digest = crypto.hash('sha256', token, 'binary');
    const known = this.#verified.get(digest);
    if (known !== undefined && this.#source.usable) {
      const { consumers } = this.#host;
      if (known.until > this.#host.clock.now() && known.consumers === consumers.version) return known.result;
    }
    return this.#pending.get(digest) ?? this.#begin(token, digest, known);
  }

  strip(exchange: Exchange): void {
    if (!this.#settings.forward) this.#places.strip(exchange);
  }

  close(): void {
    this.#verified.clear();
  }

  #begin(token: string, digest: string, known: Verified | undefined): Awaitable<Authentication> {
    // The token was verified; only the consumers have changed.
    if (known !== undefined && this.#source.usable && known.until > this.#host.clock.now())
      return this.#accept(known.claims, digest, known);
    const pending = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, pending);
    return pending;
  }

  async #verify(token: string, digest: string): Promise<Authentication> {
    const header = readHeader(token, this.#settings);
    if (typeof header === 'string') return this.#invalid(header);
    const source = this.#source;
    if (!source.usable) await source.refresh();
    if (!source.usable) return { outcome: 'unavailable', why: source.whyUnusable };
    let keys: TokenKeys = source.keys;
    let payload = await keys.verify(token, header);
    if (payload === undefined && !keys.names(header)) {
      // The issuer may have a new key.
      const refreshed = await source.refresh();
      if (source.keys !== keys) {
        keys = source.keys;
        payload = await keys.verify(token, header);
      }
      if (payload === undefined && !refreshed) return { outcome: 'unavailable', why: source.whyUnusable };
    }
    if (payload === undefined) return this.#invalid(keys.names(header) ? BAD_SIGNATURE : UNKNOWN_KEY);
    const claims = readClaims(payload);
    if (typeof claims === 'string') return this.#invalid(claims);
    const now = this.#host.clock.now();
    const fault = claimsFault(claims, this.#settings, now);
    if (fault !== undefined) return this.#invalid(fault);
    const { exp } = claims;
    const until = typeof exp === 'number' ? exp * 1000 + this.#settings.leeway : now + REMEMBER;
    // If the keys have changed meanwhile, the next request verifies again.
    return this.#accept(claims, source.keys === keys ? digest : undefined, { until, size: token.length });
  }

  /** The answer for verified claims, which is remembered for a digest. */
  #accept(
    claims: Claims,
    digest: string | undefined,
    { until, size }: Pick<Verified, 'until' | 'size'>,
  ): Authentication {
    const result = this.#answer(claims);
    const consumers = this.#host.consumers.version;
    if (digest !== undefined) this.#verified.set(digest, { claims, result, consumers, until, size });
    return result;
  }

  #answer(claims: Claims): Authentication {
    const { scope, consumerClaim } = this.#settings;
    if (!hasScopes(claims, scope)) {
      const challenge = `${this.#challenge}, error="insufficient_scope", scope="${scope.join(' ')}"`;
      const detail = `The token needs the scope ${scope.join(' ')}.`;

      return this.#refused('the token lacks a scope', { ...PROBLEMS.scope, detail, challenge });
    }
    if (consumerClaim === undefined) return { outcome: 'identity', claims, why: 'valid token' };
    const name = Object.hasOwn(claims, consumerClaim) ? claims[consumerClaim] : undefined;
    const consumer = typeof name === 'string' ? this.#host.consumers.byName(name) : undefined;
    if (consumer !== undefined)
      return { outcome: 'identity', consumer, claims, why: `valid token of ${consumer.name}` };
    const why = `the claim ${consumerClaim} names no consumer`;
    return this.#refused(why, PROBLEMS.consumer);
  }

  #invalid(fault: string): Refused {
    const detail = `${fault.charAt(0).toUpperCase()}${fault.slice(1)}.`;
    const challenge = `${this.#challenge}, error="invalid_token", error_description="${describable(fault)}"`;
    return this.#refused(fault, { ...PROBLEMS.invalid, detail, challenge });
  }

  #refused(why: string, problem: AuthProblem): Refused {
    return { outcome: 'refused', why, problem };
  }
}

/** The characters of an error_description, RFC 6750 section 3: the name of a claim may have others. */
const describable = (text: string): string => text.replace(/["\\]/g, '').replace(/[^\x20-\x7e]/g, '?');

const BAD_SIGNATURE = 'the signature of the token is not valid';
const UNKNOWN_KEY = 'no known key verifies the token';
