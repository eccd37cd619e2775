/** The action of a route for a path that a policy answers itself. */
import type { ActionEntry, RouteEntry } from '../../bundle/types.js';
import type { ActionInstance, Awaitable, Exchange, PolicyInstance, Reply } from '../../policies/contract.js';
import { refuseEncoded, refuseRequestBody } from './chain/hooks.js';
import type { Refusals } from './chain/refusals.js';
import { isEncoded } from './chain/replies.js';
import type { ChainedExchange, ChainPolicy } from './chain/step.js';

/** Throws for a policy that answers nothing. */
export function answerOf(
  { action, maxBodyBytes = 0, name }: RouteEntry,
  policy: ChainPolicy,
  refusals: Refusals,
): ActionInstance {
  const { answer } = policy.instance;
  if (answer === undefined)
    throw new Error(`The policy ${policy.name} answers nothing, but the route ${name} needs its answer.`);
  return new PolicyAnswer(policy, answer, pathOf(action), maxBodyBytes, refusals);
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
  readonly #refusals: Refusals;

  constructor(
    policy: ChainPolicy,
    answer: NonNullable<PolicyInstance['answer']>,
    path: string,
    maxBody: number,
    refusals: Refusals,
  ) {
    this.#refusals = refusals;
    this.#policy = policy;
    this.#answer = answer;
    this.#path = path;
    this.#maxBody = maxBody;
  }

  start(exchange: Exchange): Awaitable<Reply> {
    // The action of a route gets the exchange of its chain.
    const answer = exchange.hasBody
      ? this.#withBody(exchange as ChainedExchange)
      : this.#answer.call(this.#policy.instance, exchange, this.#path, NO_BYTES);
    return answer instanceof Promise
      ? answer.then((late) => this.#noted(exchange, late))
      : this.#noted(exchange, answer);
  }

  /** A failed login is a refusal of the policy, as in its chain: with a counter and a decision. */
  #noted({ decisions }: Exchange, reply: Reply): Reply {
    if (reply.status < 400) return reply;
    const { name, use } = this.#policy;
    const code = reply.code ?? 'policy/answered';
    this.#refusals.note(name, code);
    decisions?.push({
      step: name,
      use,
      outcome: 'answer',
      why: reply.cause ?? `answered with ${reply.status} ${code}`,
    });
    return reply;
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
