/** The model: the spec with names resolved and defaults explicit; input of lint and compiler. */
import type { ConditionTest, ConsumerEntry, Dfa, Phase, RefString } from '../bundle/types.js';
import type { ActionDeclaration, PolicyDeclaration, PolicyFile } from '../policies/contract.js';
import type { CheckedExpression, ConfigPath, Origins } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import type { AcmeConfig } from './acme.js';
import type { ConsumerConfig } from './consumer.js';
import type { CredentialModel } from './credentials.js';
import type {
  AccessLogConfig,
  AdminConfig,
  AuthenticationConfig,
  LintConfig,
  NormalizeConfig,
  OverloadConfig,
  PlanConfig,
} from './entities.js';
import type { ListenerConfig } from './listener.js';
import type { ServiceConfig } from './service/index.js';
import type { StateConfig } from './state-section.js';
import type { VaultConfig } from './vault.js';
import type { WebSocketConfig } from './websocket.js';

export interface SourceFile {
  /** Relative to the folder of the root spec; used in spans. */
  readonly path: string;
  readonly absolute: string;
  readonly text: string;
  readonly sha256: string;
}

/** A file that the config of a policy names. */
export interface NamedFile {
  /** Relative to the folder of the root spec. */
  readonly path: string;
  readonly sha256: string;
}

/** Reads files that the configs of policies name. */
export interface PolicyFileReader {
  /** The files that were read so far, sorted by path. */
  readonly files: readonly NamedFile[];
  /** The text of a file, at most 10 MiB of UTF-8. `path`: absolute, or relative to the root. Never throws. */
  read(path: string): PolicyFile;
  /** The span of a part of a file that was read; undefined if it could not be read. Then the file is among `located`. */
  spanOf(path: string, start: number, end: number): Span | undefined;
  /** The files that spans point to. */
  readonly located: readonly SourceFile[];
}

/** A named part of the spec. `at` locates each of its values: `service.at.spanOf('targets', 1)`. */
export interface Entity<Config> {
  readonly name: string;
  /** Span of the name in the declaration. */
  readonly nameSpan: Span;
  /** Span of the whole declaration. */
  readonly span: Span;
  readonly config: Config;
  readonly at: Origins;
}

export type ListenerModel = Entity<ListenerConfig>;
export interface ServiceModel extends Entity<ServiceConfig> {
  /** Not declared: a policy or an action calls its URL, which is its name. */
  readonly implicit?: true;
}
export type PlanModel = Entity<PlanConfig>;
export interface ConsumerModel extends Entity<ConsumerConfig> {
  /** Undefined if the consumer has no plan. */
  readonly plan: PlanModel | undefined;
  /** Those of `api_keys` first. */
  readonly credentials: readonly CredentialModel[];
}

/** The condition of a policy. */
export interface WhenModel {
  readonly expression: CheckedExpression;
  /** Span of the string. */
  readonly span: Span;
  /** Span of a part of the expression, from one offset to another. */
  spanOf(start: number, end: number): Span;
}

/** A condition in the config of a policy. */
export interface ExpressionModel extends WhenModel {
  readonly path: ConfigPath;
}

export interface PolicyModel extends Entity<unknown> {
  readonly declaration: PolicyDeclaration;
  readonly phase: Phase;
  /** False: declared as `[policy.NAME]`. True: written in a route or group, and named `<route or group>/<use>`. */
  readonly inPlace: boolean;
  /** Undefined: the policy takes part in every exchange. */
  readonly when: WhenModel | undefined;
  /** The conditions in its config, in order. */
  readonly expressions: readonly ExpressionModel[];
}

/** A policy on a route. Order: `[defaults]`, groups from the outermost, the route itself, its service. */
export interface PolicyUse {
  readonly policy: PolicyModel;
  /** Span of the entry in `policies`. */
  readonly span: Span;
  readonly from: 'spec' | 'group' | 'defaults' | 'service';
}

export type SegmentModel =
  | { readonly kind: 'literal'; readonly text: string; readonly span: Span }
  /** `type` as written: `int`, `uuid`, or a pattern. */
  | { readonly kind: 'typed'; readonly name: string; readonly type: string; readonly dfa: Dfa; readonly span: Span }
  | { readonly kind: 'param'; readonly name: string; readonly span: Span }
  | { readonly kind: 'tail'; readonly name: string; readonly span: Span };

/** As in the bundle, but patterns include their automaton. */
export type TestModel = Exclude<ConditionTest, { op: 'matches' }> | { readonly op: 'matches'; readonly dfa: Dfa };

export interface ConditionModel {
  readonly on: 'scheme' | 'header' | 'query';
  /** Header names in lower case; '' for the scheme. */
  readonly name: string;
  readonly test: TestModel;
  readonly span: Span;
}

export interface MatchModel {
  /** As text, with the prefix of the groups: `GET /api/orders/{id:int}`. */
  readonly text: string;
  readonly span: Span;
  /** Lower case: exact or `*.` wildcard, each once. Empty: any host. */
  readonly hosts: readonly string[];
  readonly segments: readonly SegmentModel[];
  readonly methods: readonly string[];
  readonly conditions: readonly ConditionModel[];
}

