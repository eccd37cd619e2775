/** What the data plane gives to policies. */
import type { PlanEntry } from '../../bundle/types.js';
import type { Clock, ConsumerLookup, LimitStore, Logger, PolicyHost } from '../../policies/contract.js';

/** The facilities of a data plane, or of an offline run. */
export interface PolicyWorld {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly limits: LimitStore;
}

/** The parts of a generation that policies look up. */
export interface PolicySurroundings {
  readonly consumers: ConsumerLookup;
  readonly plans: readonly PlanEntry[];
}

interface PolicyNames {
  readonly name: string;
  readonly identity: string;
  readonly stateIdentity?: string;
}

/** The host of one policy. */
export function policyHost(
  { name, identity, stateIdentity = identity }: PolicyNames,
  { consumers, plans }: PolicySurroundings,
  { clock, random, logger, limits }: PolicyWorld,
): PolicyHost {
  return {
    name,
    identity,
    stateIdentity,
    clock,
    random,
    logger,
    limits,
    consumers,
    plans,
    after: missing,
    cache: { get: missing, set: missing, delete: missing },
    holds: { acquire: missing },
    call: missing,
    callStream: missing,
    ask: missing,
    once: missing,
    member: missing,
  };
}

function missing(): never {
  throw new Error('This facility of the host is not available.');
}
