/** A loaded bundle: its matcher, its routes with their chains, its services. */
import { Matcher } from '../../bundle/match/match.js';
import { Trie } from '../../bundle/trie/trie.js';
import type {
  AuthenticationEntry,
  CodeTexts,
  Json,
  NormalizeEntry,
  PolicyEntry,
  Program,
  RouteEntry,
  TemplateEntry,
} from '../../bundle/types.js';
import { condition } from '../../expression/condition.js';
import type { ActionInstance, Exchange, Logger, PolicyHost, PolicyInstance } from '../../policies/contract.js';
import { Template } from '../../policies/run-kit.js';
import { runHalves } from '../../policies/run-registry.js';
import { messageOf } from '../../reason.js';
import type { ConsumerMemory } from '../../state/consumers/layers.js';
import { LiveConsumers } from '../../state/consumers/live.js';
import { ConsumerSet } from '../../state/consumers/set.js';
import { StepCell } from '../../state/step-cell.js';
import { BodyBudget } from '../load/body-buffer.js';
import type { ShowAttempt } from '../upstream/call/attempt.js';
import type { SignedCall } from '../upstream/call/calls.js';
import type { Service } from '../upstream/service.js';
import { type HostOf, RouteActions } from './actions.js';
import { CallSigners } from './call-signers.js';
import { Callers } from './chain/callers.js';
import { Chain, type Guards } from './chain/chain.js';
import { FailedAttempts } from './chain/failed-attempts.js';
import { type RecordMask, recordMasks } from './chain/record-masks.js';
import { Refusals } from './chain/refusals.js';
import type { ChainPolicy } from './chain/step.js';
import { CustomCode } from './custom-code.js';
import type { GenerationInput } from './generation-input.js';
import { guardedRoutes, type IdentityGuard, identityGuardsOf } from './identity-fields.js';
import { PolicyCounts } from './policy-counts.js';
import { type PolicySurroundings, type PolicyWorld, policyHost } from './policy-host.js';
import { begin, naming } from './policy-start.js';
import { PolicyTimers } from './policy-timers.js';
import { writtenFields } from './written-fields.js';

export interface CompiledRoute {
  readonly entry: RouteEntry;
  readonly chain: Chain;
  readonly service: Service | undefined;
  readonly action: ActionInstance;
  /** What is removed of requests before its chain; undefined for nothing. */
  readonly identityGuard: IdentityGuard | undefined;
  /** Its counter slot. */
  readonly slot: number;
}

/** A policy instance with the number of generations that use it. */
interface Shared {
  readonly name: string;
  readonly instance: PolicyInstance;
  readonly identity: string;
  /** The plans that it was created with, as JSON; different ones require a new instance. */
  readonly surroundings: string;
  readonly timers: PolicyTimers;
  /** sha256 of its code if it is a custom one. */
  readonly code: string | undefined;
  holders: number;
}

/** The parts of a generation's input that its policies are created from. */
type Acquired = Pick<GenerationInput, 'program' | 'published' | 'code' | 'steps'>;

/** Policy instances by identity, so that they keep their state across unrelated edits of the spec. */
export class PolicyInstances {
  readonly #world: PolicyWorld;
  readonly #byIdentity = new Map<string, Shared>();
  readonly callers: Callers;
  /** Also instances that a newer one has replaced. */
  readonly #all = new Set<Shared>();
  readonly #cell: StepCell;
  readonly code: CustomCode;
  /** What policies have refused. */
  readonly refusals = new Refusals();
  /** What policies count of themselves. */
  readonly counts = new PolicyCounts();

