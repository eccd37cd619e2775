/** jwt at run time: verifies the token of a request, or finds that it was verified before. */
import * as crypto from 'node:crypto';
import type {
  Authentication,
  Awaitable,
  Claims,
  Exchange,
  Json,
  PolicyHost,
  PolicyInstance,
  Reply,
  Unavailable,
} from '../contract.js';
import { BearerAnswers } from '../kits/bearer/answers.js';
import { bindingOf } from '../kits/bearer/binding.js';
import { claimsFault, stepUpFault, validUntil } from '../kits/bearer/claims.js';
import { BearerDecision } from '../kits/bearer/decision.js';
import { SEVERAL, TokenPlaces } from '../kits/bearer/places.js';
import { renewNonce, SenderCheck } from '../kits/bearer/sender.js';
import { type Verified, VerifiedTokens } from '../kits/bearer/verified.js';
import { readClaims, readHeader } from '../kits/jose/token.js';
import { openJose } from '../kits/jose.js';
import { resourceReply, resourceUrl } from '../kits/protected-resource.js';
import { runPolicy } from '../run-kit.js';
import { type Issuer, Issuers } from './issuers.js';
import { RevokedTokens } from './revoked.js';
import type { JwtSettings } from './schema.js';

/** Milliseconds that a token without `exp` is remembered. */
const REMEMBER = 300_000;

export const create = runPolicy<JwtSettings>((settings, host) => new JwtPolicy(settings, host));

/** What is known of a token, independent of its sender. `fault`: why it is not valid; `genuine`: a known issuer has signed it. */
type Verdict = Verified | { readonly fault: string; readonly genuine?: true } | Unavailable;

class JwtPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly secretParams: readonly string[];
  /** Only for policies that give nonces, or accept tokens in the query. */
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;
  readonly #settings: JwtSettings;
  readonly #host: PolicyHost;
  readonly #places: TokenPlaces;
  readonly #issuers: Issuers;
  readonly #revoked: RevokedTokens;
  readonly #answers: BearerAnswers;
  readonly #sender: SenderCheck;
  readonly #decision: BearerDecision;
  readonly #verified = new VerifiedTokens();
  /** By digest: a token that arrives several times at once is verified once. */
  readonly #pending = new Map<string, Promise<Verdict>>();

  constructor(settings: JwtSettings, host: PolicyHost) {
    const { query, dpop, trusted, revocations, resource } = settings;
    this.#settings = settings;
    this.#host = host;
    const jose = openJose();
    this.#places = new TokenPlaces(settings);
    this.#issuers = new Issuers(settings, host, jose);
    this.#revoked = new RevokedTokens(revocations, host.clock);
    const [first, ...others] = new Set(trusted.map((issuer) => issuer.scope.join(' ')));
    const scope = others.length === 0 && first !== undefined && first !== '' ? first.split(' ') : [];
    const metadata = resource === undefined ? {} : { resourceMetadata: resourceUrl(resource.resource) };
    this.#answers = new BearerAnswers({ ...settings, ...metadata, scope }, this.#places);
    this.#decision = new BearerDecision(settings, this.#answers, host);
    this.#sender = new SenderCheck(settings, host, jose, this.#answers);
    const fields = this.#places.declaredFields();
    this.requestFields = fields.requestFields;
    this.clientFields = fields.clientFields;
    this.passedFields = fields.passedFields;
    this.secretParams = fields.secretParams;
    if (query !== undefined || dpop?.nonce !== undefined)
      this.after = (exchange, reply) => this.#replied(exchange, reply);
  }

  published(value: Json): void {
    const { keys, list } = this.#issuers.take(value);
    if (keys) this.#verified.clear();
    if (list === undefined) return;
    this.#revoked.take(list);
    this.#verified.forget(this.#revoked.has);
  }

  authenticate(exchange: Exchange): Awaitable<Authentication> {
    const bearer = this.#places.find(exchange);
    const proved = this.#settings.dpop === undefined ? undefined : this.#places.findDpop(exchange);
    if (bearer !== undefined && proved !== undefined) return this.#answers.several;
    const token = bearer ?? proved;
    if (token === undefined) return this.#answers.absent;
    if (token === SEVERAL) return this.#answers.several;
    const viaDpop = proved !== undefined;
    if (token.length > this.#settings.maxToken) return this.#answers.invalid('the token is too long', viaDpop);
    const digest = crypto.hash('sha256', token, 'binary');
    const known = this.#verified.get(digest);
    if (known?.source.usable === true && this.#revoked.usable && known.until > this.#host.clock.now())
      return this.#sent(exchange, token, this.#current(known, digest), viaDpop);
    return this.#sentLater(exchange, token, this.#pending.get(digest) ?? this.#begin(token, digest), viaDpop);
  }

  strip(exchange: Exchange): void {
    this.#places.strip(exchange);
  }

  #replied(exchange: Exchange, reply: Reply): undefined {
    this.#places.replied(exchange, reply);
    renewNonce(exchange, reply, this);
  }

  /** The document about the API. */
  answer(): Reply {
    return resourceReply(this.#settings.resource!);
  }

  close(): void {
    this.#verified.clear();
  }

  /** The answer for a token from this sender. */
  #sent(exchange: Exchange, token: string, verdict: Verdict, viaDpop: boolean): Awaitable<Authentication> {
    if ('outcome' in verdict) return verdict;
    if ('fault' in verdict) return this.#answers[verdict.genuine ? 'unfit' : 'invalid'](verdict.fault, viaDpop);
    const { binding, result } = verdict;
    if (this.#sender.accepts(binding, viaDpop)) return result;
    const refused = this.#sender.check(exchange, token, binding, viaDpop, this);
    return refused instanceof Promise ? refused.then((late) => late ?? result) : (refused ?? result);
  }

  /** Apart from authenticate(), so that a request with a known token creates no closure. */
  #sentLater(exchange: Exchange, token: string, pending: Promise<Verdict>, viaDpop: boolean): Promise<Authentication> {
    return pending.then((verdict) => this.#sent(exchange, token, verdict, viaDpop));
  }

  /** What was verified, with the consumers of now. */
  #current(known: Verified, digest: string): Verified {
    const { version } = this.#host.consumers;
    if (known.consumers === version) return known;
    const issuer = known.source as Issuer;
    const now = {
      ...known,
      consumers: version,
      result: this.#decision.of(known.claims, issuer.rules, known.binding, VALID),
    };
    this.#verified.set(digest, now);
    return now;
  }

  #begin(token: string, digest: string): Promise<Verdict> {
    const pending = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, pending);
    return pending;
  }

  async #verify(token: string, digest: string): Promise<Verdict> {
    const issuer = this.#issuers.of(token);
    if (typeof issuer === 'string') return { fault: issuer };
    const header = readHeader(token, issuer.rules);
    if (typeof header === 'string') return { fault: header };
    const { source } = issuer;
    const signed = await source.verify(token, header);
    if (!('payload' in signed)) return signed;
    const claims = readClaims(signed.payload);
    if (typeof claims === 'string') return { fault: claims };
    const verdict = this.#judge(claims, issuer, token.length);
    // If the keys have changed meanwhile, the next request verifies again.
    if ('result' in verdict && source.keys === signed.keys) this.#verified.set(digest, verdict);
    return verdict;
  }

  /** Judges claims whose signature is valid. */
  #judge(claims: Claims, issuer: Issuer, size: number): Verdict {
    const { rules } = issuer;
    const now = this.#host.clock.now();
    const fault = claimsFault(claims, rules, now);
    if (fault !== undefined) return { fault, genuine: true };
    if (!this.#revoked.usable) return { outcome: 'unavailable', why: 'no list of revoked tokens' };
    if (this.#revoked.has(claims)) return { fault: 'the token is revoked', genuine: true };
    const binding = this.#settings.bound || this.#settings.dpop !== undefined ? bindingOf(claims) : undefined;
    if (typeof binding === 'string') return { fault: binding, genuine: true };
    const { stepUp } = this.#settings;
    const stale = stepUp !== undefined && stepUpFault(claims, stepUp, now) !== undefined;
    const until = validUntil(claims, rules.leeway, stale ? undefined : stepUp, now + REMEMBER);
    const result = this.#decision.of(claims, rules, binding, VALID);
    return { claims, result, binding, source: issuer, consumers: this.#host.consumers.version, until, size };
  }
}

const VALID = 'valid token';
