/**
 * What a custom policy or action imports: `import { definePolicy, problem, s } from 'gw/policy'`.
 *
 * In a worker of the data plane, `s` is inert and the rest is the same: see runtime.ts.
 */
export type {
  ConsumerEntry,
  CredentialEntry,
  CredentialKind,
  ExpressionEntry,
  Json,
  Phase,
  PlanEntry,
  PolicyBody,
  PolicyDuty,
  ReplyPhase,
  RouteEntry,
} from '../bundle/types.js';
export type * from '../contract/index.js';
export { isToken as isFieldName } from '../field-syntax.js';
export * from '../policies/run-kit/fields.js';
export * from '../policies/run-kit/queries.js';
export {
  authProblem,
  BytesReply,
  ConstantReply,
  type Problem,
  problem,
  problemType,
  statusText,
} from '../policies/run-kit/replies.js';
export { type Infer, Schema, s } from '../schema/declare.js';
export type { Clock } from '../state/clock.js';
export type {
  Content,
  ContentFacts,
  ContentNames,
  ContentOptions,
  ContentSelector,
  ContentStore,
  ContentWriter,
} from '../state/content/types.js';
export type { Outcome, OutcomeAnswer, OutcomeClaim, OutcomeStore } from '../state/outcomes/types.js';
export type {
  CacheStore,
  ConsumerLookup,
  CredentialWork,
  FoundCredential,
  Hold,
  HoldStore,
  LimitAnswer,
  Limiter,
  LimitRate,
  LimitStore,
  ReplayStore,
  Use,
} from '../state/types.js';
export { defineAction, definePolicy } from './define.js';
export type {
  ActionDefinition,
  CustomDuty,
  CustomProblem,
  DefinedAction,
  DefinedPolicy,
  PolicyDefinition,
} from './definition.js';
