/** The action of a route for a path that a policy answers itself. */
import type { ActionEntry, RouteEntry } from '../../bundle/types.js';
import type { ActionInstance, Awaitable, Exchange, PolicyInstance, Reply } from '../../policies/contract.js';
import { refuseEncoded, refuseRequestBody } from './chain/hooks.js';
import { isEncoded } from './chain/replies.js';
import type { ChainedExchange, ChainPolicy } from './chain/step.js';

/** Throws for a policy that answers nothing. */
export function answerOf({ action, maxBodyBytes = 0, name }: RouteEntry, policy: ChainPolicy): ActionInstance {
  const { answer } = policy.instance;
  if (answer === undefined)
    throw new Error(`The policy ${policy.name} answers nothing, but the route ${name} needs its answer.`);
  return new PolicyAnswer(policy, answer, pathOf(action), maxBodyBytes);
}

/** The name of the path in the settings that the compiler writes. */
function pathOf({ settings }: ActionEntry): string {
  const path = typeof settings === 'object' && settings !== null && 'path' in settings ? settings.path : undefined;
  return typeof path === 'string' ? path : '';
}

class PolicyAnswer implements ActionInstance {
  readonly #policy: ChainPolicy;
  readonly #answer: NonNullable<PolicyInstance['answer']>;
  readonly #path: string;
  readonly #maxBody: number;

  constructor(policy: ChainPolicy, answer: NonNullable<PolicyInstance['answer']>, path: string, maxBody: number) {
    this.#policy = policy;
    this.#answer = answer;
    this.#path = path;
    this.#maxBody = maxBody;
  }

  start(exchange: Exchange): Awaitable<Reply> {
    // The action of a route gets the exchange of its chain.
    if (exchange.hasBody) return this.#withBody(exchange as ChainedExchange);
    return this.#answer.call(this.#policy.instance, exchange, this.#path, NO_BYTES);
  }

  async #withBody(exchange: ChainedExchange): Promise<Reply> {
    const policy = this.#policy;
    if (isEncoded(exchange.headers)) return refuseEncoded(exchange, policy);
    const body = await exchange.ensureBodies().collectRequest(this.#maxBody);
    if (typeof body === 'string') return refuseRequestBody(exchange, policy, body, this.#maxBody);
    return this.#answer.call(policy.instance, exchange, this.#path, body);
  }
}

const NO_BYTES = new Uint8Array(0);
