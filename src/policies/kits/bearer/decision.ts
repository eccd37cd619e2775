/** What a valid token allows: the caller, or what is missing. */
import type { Authentication, Claims, PolicyHost } from '../../contract.js';
import type { BearerAnswers } from './answers.js';
import type { Binding } from './binding.js';
import { hasScopes, type StepUp, stepUpFault } from './claims.js';

export interface DecisionRules {
  readonly scope: readonly string[];
  readonly consumerClaim?: string;
}

export class BearerDecision {
  readonly #stepUp: StepUp | undefined;
  readonly #dpop: boolean;
  readonly #answers: BearerAnswers;
  readonly #host: PolicyHost;

  constructor(
    { stepUp, dpop }: { readonly stepUp?: StepUp; readonly dpop?: object },
    answers: BearerAnswers,
    host: PolicyHost,
  ) {
    this.#stepUp = stepUp;
    this.#dpop = dpop !== undefined;
    this.#answers = answers;
    this.#host = host;
  }

  /** `what`: how decisions name it, such as `valid token`. */
  of(
    claims: Claims,
    { scope, consumerClaim }: DecisionRules,
    binding: Binding | undefined,
    what: string,
  ): Authentication {
    const answers = this.#answers;
    const viaDpop = this.#dpop && binding?.jkt !== undefined;
    const stepUp = this.#stepUp;
    const fault = stepUp === undefined ? undefined : stepUpFault(claims, stepUp, this.#host.clock.now());
    if (fault !== undefined) return answers.stepUp(stepUp!, fault, viaDpop);
    if (!hasScopes(claims, scope)) return answers.scope(scope, viaDpop);
    const challenge = answers.challenges[viaDpop ? 'dpop' : 'bearer'];
    if (consumerClaim === undefined) return { outcome: 'identity', claims, challenge, why: what };
    const name = Object.hasOwn(claims, consumerClaim) ? claims[consumerClaim] : undefined;
    const consumer = typeof name === 'string' ? this.#host.consumers.byName(name) : undefined;
    if (consumer === undefined) return answers.consumer(consumerClaim);
    return { outcome: 'identity', consumer, claims, challenge, why: `${what} of ${consumer.name}` };
  }
}
