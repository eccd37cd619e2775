/** The intermediate representation between model and bundle, on which the passes work. */
import type {
  Dfa,
  ExpressionEntry,
  Json,
  MatchIR,
  Phase,
  PolicyBody,
  PolicyDuty,
  Program,
  ReplyPhase,
  RouteEntry,
  SourceRef,
} from '../bundle/types.js';
import type { CustomCode } from '../policies/contract.js';

export interface PolicyIR {
  readonly use: string;
  readonly name: string;
  readonly phase: Phase;
  /** It comes before the other policies of its phase. */
  readonly first: boolean;
  readonly replyPhase: ReplyPhase | undefined;
  /** Names of the services that it calls. */
  readonly calls: readonly string[];
  /** Of a custom policy. */
  readonly code?: CustomCode | undefined;
  readonly duty: PolicyDuty | undefined;
  /** The bodies that it collects. */
  readonly body: PolicyBody | undefined;
  /** The policies that it composes. */
  readonly members: readonly PolicyIR[];
  /** Undefined: the policy has no effect with its config. */
  readonly settings: Json | undefined;
  /** What identifies its state besides use and name; undefined: all that identifies the policy. */
  readonly stateKey: Json | undefined;
  /** Undefined: it takes part in every exchange. */
  readonly when: ExpressionEntry | undefined;
  readonly config: { readonly [key: string]: Json };
  /** Called only if the policy is emitted into the bundle. */
  origins(): { readonly [key: string]: SourceRef };
  /** Written in place and without state: equal ones may be merged. */
  readonly mergeable: boolean;
}

/** As in the trie, but with all hosts together. */
export type RouteMatchIR = Omit<MatchIR, 'route' | 'host'> & {
  /** Empty: any host. */
  readonly hosts: readonly string[];
};

export interface RouteIR {
  /** Without policies; their indices are assigned when the bundle is emitted. */
  readonly entry: RouteEntry;
  readonly match: RouteMatchIR;
  /** Of a custom action. */
  readonly code?: CustomCode | undefined;
  /** In the order they run. */
  readonly policies: readonly PolicyIR[];
  /** The policy that answers, for a path of its own. */
  readonly answers?: PolicyIR;
}

export interface Ir {
  readonly program: Omit<Program, 'routes' | 'policies'>;
  /** Each once. */
  readonly dfas: readonly Dfa[];
  readonly routes: readonly RouteIR[];
  /** The policies that sign calls to services; routes may have them too. */
  readonly signers: readonly PolicyIR[];
}

/** Result of a pass: a line of `gw compile --stats`. */
export interface PassStats {
  readonly pass: string;
  /** Number of changed or dropped items. */
  readonly changed: number;
  /** `dropped 2 routes that can never match`. */
  readonly summary: string;
  /** Names of the items, if useful; at most MAX_NAMES. */
  readonly names: readonly string[];
}

export interface PassResult {
  readonly ir: Ir;
  readonly stats: PassStats;
}

/** Pure: returns a new IR and does not change the old one. */
export type Pass = (ir: Ir) => PassResult;

const MAX_NAMES = 20;

/** The stats of a pass. */
export function passStats(pass: string, changed: number, summary: string, names: readonly string[] = []): PassStats {
  return { pass, changed, summary, names: names.slice(0, MAX_NAMES) };
}

/** An object with the key only if there is a value, because entries contain no undefined. */
export function given<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}
