/** What the data plane gives to policies. */
import type { Json, PlanEntry, PolicyEntry } from '../../bundle/types.js';
import { condition } from '../../expression/condition.js';
import type {
  Clock,
  ConsumerLookup,
  Exchange,
  LimitStore,
  Logger,
  PolicyHost,
  PolicyInstance,
  StreamedReply,
  SubRequest,
} from '../../policies/contract.js';
import type { ContentOptions, ContentSpace } from '../../state/content/types.js';
import type { OutcomeSpace } from '../../state/outcomes/types.js';
import type { SingleFlight } from '../../state/single-flight.js';
import type { StepCell } from '../../state/step-cell.js';
import type { After } from '../../state/timers.js';
import type { CacheSpace, HoldSpace, ReplaySpace } from '../../state/types.js';
import type { BodyBudget } from '../load/body-buffer.js';
import type { Caller, CallWorld } from '../upstream/call/calls.js';
import { PolicyTimers } from './policy-timers.js';
import { Questions } from './questions.js';

/** The facilities of a data plane, or of an offline run. */
export interface PolicyWorld {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly limits: LimitStore;
  readonly cache: CacheSpace;
  readonly marks: CacheSpace;
  readonly holds: HoldSpace;
  readonly replays: ReplaySpace;
  readonly content: ContentSpace;
  readonly kept: ContentSpace;
  readonly outcomes: OutcomeSpace;
  readonly flights: SingleFlight;
  readonly after: After;
  readonly calls: CallWorld;
  /** The memory for bodies; absent: one of its own. */
  readonly bodies?: BodyBudget;
  /** Where custom steps note that they run; absent: they are not watched. */
  readonly steps?: StepCell;
  /** Asks the duty of the policy with this identity; absent: duties do not run here. */
  readonly ask?: ((identity: string, question: Json) => Promise<Json>) | undefined;
  readonly exchanges: InnerExchangeWorld;
  /** What takes the place of a policy; undefined for nothing. Absent: every policy is created. */
  readonly standIn?: (policy: PolicyEntry) => PolicyInstance | undefined;
}

/** Runs further exchanges for policies and actions. */
export interface InnerExchangeWorld {
  subrequest(caller: Caller, exchange: Exchange, request: SubRequest): Promise<StreamedReply>;
  background(caller: Caller, exchange: Exchange): Promise<StreamedReply>;
}

/** The parts of a generation that policies look up. */
export interface PolicySurroundings {
  readonly consumers: ConsumerLookup;
  readonly plans: readonly PlanEntry[];
  /** The instances that the policy composes, by name; absent: none. */
  readonly members?: ReadonlyMap<string, PolicyInstance>;
}

interface PolicyNames {
  readonly name: string;
  readonly identity: string;
  readonly stateIdentity?: string;
  /** Services that it may call. */
  readonly calls?: readonly string[];
  /** It is the action of a route. */
  readonly acts?: boolean;
}

/** The host of one policy. `timers`: closed with the policy. */
export function policyHost(
  { name, identity, stateIdentity = identity, calls = NONE, acts = false }: PolicyNames,
  { consumers, plans, members }: PolicySurroundings,
  world: PolicyWorld,
  timers: PolicyTimers = new PolicyTimers(world, name),
): PolicyHost {
  const { clock, random, logger, limits, flights, exchanges, ask } = world;
  const caller = { name, acts };
  const questions = new Questions((question) => ask?.(identity, question) ?? noDuty(), world.after);
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
    after: timers.after,
    cache: world.cache.store(stateIdentity),
    marks: world.marks.store(stateIdentity),
    holds: world.holds.store(stateIdentity),
    replays: world.replays.store(name),
    content: <Data>(options: ContentOptions) => world.content.store<Data>(stateIdentity, options),
    kept: <Data>(maxEntry: number, { disk = false } = {}) =>
      disk
        ? world.content.store<Data>(stateIdentity, { maxEntry, disk, keeps: true })
        : world.kept.store<Data>(stateIdentity, { maxEntry, disk }),
    outcomes: world.outcomes.store(name),
    outcomesOnDisk: () => world.outcomes.diskStore(name),
    call: async (service, request) => world.calls.call(caller, declared(service, calls), request),
    callStream: async (service, request) => world.calls.callStream(caller, declared(service, calls), request),
    ask: (question) => questions.ask(question),
    subrequest: (exchange, request) => exchanges.subrequest(caller, exchange, request),
    background: (exchange) => exchanges.background(caller, exchange),
    once: (key, leaseMs, work) => flights.run(`${stateIdentity} ${key}`, leaseMs, work),
    condition: (expression) => condition(expression),
    member: (wanted) => members?.get(wanted) ?? noMember(wanted),
  };
}

const NONE: readonly string[] = [];

/** Throws TypeError for a service that calls() of the declaration does not name. */
function declared(service: string, calls: readonly string[]): string {
  if (calls.includes(service)) return service;
  throw new TypeError(`The declaration does not name ${JSON.stringify(service)} among the services that it calls`);
}

/** Throws TypeError for a policy that members() of the declaration does not name. */
function noMember(name: string): never {
  throw new TypeError(`The declaration does not name ${JSON.stringify(name)} among its members`);
}

const noDuty = (): Promise<never> => Promise.reject(new Error('duties do not run here'));
