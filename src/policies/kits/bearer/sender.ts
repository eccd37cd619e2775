/** Whether the sender of a token holds what it is bound to: the key of a proof, or a client certificate. */
import type { Awaitable, Exchange, PolicyHost, Refused, Reply, Unavailable } from '../../contract.js';
import type { Jose } from '../jose.js';
import type { BearerAnswers } from './answers.js';
import { type Binding, holdsCertificate } from './binding.js';
import { DpopProofs, type DpopSettings, type ProofAnswer } from './dpop.js';

export type SenderSettings = {
  readonly dpop?: DpopSettings;
  /** Whether `cnf` counts. */
  readonly bound: boolean;
};

export class SenderCheck {
  readonly #settings: SenderSettings;
  readonly #answers: BearerAnswers;
  readonly #proofs: DpopProofs | undefined;

  constructor(settings: SenderSettings, host: PolicyHost, jose: Promise<Jose>, answers: BearerAnswers) {
    this.#settings = settings;
    this.#answers = answers;
    this.#proofs = settings.dpop === undefined ? undefined : new DpopProofs(settings.dpop, host, jose);
  }

  /** Whether every sender may use a token: then check() need not be called. */
  accepts(binding: Binding | undefined, viaDpop: boolean): boolean {
    return !viaDpop && this.#settings.dpop?.mode !== 'required' && (binding === undefined || !this.#settings.bound);
  }

  /** Why not; undefined if the sender may use the token. `owner`: the policy, which notes a new nonce for the reply. */
  check(
    exchange: Exchange,
    token: string,
    binding: Binding | undefined,
    viaDpop: boolean,
    owner: object,
  ): Awaitable<Refused | Unavailable | undefined> {
    const wanted = binding?.certificate;
    const presented = exchange.clientCertificate ?? exchange.connection.tls?.clientCertificate;
    if (wanted !== undefined && this.#settings.bound && !holdsCertificate(presented, wanted))
      return this.#answers.unfit('the token is bound to another client certificate', viaDpop);
    const jkt = binding?.jkt;
    if (jkt === undefined) {
      const needed = viaDpop || this.#settings.dpop?.mode === 'required';
      return needed ? this.#answers.unfit('the token is not bound to a key', viaDpop) : undefined;
    }
    if (!viaDpop) return this.#asBearer();
    return this.#proofs!.check(exchange, token, jkt, binding!.holder).then((answer) =>
      this.#proved(exchange, answer, owner),
    );
  }

  /** RFC 9449 section 7.2: a token that was stolen from a client with a key must not work without it. */
  #asBearer(): Refused | undefined {
    const { dpop, bound } = this.#settings;
    if (!bound && dpop?.mode !== 'required') return undefined;
    const what = 'the token is bound to a key';
    const how = dpop === undefined ? 'which this route does not accept' : 'so it must be sent as DPoP with a proof';
    return this.#answers.unfit(`${what}, ${how}`, false);
  }

  #proved(exchange: Exchange, answer: ProofAnswer, owner: object): Refused | Unavailable | undefined {
    if ('outcome' in answer) return answer;
    if (answer.fault !== undefined) return this.#answers.proof(answer);
    if (answer.nonce !== undefined) exchange.note(owner, { nonce: answer.nonce });
    return undefined;
  }
}

/**
 * Adds the nonce that check() has noted to a reply. No cache may keep it: with a later request the nonce would be out of date (RFC 9449
 * section 8.2).
 */
export function renewNonce(exchange: Exchange, reply: Reply, owner: object): void {
  const noted = exchange.noted(owner) as { readonly nonce?: string } | undefined;
  if (noted?.nonce === undefined) return;
  reply.headers.set('dpop-nonce', noted.nonce);
  reply.headers.set('cache-control', 'no-store');
}
