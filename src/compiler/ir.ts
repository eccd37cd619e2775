/** Between the model and the bundle: what the passes work on. */
import type { Dfa, Json, MatchIR, Phase, Program, ReplyPhase, RouteEntry, SourceRef } from '../bundle/types.js';

export interface PolicyIR {
  readonly use: string;
  readonly name: string;
  readonly phase: Phase;
  readonly replyPhase: ReplyPhase | undefined;
  /** Undefined: the policy cannot act with its config. */
  readonly settings: Json | undefined;
  readonly config: { readonly [key: string]: Json };
  /** Asked for only when the policy goes into the bundle. */
  origins(): { readonly [key: string]: SourceRef };
  /** Written in place and without state: equal ones may become one. */
  readonly mergeable: boolean;
}

/** As in the trie, but of all hosts together. */
export type RouteMatchIR = Omit<MatchIR, 'route' | 'host'> & {
  /** None: any host. */
  readonly hosts: readonly string[];
};

export interface RouteIR {
  /** Without its policies: indices are given when the bundle is emitted. */
  readonly entry: RouteEntry;
  readonly match: RouteMatchIR;
  /** In the order they run. */
  readonly policies: readonly PolicyIR[];
}

export interface Ir {
  readonly program: Omit<Program, 'routes' | 'policies'>;
  /** Each once. */
  readonly dfas: readonly Dfa[];
  readonly routes: readonly RouteIR[];
}

/** What a pass did: a line of `gw compile --stats`. */
export interface PassStats {
  readonly pass: string;
  /** Things changed or dropped. */
  readonly changed: number;
  /** `dropped 2 routes that can never match`. */
  readonly summary: string;
  /** Which ones, by name, where names say something; at most a few. */
  readonly names: readonly string[];
}

export interface PassResult {
  readonly ir: Ir;
  readonly stats: PassStats;
}

/** Pure: gives a new IR and leaves the old one alone. */
export type Pass = (ir: Ir) => PassResult;

const MAX_NAMES = 20;

/** The line of a pass; `summary` says it for the count. */
export function passStats(pass: string, changed: number, summary: string, names: readonly string[] = []): PassStats {
  return { pass, changed, summary, names: names.slice(0, MAX_NAMES) };
}

/** A key only where there is a value: an entry has no undefined in it. */
export function given<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}
