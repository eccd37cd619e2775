/** Everything that a policy or an action may use, so that a chain can run offline, on a virtual clock. */
import type { ExpressionEntry, Json, PlanEntry } from '../bundle/types.js';
import type { Clock } from '../state/clock.js';
import type { ContentOptions, ContentStore } from '../state/content/types.js';
import type { OutcomeStore } from '../state/outcomes/types.js';
import type { CacheStore, ConsumerLookup, HoldStore, LimitStore, ReplayStore } from '../state/types.js';
import type { CallReply, CallRequest, StreamedReply, SubRequest } from './call.js';
import type { Exchange, Reply } from './exchange.js';
import type { PolicyInstance } from './policy.js';

export interface Logger {
  debug(message: string, fields?: { readonly [key: string]: unknown }): void;
  info(message: string, fields?: { readonly [key: string]: unknown }): void;
  warn(message: string, fields?: { readonly [key: string]: unknown }): void;
  error(message: string, fields?: { readonly [key: string]: unknown }): void;
}

/** A condition of a config (`s.expression()`), ready to run. */
export interface Condition {
  /** As written in the spec. */
  readonly source: string;
  /** Throws ExpressionError if it cannot be evaluated for this exchange. `reply`: needed if it reads the reply. */
  holds(exchange: Exchange, reply?: Reply): boolean;
}

export interface PolicyHost {
  /** Name in the spec, or `<route>/<use>`. */
  readonly name: string;
  /** Of the instance: name and settings. */
  readonly identity: string;
  /** Of its state: chosen by the declaration; by default the same as `identity`. */
  readonly stateIdentity: string;
  readonly clock: Clock;
  /** From 0 up to 1. */
  random(): number;
  readonly logger: Logger;
  /** Runs `work` once after `ms` milliseconds; the only timer. Returns the function that cancels it. */
  after(ms: number, work: () => void): () => void;

  readonly limits: LimitStore;
  readonly cache: CacheStore;
  /**
   * The same, in a memory of its own, for what a check depends on: sessions that are valid. To be written only for callers whose
   * credential is valid: what strangers cause is in `cache`, and cannot push out what is here.
   */
  readonly marks: CacheStore;
  readonly holds: HoldStore;
  /** Values that may be used once, by the name of the policy: an edit of its config forgets none. */
  readonly replays: ReplayStore;
  /** Contents with bodies, such as whole replies. To be called when the policy is created; one store for each policy. */
  content<Data = Json>(options: ContentOptions): ContentStore<Data>;
  /**
   * The same, in a memory of its own, for contents that must stay until they expire: if there is no room, further ones are not
   * admitted. `maxEntry`: largest body in bytes. With `disk`, they are on disk, in a part that other contents do not take, and in the
   * memory of all contents. A key is put once.
   */
  kept<Data = Json>(maxEntry: number, options?: { readonly disk?: boolean }): ContentStore<Data>;
  /** What became of work that is done at most once for each key, by the name of the policy: an edit of its config forgets none. */
  readonly outcomes: OutcomeStore;
  /**
   * The same, with records that survive a restart. To be called when the policy is created. Throws an Error, which refuses the load, if
   * gw has no folder for them.
   */
  outcomesOnDisk(): OutcomeStore;
  readonly consumers: ConsumerLookup;
  readonly plans: readonly PlanEntry[];

  /** Sends a request through gw's own pools and collects the reply. `service` is one that the declaration's calls() names. */
  call(service: string, request: CallRequest): Promise<CallReply>;
  /** The same; the reply's body is a stream. */
  callStream(service: string, request: CallRequest): Promise<StreamedReply>;
  /**
   * Runs a further request through match and chain, as if the client of `exchange` had sent it to the same listener. Resolves with
   * its reply, also if that is an error. It ends with `exchange` and has its deadline. Rejects with a CallFailure beyond 32
   * requests of one exchange or 4 levels, and with a TypeError for a request that cannot be sent.
   */
  subrequest(exchange: Exchange, request: SubRequest): Promise<StreamedReply>;
  /**
   * Continues a copy of `exchange` in the background: the same request runs through the steps after this policy and the action,
   * and the reply, as this policy's after() would see it, is the result. The copy has no client, the time of the route's `timeout`,
   * and takes part in a drain. Rejects with a CallFailure if 64 run in this worker, with a TypeError for a request with a body.
   */
  background(exchange: Exchange): Promise<StreamedReply>;
  /** Asks the policy's duty. Equal questions at the same time are asked once. Rejects if the duty fails or is too slow. */
  ask(question: Json): Promise<Json>;
  /**
   * Single flight across workers: while one worker runs `work` for `key`, the others wait for its result. The lease ends
   * after `leaseMs`, so a dead worker blocks no other.
   */
  once<T extends Json>(key: string, leaseMs: number, work: () => Promise<T>): Promise<T>;
  /** Prepares a condition of the config, at load. Throws TypeError if it is malformed. */
  condition(expression: ExpressionEntry): Condition;
  /** The instance of a policy that the declaration's members() names. */
  member(name: string): PolicyInstance;
}

/** Creates a policy at load. Throws to refuse the load. */
export type CreatePolicy<Settings extends Json = Json> = (settings: Settings, host: PolicyHost) => PolicyInstance;
