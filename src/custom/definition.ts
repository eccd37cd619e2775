/** What a module of a custom policy or action exports by default. Types only. */
import type { Json, Phase, PolicyBody, ReplyPhase } from '../bundle/types.js';
import type {
  ActionHost,
  ActionInstance,
  CallTarget,
  ConfigPath,
  DeclaredProblem,
  DutyHost,
  DutyInstance,
  PolicyContext,
  PolicyHost,
  PolicyInstance,
  PolicyPath,
  PolicyProblem,
  PolicyTraits,
  RequestFact,
} from '../contract/index.js';
import type { Schema } from '../schema/declare.js';

/** A finding of lint(). Its code is `custom/check`. */
export type CustomProblem = Omit<PolicyProblem, 'code'>;

/** Work that the control thread does once for all workers, in a thread of its own. */
export interface CustomDuty<Config, Settings extends Json> {
  /** Milliseconds that a load waits for the first run. Default: 5000. */
  readonly wait?: number;
  /** Whether a load is rejected if the first run fails. Default: true. */
  readonly required?: boolean;
  /** Whether this config needs the duty. Default: every one. */
  needed?(config: Config): boolean;
  create(settings: Settings, host: DutyHost): DutyInstance;
}

/** What policies and actions define alike. `Settings` is what compile() returns; without compile(), it is the config. */
export interface CommonDefinition<Config, Settings extends Json> {
  /** One line, no full stop. */
  readonly summary: string;
  /** The keys of the policy in the spec. Default: none. */
  readonly schema?: Schema<Config>;
  /** Every error that it answers with. */
  readonly problems?: readonly DeclaredProblem[];
  /** The services that it calls. */
  calls?(config: Config): readonly CallTarget[];
  /**
   * The facts of requests on which replies can depend through it: a cache in front of it must have them in its key. Default:
   * anything, so that it cannot be behind a cache.
   */
  requestFacts?(config: Config): readonly RequestFact[];
  /** Reports what is wrong with a config that the schema accepts. */
  lint?(config: Config, context: PolicyContext, report: (problem: CustomProblem) => void): void;
  /**
   * Prepares the config for the run part. Pure, but for context.readFile(). The result is plain JSON; undefined: no effect with this config.
   */
  compile?(config: Config, context: PolicyContext): Settings | undefined;
}

export interface PolicyDefinition<Config = unknown, Settings extends Json = Json>
  extends CommonDefinition<Config, Settings> {
  readonly phase: Phase;
  /** Where the reply hooks run, if not at the policy's place in the chain. */
  readonly replyPhase?: ReplyPhase;
  /** What identifies its state besides its name, so that other edits keep it. Default: its settings. */
  stateKey?(config: Config): Json;
  /** What lint rules need to know: a policy that authenticates says so here. */
  traits?(config: Config): PolicyTraits;
  /** The bodies that it collects, and their bounds. Without it, onRequestBody and onReplyBody are not called. */
  body?(config: Config): PolicyBody | undefined;
  /** Whether it has no effect on requests, so that its `when` may read the reply. */
  replyOnly?(config: Config): boolean;
  /** Whether its instances have authenticate(), so that `any-of` can compose it. Default: false. */
  readonly authenticator?: boolean;
  /** The policies that it composes, by name. */
  members?(config: Config): readonly { readonly name: string; readonly at: ConfigPath }[];
  /** The requests that answer() answers: each becomes a route of its own. */
  paths?(config: Config): readonly PolicyPath[];
  readonly duty?: CustomDuty<Config, Settings>;
  create(settings: Settings, host: PolicyHost): PolicyInstance;
}

export interface ActionDefinition<Config = unknown, Settings extends Json = Json>
  extends CommonDefinition<Config, Settings> {
  /** For `gw explain`, `gw routes` and the dashboard. Default: the summary. */
  describe?(config: Config): string;
  /** The service that host.forward() sends requests to. */
  service?(config: Config): { readonly name: string; readonly at: ConfigPath } | undefined;
  create(settings: Settings, host: ActionHost): ActionInstance;
}

/** Marks a definition. Registered, since several copies of gw may meet: the one of the project, and the one that runs. */
export const KIND: unique symbol = Symbol.for('gw.definition');

export interface DefinedPolicy extends PolicyDefinition {
  readonly [KIND]: 'policy';
}

export interface DefinedAction extends ActionDefinition {
  readonly [KIND]: 'action';
}

export type Definition = DefinedPolicy | DefinedAction;
