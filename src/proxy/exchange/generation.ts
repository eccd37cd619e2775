/** One loaded bundle at work: its matcher, its routes with their chains, its services. */
import { hash } from 'node:crypto';
import { Matcher } from '../../bundle/match/match.js';
import { Trie } from '../../bundle/trie/trie.js';
import type { NormalizeEntry, Program, ReplyEntry, RouteEntry, TemplateEntry } from '../../bundle/types.js';
import type {
  Clock,
  Exchange,
  LimitStore,
  Logger,
  PolicyHost,
  PolicyInstance,
  Reply,
} from '../../policies/contract.js';
import { BytesReply, HeaderMap, Template } from '../../policies/run-kit.js';
import { runHalves } from '../../policies/run-registry.js';
import { messageOf } from '../../reason.js';
import { isOwnFraming } from '../http/own-names.js';
import type { Service } from '../upstream/service.js';
import { Chain, type ChainStep } from './chain.js';
import { ConstantReply } from './constant-reply.js';
import type { GenerationInput } from './generation-input.js';

export interface CompiledRoute {
  readonly entry: RouteEntry;
  readonly chain: Chain;
  readonly service: Service | undefined;
  /** The route's own reply. */
  readonly reply: (() => Reply) | undefined;
  /** Where it counts. */
  readonly slot: number;
}

/** All of the world that policies get from the data plane. */
export interface PolicyWorld {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly limits: LimitStore;
}

/** A policy instance and how many generations hold it. */
interface Shared {
  readonly instance: PolicyInstance;
  readonly identity: string;
  /** Digest of the consumers and plans that it was created with: with others it would decide otherwise. */
  readonly surroundings: string;
  holders: number;
}

/** Policy instances by identity, so that an edit elsewhere in the spec leaves their state alone. */
export class PolicyInstances {
  readonly #world: PolicyWorld;
  readonly #byIdentity = new Map<string, Shared>();

  constructor(world: PolicyWorld) {
    this.#world = world;
  }

  /** The steps of a program's policies, by index. Throws, holding nothing, when one cannot be created. */
  acquire(program: Program): { steps: ChainStep[]; held: Shared[] } {
    // A digest, since every policy compares it and consumers may be many.
    const surroundings = hash('sha256', JSON.stringify([program.consumers, program.plans]));
    const steps: ChainStep[] = [];
    const held: Shared[] = [];
    try {
      for (const policy of program.policies) {
        const { identity } = policy;
        let shared = this.#byIdentity.get(identity);
        if (shared === undefined || shared.surroundings !== surroundings) {
          const create = runHalves[policy.use];
          if (!create) throw new Error(`No policy of this gw is called ${policy.use} (${policy.name}).`);
          shared = {
            instance: create(policy.settings, this.#host(policy, program)),
            identity,
            surroundings,
            holders: 0,
          };
          this.#byIdentity.set(identity, shared);
        }
        shared.holders++;
        held.push(shared);
        const outermost = policy.replyPhase === 'fields';
        steps.push({ name: policy.name, use: policy.use, instance: shared.instance, outermost });
      }
    } catch (error) {
      this.release(held);
      throw error;
    }
    return { steps, held };
  }

  release(held: readonly Shared[]): void {
    for (const shared of held) {
      if (--shared.holders > 0) continue;
      if (this.#byIdentity.get(shared.identity) === shared) this.#byIdentity.delete(shared.identity);
      try {
        shared.instance.close?.();
      } catch (error) {
        this.#world.logger.error('cannot close a policy', { cause: messageOf(error) });
      }
    }
  }

  #host(policy: Program['policies'][number], program: Program): PolicyHost {
    const { clock, random, logger, limits } = this.#world;
    const { name, identity } = policy;
    return { name, identity, clock, random, logger, limits, consumers: program.consumers, plans: program.plans };
  }
}

export class Generation {
  readonly id: number;
  readonly sha256: string;
  readonly program: Program;
  readonly matcher: Matcher;
  routes: readonly CompiledRoute[] = [];
  /** Whether some route answers CORS preflights itself. */
  answersPreflights = false;
  /**
   * Request fields that its policies set or take away, with `-` for `_`; and, as they are, those with `_` by which clients
   * send something to a policy.
   */
  readonly written: ReadonlySet<string>;
  /** Query parameters that carry credentials: records leave them out. */
  readonly secretParams: readonly string[];
  /**
   * What rewritten paths are held to: a dot segment that a variable brings would lead to another path than the one that the
   * route names.
   */
  readonly rewriteRules: NormalizeEntry;
  /** Slot of requests that matched no route. */
  readonly unmatched: number;
  inFlight = 0;
  /** Another one is live. */
  retired = false;
  readonly #instances: PolicyInstances;
  readonly #held: Shared[];
  readonly #steps: readonly ChainStep[];
  readonly #slots: readonly number[];
  readonly #logger: Logger;
  /** By route: its own reply. */
  #replies: readonly ((() => Reply) | undefined)[] = [];
  #finished = false;

