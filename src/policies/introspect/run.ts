/** introspect at run time: an authorization server says whether the token of a request is valid, and whose it is. */
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
} from '../contract.js';
import { BearerAnswers } from '../kits/bearer/answers.js';
import { bindingOf } from '../kits/bearer/binding.js';
import { claimsFault } from '../kits/bearer/claims.js';
import { BearerDecision } from '../kits/bearer/decision.js';
import { SEVERAL, TokenPlaces } from '../kits/bearer/places.js';
import { renewNonce, SenderCheck } from '../kits/bearer/sender.js';
import { openJose } from '../kits/jose.js';
import { resourceReply, resourceUrl } from '../kits/protected-resource.js';
import { runPolicy } from '../run-kit.js';
import { type Answer, Endpoint } from './endpoint.js';
import type { IntrospectSettings } from './schema.js';
import { SignedAnswers } from './signed.js';

/** Milliseconds that an answer may take beyond the time limit of the call. */
const SLACK = 1000;
const VALID = 'active token';

export const create = runPolicy<IntrospectSettings>((settings, host) => new IntrospectPolicy(settings, host));

class IntrospectPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly passedFields: readonly string[];
  readonly secretParams: readonly string[];
  /** Only for policies that give nonces, or accept tokens in the query. */
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;
  readonly #settings: IntrospectSettings;
  readonly #host: PolicyHost;
  readonly #places: TokenPlaces;
  readonly #signed: SignedAnswers | undefined;
  readonly #endpoint: Endpoint;
  readonly #answers: BearerAnswers;
  readonly #sender: SenderCheck;
  readonly #decision: BearerDecision;

  constructor(settings: IntrospectSettings, host: PolicyHost) {
    const { query, dpop, signed, resource } = settings;
    this.#settings = settings;
    this.#host = host;
    const jose = openJose();
    // Without DPoP and signed answers it is not needed.
    jose.catch(() => {});
    this.#places = new TokenPlaces(settings);
    this.#signed = signed === undefined ? undefined : new SignedAnswers(signed, host, jose);
    this.#endpoint = new Endpoint(settings, host, this.#signed);
    const metadata = resource === undefined ? {} : { resourceMetadata: resourceUrl(resource.resource) };
    this.#answers = new BearerAnswers({ ...settings, ...metadata }, this.#places);
    this.#sender = new SenderCheck(settings, host, jose, this.#answers);
    this.#decision = new BearerDecision(settings, this.#answers, host);
    const fields = this.#places.declaredFields();
    this.requestFields = fields.requestFields;
    this.clientFields = fields.clientFields;
    this.passedFields = fields.passedFields;
    this.secretParams = fields.secretParams;
    if (query !== undefined || dpop?.nonce !== undefined)
      this.after = (exchange, reply) => this.#replied(exchange, reply);
  }

  published(value: Json): void {
    this.#signed?.take(value);
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
    // RFC 6750 section 2.1. Other texts are no tokens, so no server needs to say so.
    if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) return this.#answers.invalid('the token is malformed', viaDpop);
    const key = crypto.hash('sha256', token, 'base64url');
    const kept = this.#host.cache.get(key);
    if (typeof kept === 'string') return this.#judge(exchange, token, JSON.parse(kept) as Answer, viaDpop);
    return this.#judgeLater(exchange, token, this.#find(key, token, kept, exchange), viaDpop);
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

  /** The answer for a token, kept or fresh. Requests in all workers with the same token ask once. */
  async #find(
    key: string,
    token: string,
    kept: undefined | Promise<string | undefined>,
    exchange: Exchange,
  ): Promise<Answer> {
    const late = await kept;
    if (late !== undefined) return JSON.parse(late) as Answer;
    let bug: unknown;
    const ask = async (): Promise<Answer> => {
      try {
        const answer = await this.#endpoint.ask(token, exchange);
        await this.#keep(key, answer);
        return answer;
      } catch (error) {
        bug = error;
        throw error;
      }
    };
    try {
      return await this.#host.once(key, this.#settings.timeout + SLACK, ask);
    } catch (error) {
      if (bug !== undefined) throw bug;
      if (error instanceof TypeError) throw error;
      // Another worker had no answer in time, or too many requests wait.
      return { state: 'unknown', cause: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Tokens are not part of keys: the cache has their digests. */
  async #keep(key: string, answer: Answer): Promise<void> {
    const ttl = this.#keepFor(answer);
    if (ttl > 0) await this.#host.cache.set(key, JSON.stringify(answer), ttl);
  }

  #keepFor(answer: Answer): number {
    if (answer.state === 'unknown') return 0;
    if (answer.state === 'inactive') return this.#settings.keepInvalid;
    const { exp } = answer.claims;
    const left = typeof exp === 'number' ? exp * 1000 - this.#host.clock.now() : Number.POSITIVE_INFINITY;
    return Math.min(this.#settings.keep, left);
  }

  /** Apart from authenticate(), so that a request with a known token creates no closure. */
  #judgeLater(exchange: Exchange, token: string, pending: Promise<Answer>, viaDpop: boolean): Promise<Authentication> {
    return pending.then((answer) => this.#judge(exchange, token, answer, viaDpop));
  }

  #judge(exchange: Exchange, token: string, answer: Answer, viaDpop: boolean): Awaitable<Authentication> {
    const { service } = this.#settings;
    if (answer.state === 'unknown') return { outcome: 'unavailable', why: `${service}: ${answer.cause}` };
    if (answer.state === 'inactive') return this.#answers.invalid('the token is not active', viaDpop);
    return this.#active(exchange, token, answer.claims, viaDpop);
  }

  /** The server says that the token is valid; what it says besides decides about this request. */
  #active(exchange: Exchange, token: string, claims: Claims, viaDpop: boolean): Awaitable<Authentication> {
    const { rules, bound, dpop } = this.#settings;
    const fault = claimsFault(claims, rules, this.#host.clock.now());
    if (fault !== undefined) return this.#answers.unfit(fault, viaDpop);
    const binding = bound || dpop !== undefined ? bindingOf(claims) : undefined;
    if (typeof binding === 'string') return this.#answers.unfit(binding, viaDpop);
    const result = (): Authentication => this.#decision.of(claims, this.#settings, binding, VALID);
    if (this.#sender.accepts(binding, viaDpop)) return result();
    const refused = this.#sender.check(exchange, token, binding, viaDpop, this);
    return refused instanceof Promise ? refused.then((late) => late ?? result()) : (refused ?? result());
  }
}
