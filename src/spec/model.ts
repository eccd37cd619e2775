/** The model: the spec with names resolved and defaults explicit. What lint judges and the compiler lowers. */
import type { ConditionTest, Dfa } from '../bundle/types.js';
import type { PolicyDeclaration } from '../policies/contract.js';
import type { Origins } from '../schema/decoder.js';
import type { Span } from '../schema/diagnostic.js';
import type {
  AccessLogConfig,
  AdminConfig,
  ConsumerConfig,
  LintConfig,
  ListenerConfig,
  NormalizeConfig,
  OverloadConfig,
  PlanConfig,
  ServiceConfig,
} from './entities.js';
import type { ReplyConfig } from './route/entities.js';

export interface SourceFile {
  /** Relative to the root spec's folder; what spans name. */
  readonly path: string;
  readonly absolute: string;
  readonly text: string;
  readonly sha256: string;
}

/** A thing with a name in the spec. `at` says where each of its values stands: `service.at.spanOf('targets', 1)`. */
export interface Entity<Config> {
  readonly name: string;
  /** The name where it is declared. */
  readonly nameSpan: Span;
  /** The whole declaration. */
  readonly span: Span;
  readonly config: Config;
  readonly at: Origins;
}

export type ListenerModel = Entity<ListenerConfig>;
export type ServiceModel = Entity<ServiceConfig>;
export type PlanModel = Entity<PlanConfig>;
export interface ConsumerModel extends Entity<ConsumerConfig> {
  /** Resolved; undefined when none is named (an unknown name is an error already). */
  readonly plan: PlanModel | undefined;
}

export interface PolicyModel extends Entity<unknown> {
  readonly declaration: PolicyDeclaration;
  /** False: under `[policy.NAME]`. True: written in a route or group, and named `<route or group>/<use>`. */
  readonly inPlace: boolean;
}

/** A policy on a route. Those of `[defaults]` come first, then those of groups, outermost group first, then the route's own. */
export interface PolicyUse {
  readonly policy: PolicyModel;
  /** Where it is named (or written) on the route or group. */
  readonly span: Span;
  readonly from: 'spec' | 'group' | 'defaults';
}

export type SegmentModel =
  | { readonly kind: 'literal'; readonly text: string; readonly span: Span }
  /** `type` as written: `int`, `uuid`, or a pattern. */
  | { readonly kind: 'typed'; readonly name: string; readonly type: string; readonly dfa: Dfa; readonly span: Span }
  | { readonly kind: 'param'; readonly name: string; readonly span: Span }
  | { readonly kind: 'tail'; readonly name: string; readonly span: Span };

/** As in the bundle, but a pattern carries its automaton. */
export type TestModel = Exclude<ConditionTest, { op: 'matches' }> | { readonly op: 'matches'; readonly dfa: Dfa };

export interface ConditionModel {
  readonly on: 'header' | 'query';
  /** Header names in lower case. */
  readonly name: string;
  readonly test: TestModel;
  readonly span: Span;
}

export interface MatchModel {
  /** As people write it, prefix of the groups included: `GET /api/orders/{id:int}`. */
  readonly text: string;
  readonly span: Span;
  /** Lower case: exact or `*.` wildcard, each once; none: any host. */
  readonly hosts: readonly string[];
  readonly segments: readonly SegmentModel[];
  readonly methods: readonly string[];
  readonly conditions: readonly ConditionModel[];
}

export interface RouteModel {
  readonly name: string;
  readonly nameSpan: Span;
  readonly span: Span;
  readonly match: MatchModel;
  /** One of these two. */
  readonly service: ServiceModel | undefined;
  readonly reply: ReplyConfig | undefined;
  readonly policies: readonly PolicyUse[];
  /** Policies of `[defaults]` or groups that the route, or a group around it, takes away. */
  readonly without: readonly PolicyModel[];
  /** Those that serve it; none: every listener. */
  readonly listeners: readonly ListenerModel[];
  readonly rewrite: string | undefined;
  readonly stripPrefix: string | undefined;
  readonly timeout: number;
  readonly maxBody: number | undefined;
  readonly at: Origins;
  /** Names of the groups around it, outermost first. */
  readonly groups: readonly string[];
}

export interface Model {
  readonly files: readonly SourceFile[];
  /** The folder of the root spec; paths in the spec are relative to it. */
  readonly root: string;
  readonly listeners: readonly ListenerModel[];
  readonly services: readonly ServiceModel[];
  readonly consumers: readonly ConsumerModel[];
  readonly plans: readonly PlanModel[];
  /** Those under `[policy.NAME]`; in-place ones hang on the routes alone. */
  readonly policies: readonly PolicyModel[];
  /** In document order; the order decides nothing. */
  readonly routes: readonly RouteModel[];
  readonly normalize: NormalizeConfig;
  readonly admin: AdminConfig;
  readonly accessLog: AccessLogConfig;
  readonly overload: OverloadConfig;
  readonly drainTimeout: number;
  readonly drainDelay: number;
  readonly workers: number;
  readonly lint: LintConfig;
  /** Origins of the settings that are not entities: `normalize.trailing_slash`, `admin.address`, `lint.allow.0`. */
  readonly at: Origins;
}