/** What answers a route. */
export interface ActionModel {
  readonly declaration: ActionDeclaration;
  readonly config: unknown;
  /** Key of the route that holds the config. `at` of the route locates values: `route.at.spanOf(key, 'status')`. */
  readonly key: string;
}

export interface RouteModel {
  readonly name: string;
  readonly nameSpan: Span;
  readonly span: Span;
  readonly match: MatchModel;
  readonly action: ActionModel;
  /** The conditions in the config of the action, in order. */
  readonly expressions: readonly ExpressionModel[];
  /** Where the action forwards requests. */
  readonly service: ServiceModel | undefined;
  readonly policies: readonly PolicyUse[];
  /** Inherited policies that the route or an enclosing group removed. */
  readonly without: readonly PolicyModel[];
  /** Listeners that serve the route. Empty: every listener. */
  readonly listeners: readonly ListenerModel[];
  readonly rewrite: string | undefined;
  readonly stripPrefix: string | undefined;
  readonly timeout: number;
  readonly maxBody: number | undefined;
  readonly stream?: boolean | undefined;
  readonly streamIdleTimeout?: number | undefined;
  /** Absent: no limits of its own. */
  readonly webSocket?: WebSocketConfig | undefined;
  readonly at: Origins;
  /** Its own and those of its groups, each once. */
  readonly tags: readonly string[];
  /** Names of the enclosing groups, outermost first. */
  readonly groups: readonly string[];
  /** The policy that answers, for a path of its own. Absent: the spec writes the route. */
  readonly owner?: PolicyModel;
}

/** A request that a policy answers itself, as a route. */
export type PolicyRouteModel = RouteModel & Required<Pick<RouteModel, 'owner'>>;

/** The consumers of the files that `consumers` names. A bundle does not contain them. */
export interface StoredConsumers {
  readonly size: number;
  /** The files, by absolute path, sorted. */
  readonly paths: readonly string[];
  entries(): Iterable<ConsumerEntry>;
  get(name: string): ConsumerEntry | undefined;
  /** Absolute path of the file that declares a consumer. */
  pathOf(name: string): string | undefined;
  /** Where it does. Reads the file once more: for diagnostics. */
  placeOf(name: string): Span | undefined;
  /** The files that these diagnostics point to. */
  sourcesOf(diagnostics: readonly Diagnostic[]): readonly SourceFile[];
  /** The difference to what took effect before. */
  readonly change: { readonly set: readonly ConsumerEntry[]; readonly removed: readonly string[] };
  /** They take effect: the next read of the store compares with them. At most once, and not with errors. */
  commit(): void;
}

export interface Model {
  readonly files: readonly SourceFile[];
  /** The folder of the root spec; paths in the spec are relative to it. */
  readonly root: string;
  /** The files that configs of policies name. */
  readonly policyFiles: PolicyFileReader;
  readonly listeners: readonly ListenerModel[];
  /** The declared ones, then the implicit ones. */
  readonly services: readonly ServiceModel[];
  /** The services that policies and actions call, by their models; only those that call any. */
  readonly calls: ReadonlyMap<object, readonly ServiceModel[]>;
  /** The policies that services name; only those that name any. */
  readonly servicePolicies: ReadonlyMap<ServiceModel, readonly PolicyUse[]>;
  /** The policies that a policy composes. */
  readonly members: ReadonlyMap<PolicyModel, readonly PolicyModel[]>;
  readonly consumers: readonly ConsumerModel[];
  /** Patterns of `consumers`. */
  readonly consumerFiles: readonly string[];
  readonly stored: StoredConsumers;
  readonly plans: readonly PlanModel[];
  /** Those under `[policy.NAME]`; in-place ones hang on the routes alone. */
  readonly policies: readonly PolicyModel[];
  /** In document order; the order decides nothing. */
  readonly routes: readonly RouteModel[];
  /** For the paths that policies answer themselves; the spec does not write them. */
  readonly policyRoutes: readonly PolicyRouteModel[];
  readonly normalize: NormalizeConfig;
  readonly admin: AdminConfig;
  readonly accessLog: AccessLogConfig;
  readonly authentication: AuthenticationConfig;
  readonly overload: OverloadConfig;
  readonly state: StateConfig;
  /** Undefined: the spec has no `[vault]`. */
  readonly vault: VaultConfig | undefined;
  /** Undefined: the spec has no `[acme]`. */
  readonly acme: AcmeConfig | undefined;
  readonly drainTimeout: number;
  readonly drainDelay: number;
  readonly workers: number;
  /** Undefined: the spec does not say in which zone the gateway runs. */
  readonly zone: RefString | undefined;
  readonly lint: LintConfig;
  /** Origins of settings that are not entities: `normalize.trailing_slash`, `admin.address`, `lint.allow.0`. */
  readonly at: Origins;
}
