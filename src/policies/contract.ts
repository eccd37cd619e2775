/**
 * The contract between gw and a policy, for the folders here. A policy is one folder:
 *
 *     schema.ts   the config's declaration          } what the compiler reads:
 *     index.ts    the declaration, lint, compile    }   export default a PolicyDeclaration
 *     run.ts      what the data plane runs:             export const create: CreatePolicy
 *     duty.ts     what the control thread runs (optional): export const createDuty: CreateDuty
 *     README.md   reference for people
 *
 * run.ts imports nothing at run time but `../run-kit.js` and `../kits/`; so a data plane never loads a linter.
 */
export type {
  ConsumerEntry,
  CredentialEntry,
  CredentialKind,
  ExpressionEntry,
  Json,
  Phase,
  PlanEntry,
  RefString,
  ReplyPhase,
  RouteEntry,
  TemplateEntry,
} from '../bundle/types.js';
export type * from '../contract/index.js';
export type { ReadyField } from '../field-syntax.js';
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