  /** Opens the trie, creates the policies, reads the rewrites. Throws when any is impossible; then nothing is held. */
  constructor(input: GenerationInput, instances: PolicyInstances, logger: Logger) {
    this.id = input.id;
    this.sha256 = input.sha256;
    this.program = input.program;
    this.rewriteRules = { ...input.program.normalize, dotSegments: 'refuse' };
    this.matcher = new Matcher(Trie.open(input.trie));
    if (this.matcher.trie.routeCount > input.program.routes.length)
      throw new Error('The trie and the program of the bundle do not belong together.');
    this.unmatched = input.stats.unmatched;
    this.#slots = input.stats.routes;
    this.#instances = instances;
    this.#logger = logger;
    const { steps, held } = instances.acquire(input.program);
    this.#steps = steps;
    this.written = writtenBy(steps.map(({ instance }) => instance));
    this.secretParams = [...new Set(steps.flatMap(({ instance }) => instance.secretParams ?? []))];
    this.#held = held;
    this.#compileChains();
  }

  readonly #chains = new Map<string, Chain>();
  /** By the part of the rewrite that it stands in. */
  readonly #variables = new Map<object, Template>();

  #compileChains(): void {
    try {
      for (const route of this.program.routes) {
        this.#chainOf(route);
        if (route.rewrite !== undefined) this.#readRewrite(route.rewrite);
        if (route.rewriteQuery !== undefined) this.#readRewrite(route.rewriteQuery);
      }
      this.#replies = this.program.routes.map(({ reply, policies }) =>
        reply === undefined ? undefined : prepare(reply, policies.length === 0),
      );
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
        this.#logger,
      );
      this.#chains.set(key, chain);
    }
    return chain;
  }

  /** Ties routes to services: the last step before it may serve, and one that cannot fail. */
  connect(services: readonly Service[]): void {
    this.routes = this.program.routes.map((entry, index) => ({
      entry,
      chain: this.#chainOf(entry),
      service: services[entry.service],
      reply: this.#replies[index],
      slot: this.#slots[index] ?? this.unmatched,
    }));
    this.answersPreflights = this.routes.some(({ chain }) => chain.answersPreflight);
  }

  /** Throws for a variable that nobody knows: no request may be the first to find out. */
  #readRewrite(rewrite: TemplateEntry): void {
    for (const part of rewrite) if (typeof part !== 'string') this.#variables.set(part, new Template([part]));
  }

  /** One variable of a route's rewrite, as text. */
  render(part: { readonly var: string }, exchange: Exchange): string {
    return this.#variables.get(part)!.render(exchange);
  }

  /** Its last exchange is over: policies that no later generation holds are closed. Idempotent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#instances.release(this.#held);
  }

  /** Another generation took over. */
  retire(): void {
    this.retired = true;
    if (this.inFlight === 0) this.finish();
  }
}

/** As `Generation.written` says. */
function writtenBy(instances: readonly PolicyInstance[]): Set<string> {
  const names = new Set(instances.flatMap(({ requestFields = [] }) => requestFields.map((name) => name.toLowerCase())));
  const written = new Set([...names].map(hyphenated));
  for (const name of instances.flatMap(({ clientFields = [] }) => clientFields.map((field) => field.toLowerCase()))) {
    if (name.includes('_') && !names.has(hyphenated(name))) written.add(name);
  }
  return written;
}

const hyphenated = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/** Makes a route's own reply; one for all where no policy can edit it. The body's bytes are made once. */
function prepare(entry: ReplyEntry, constant: boolean): () => Reply {
  const fields = Object.entries(entry.headers);
  // A field that is gw's own to write goes the long way, on which it is left out.
  if (constant && entry.head !== undefined && !fields.some(([name]) => isOwnFraming(name.toLowerCase()))) {
    const reply = new ConstantReply(entry, entry.head);
    return () => reply;
  }
  const body = Buffer.from(entry.body);
  return () => new BytesReply(entry.status, { headers: new HeaderMap(fields), body });
}
