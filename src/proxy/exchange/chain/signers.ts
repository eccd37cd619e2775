/** The policies that sign requests to targets or add credentials: those of a route's chain, or of a service that is called. */
import type { Attempt, Awaitable, Exchange, PolicyInstance, Reply } from '../../../policies/contract.js';
import { faultOf } from './replies.js';
import type { ChainedExchange, Step } from './step.js';

interface Signer {
  readonly name: string;
  readonly instance: PolicyInstance;
}

/** An exchange that requests to targets belong to. */
export interface SignedExchange extends Exchange {
  readonly over: boolean;
}

/** Runs onAttempt of policies, in order. */
abstract class Signers<Policy extends Signer, Of extends SignedExchange> {
  protected readonly policies: readonly Policy[];

  /** Keeps those that have the hook. */
  constructor(policies: readonly Policy[]) {
    this.policies = policies.filter(({ instance }) => instance.onAttempt !== undefined);
  }

  get any(): boolean {
    return this.policies.length > 0;
  }

  /** Whether the policy takes part in the exchange. */
  protected abstract takesPart(policy: Policy, exchange: Of): boolean;

  /**
   * Shows an attempt to the policies. Returns or resolves when all have seen it, or with the reply of one, in place of the attempt.
   * Throws or rejects if one does.
   */
  show(exchange: Of, attempt: Attempt): Awaitable<Reply | undefined> {
    for (let i = 0; i < this.policies.length; i++) {
      const policy = this.policies[i]!;
      if (!this.takesPart(policy, exchange)) continue;
      const result = policy.instance.onAttempt!(exchange, attempt) as Awaitable<Reply | undefined>;
      if (result instanceof Promise) return this.#showLater(exchange, attempt, i + 1, policy, result);
      if (result !== undefined) return sendableInstead(result, policy);
    }
    return undefined;
  }

  async #showLater(
    exchange: Of,
    attempt: Attempt,
    next: number,
    first: Policy,
    pending: Promise<Reply | undefined>,
  ): Promise<Reply | undefined> {
    const reply = await pending;
    if (reply !== undefined) return sendableInstead(reply, first);
    for (let i = next; i < this.policies.length && !exchange.over; i++) {
      const policy = this.policies[i]!;
      if (!this.takesPart(policy, exchange)) continue;
      const answer = (await policy.instance.onAttempt!(exchange, attempt)) as Reply | undefined;
      if (answer !== undefined) return sendableInstead(answer, policy);
    }
    return undefined;
  }
}

/** A reply in place of an attempt. Throws for a value that cannot be sent. */
function sendableInstead(reply: Reply, { name }: Signer): Reply {
  const fault = faultOf(reply, undefined, false);
  if (fault !== undefined) throw new TypeError(`policy ${name}: ${fault}`);
  return reply;
}

/** Of a chain: the steps that the exchange has passed. */
export class ChainSigners extends Signers<Step, ChainedExchange> {
  protected takesPart(step: Step, exchange: ChainedExchange): boolean {
    return step.index < exchange.entered && step.applies(exchange);
  }
}

/** Of a service that is called: all of them. */
export class ServiceSigners extends Signers<Signer, SignedExchange> {
  protected takesPart(): boolean {
    return true;
  }

  /** Those among them that are no step of a chain, which has signed already. */
  without(chain: { positionOf(name: string): number }): ServiceSigners {
    const others = this.policies.filter(({ name }) => chain.positionOf(name) < 0);
    return others.length === this.policies.length ? this : new ServiceSigners(others);
  }
}
