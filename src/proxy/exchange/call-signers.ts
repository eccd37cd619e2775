/** Which policies sign the calls to each service of a generation. */
import type { ServiceEntry } from '../../bundle/types.js';
import type { Attempt, Awaitable, Reply } from '../../policies/contract.js';
import type { ShowAttempt } from '../upstream/call/attempt.js';
import type { SignedCall } from '../upstream/call/calls.js';
import type { Chain } from './chain/chain.js';
import { ServiceSigners } from './chain/signers.js';
import type { ChainedExchange, ChainPolicy } from './chain/step.js';
import { DetachedExchange } from './detached-exchange.js';

export class CallSigners {
  readonly #byService = new Map<string, ServiceSigners>();

  constructor(services: readonly ServiceEntry[], policies: readonly ChainPolicy[]) {
    for (const { name, policies: names = [] } of services) {
      const signers = new ServiceSigners(
        names.flatMap((wanted) => policies.find((each) => each.name === wanted) ?? []),
      );
      if (signers.any) this.#byService.set(name, signers);
    }
  }

  /** Undefined if no policy signs the call. `of`: the exchange that it belongs to. */
  show(call: SignedCall, of: CallingExchange | undefined): ShowAttempt | undefined {
    const signers = this.#byService.get(call.service);
    if (call.acts && of?.compiled !== undefined) return ofAction(of, of.compiled.chain, signers);
    if (signers === undefined) return undefined;
    const exchange = of === undefined || call.shared ? new DetachedExchange(call.id) : of;
    return (attempt) => signers.show(exchange, attempt);
  }
}

interface CallingExchange extends ChainedExchange {
  readonly compiled: { readonly chain: Chain } | undefined;
}

/** The policies of the route sign, then the others of the service. */
function ofAction(
  exchange: CallingExchange,
  chain: Chain,
  signers: ServiceSigners | undefined,
): ShowAttempt | undefined {
  const others = signers?.without(chain);
  if (others?.any === true) return (attempt) => bothOf(exchange, attempt, chain, others);
  return chain.seesAttempts ? (attempt) => chain.attempt(exchange, attempt) : undefined;
}

function bothOf(
  exchange: ChainedExchange,
  attempt: Attempt,
  chain: Chain,
  others: ServiceSigners,
): Awaitable<Reply | undefined> {
  const next = (reply: Reply | undefined): Awaitable<Reply | undefined> =>
    reply ?? (exchange.over ? undefined : others.show(exchange, attempt));
  const first = chain.attempt(exchange, attempt);
  return first instanceof Promise ? first.then(next) : next(first);
}