  constructor(world: PolicyWorld) {
    this.#world = world;
    this.callers = new Callers(new LiveConsumers(), () => world.clock.now());
    this.#cell = world.steps ?? new StepCell();
    this.code = new CustomCode(this.#cell, world.logger);
  }

  /** What the chains of a program count. */
  guards(entry: AuthenticationEntry | undefined): Guards {
    const { clock, limits } = this.#world;
    return { attempts: new FailedAttempts(limits, clock, entry), refusals: this.refusals };
  }

  /**
   * The steps of a program's policies, by index, and the actions of its routes. Throws and releases everything if one cannot
   * be created.
   */
  acquire(input: Acquired): { steps: ChainPolicy[]; held: Shared[]; actions: RouteActions } {
    const { program, published, code: texts, steps: numbers } = input;
    const surroundings = JSON.stringify(program.plans);
    const around = { consumers: this.callers.consumers, plans: program.plans };
    const steps: ChainPolicy[] = [];
    const held: Shared[] = [];
    this.#cell.adopt(numbers);
    try {
      for (const policy of program.policies) {
        const { identity } = policy;
        let shared = this.#byIdentity.get(identity);
        let created = false;
        if (shared === undefined || shared.surroundings !== surroundings) {
          shared = {
            ...this.#create(policy, { ...around, members: membersOf(policy, steps) }, texts),
            name: policy.name,
            identity,
            surroundings,
            code: policy.code,
            holders: 0,
          };
          created = true;
          this.#byIdentity.set(identity, shared);
          this.#all.add(shared);
          if (policy.code === undefined) this.counts.add(policy.name, shared.instance);
        }
        shared.holders++;
        held.push(shared);
        if (created) begin(policy.name, shared.instance, published?.get(identity));
        const { name, use, body, replyPhase } = policy;
        const when = policy.when === undefined ? undefined : condition(policy.when);
        steps.push({ name, use, instance: shared.instance, body, replyPhase, when });
      }
      const hostOf: HostOf = (names) => {
        const timers = new PolicyTimers(this.#world, names.name);
        return { host: policyHost(names, around, this.#world, timers), timers };
      };
      return {
        steps,
        held,
        actions: new RouteActions(program, steps, hostOf, this.#world.logger, {
          code: this.code,
          texts,
          refusals: this.refusals,
          bodies: this.#world.bodies ?? new BodyBudget(),
        }),
      };
    } catch (error) {
      this.release(held);
      throw error;
    }
  }

  #create(
    policy: PolicyEntry,
    surroundings: PolicySurroundings,
    texts: CodeTexts | undefined,
  ): Pick<Shared, 'instance' | 'timers'> {
    const timers = new PolicyTimers(this.#world, policy.name);
    try {
      const host = policyHost(policy, surroundings, this.#world, timers);
      return { instance: this.#instance(policy, host, texts), timers };
    } catch (error) {
      timers.close();
      throw naming(policy.name, error);
    }
  }

  #instance(policy: PolicyEntry, host: PolicyHost, texts: CodeTexts | undefined): PolicyInstance {
    const { code, name, settings, use } = policy;
    const instead = this.#world.standIn?.(policy);
    if (instead !== undefined) return instead;
    if (code !== undefined) return this.code.policy({ use, code }, texts, settings, host);
    const create = runHalves[use];
    if (!create) throw new Error(`This version of gw has no policy kind ${use} (policy ${name}).`);
    return create(settings, host);
  }

  /** Hands a value of a duty to the instances of its policy, also to those that finish their last exchanges. */
  publish(identity: string, value: Json): void {
    for (const shared of this.#all) {
      if (shared.identity !== identity) continue;
      try {
        shared.instance.published?.(value);
      } catch (error) {
        this.#world.logger.error('policy failed on a published value', {
          policy: shared.name,
          cause: messageOf(error),
        });
      }
    }
  }

  release(held: readonly Shared[]): void {
    for (const shared of held) {
      if (--shared.holders > 0) continue;
      this.#all.delete(shared);
      this.counts.remove(shared.instance);
      if (this.#byIdentity.get(shared.identity) === shared) this.#byIdentity.delete(shared.identity);
      try {
        shared.instance.close?.();
      } catch (error) {
        this.#world.logger.error('cannot close a policy', { policy: shared.name, cause: messageOf(error) });
      }
      shared.timers.close();
      if (shared.code !== undefined) this.code.release(shared.code, shared.name);
    }
  }
}

/** The instances that a policy composes, by name. */
const membersOf = (policy: PolicyEntry, steps: readonly ChainPolicy[]): ReadonlyMap<string, PolicyInstance> =>
  new Map((policy.members ?? []).map((index) => [steps[index]!.name, steps[index]!.instance]));

export class Generation {
  readonly id: number;
  readonly sha256: string;
  readonly program: Program;
  readonly matcher: Matcher;
  routes: readonly CompiledRoute[] = [];
  /** Whether some route answers CORS preflights itself. */
  answersPreflights = false;
  /**
   * Request fields that its policies set or remove, with `-` for `_`; and, unchanged, fields with `_` that policies
   * read from clients.
   */
  readonly written: ReadonlySet<string>;
  /** Query parameters that carry credentials; records omit them. */
  readonly secretParams: readonly string[];
  /** What edits the records of requests that no route takes. */
  readonly recordMasks: readonly RecordMask[];
  /** For rewritten paths: a dot segment from a variable would lead to a path that the route does not name. */
  readonly rewriteRules: NormalizeEntry;
  /** Slot of requests that matched no route. */
  readonly unmatched: number;
  inFlight = 0;
  /** Another generation is live. */
  retired = false;
  readonly #instances: PolicyInstances;
  readonly #held: Shared[];
  readonly #steps: readonly ChainPolicy[];
  readonly #slots: readonly number[];
  readonly logger: Logger;
  /** What signs the calls to its services. */
  readonly signers: CallSigners;
  readonly #actions: RouteActions;
  readonly #guards: Guards;
  readonly #consumers: ConsumerMemory | undefined;
  /** If the input has no memory of consumers: from its program. */
  readonly #own: ConsumerSet | undefined;
  #finished = false;
  #services: ReadonlyMap<string, Service> = new Map();

  /** Opens the trie, creates the policies, reads the rewrites. Throws and releases everything if any of it fails. */
  constructor(input: GenerationInput, instances: PolicyInstances, logger: Logger) {
    this.id = input.id;
    this.sha256 = input.sha256;
    this.program = input.program;
    this.rewriteRules = { ...input.program.normalize, dotSegments: 'refuse' };
    this.matcher = new Matcher(Trie.open(input.trie));
    if (this.matcher.trie.routeCount > input.program.routes.length)
      throw new Error('The trie and the program of the bundle do not match.');
    this.unmatched = input.stats.unmatched;
    this.#slots = input.stats.routes;
    this.#instances = instances;
    this.#guards = instances.guards(input.program.authentication);
    this.logger = logger;
    this.#consumers = input.consumers;
    if (input.consumers === undefined) this.#own = ConsumerSet.of(input.program.consumers);
    const { steps, held, actions } = instances.acquire(input);
    this.#steps = steps;
    this.written = writtenFields(steps.map(({ instance }) => instance));
    this.secretParams = [...new Set(steps.flatMap(({ instance }) => instance.secretParams ?? []))];
    this.recordMasks = recordMasks(steps);
    this.#held = held;
    this.#actions = actions;
    this.signers = new CallSigners(this.program.services, steps);
    this.#compileChains();
  }

  readonly #chains = new Map<string, Chain>();
  /** Templates by the part of the rewrite that contains them. */
  readonly #variables = new Map<object, Template>();

  #compileChains(): void {
    try {
      for (const route of this.program.routes) {
        this.#chainOf(route);
        if (route.rewrite !== undefined) this.#readRewrite(route.rewrite);
        if (route.rewriteQuery !== undefined) this.#readRewrite(route.rewriteQuery);
      }
    } catch (error) {
      this.finish();
      throw error;
    }
  }

  /** Routes with the same policies share one chain. */
  #chainOf(route: RouteEntry): Chain {
    const key = route.policies.join(',');
    let chain = this.#chains.get(key);
    if (!chain) {
      chain = new Chain(
        route.policies.map((index) => this.#steps[index]!),
        this.logger,
        this.#instances.callers,
        this.#guards,
      );
      this.#chains.set(key, chain);
    }
    return chain;
  }

  /** Connects routes with services, and policies with the consumers: the last step before it serves. Cannot fail. */
  connect(services: readonly Service[]): void {
    const { consumers } = this.#instances.callers;
    consumers.use(this.#consumers ?? { ...this.#own!.memory, version: consumers.version + 1 });
    this.#services = new Map(services.map((service) => [service.entry.name, service]));
    const guards = identityGuardsOf(
      guardedRoutes(this.program, ({ policies }) => policies.map((index) => this.#steps[index]!.instance)),
    );
    this.routes = this.program.routes.map((entry, index) => ({
      entry,
      chain: this.#chainOf(entry),
      service: services[entry.service],
      action: this.#actions.byRoute[index]!,
      identityGuard: guards[index],
      slot: this.#slots[index] ?? this.unmatched,
    }));
    this.answersPreflights = this.routes.some(({ chain }) => chain.answersPreflight);
  }

  /** A service that policies call; undefined if there is none, or before connect(). */
  serviceNamed(name: string): Service | undefined {
    return this.#services.get(name);
  }

  signersOf(call: SignedCall): ShowAttempt | undefined {
    return this.signers.show(call, undefined);
  }

  /** Throws for an unknown variable, so that the load fails and not a request. */
  #readRewrite(rewrite: TemplateEntry): void {
    for (const part of rewrite) if (typeof part !== 'string') this.#variables.set(part, new Template([part]));
  }

  /** The text of one variable of a route's rewrite. */
  render(part: { readonly var: string }, exchange: Exchange): string {
    return this.#variables.get(part)!.render(exchange);
  }

  /** Its policies are closed, so no exchange can use it. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Its last exchange has ended: closes policies that no later generation uses. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const service of this.#services.values()) service.release();
    this.#actions.close(this.logger);
    this.#instances.release(this.#held);
  }

  /** Another generation has gone live. */
  retire(): void {
    this.retired = true;
    if (this.inFlight === 0) this.finish();
  }
}
