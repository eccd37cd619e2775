/** Messages between a thread that reads specs and the helper thread that runs the compile parts of custom code. */
import type { Json, Phase, PolicyBody, PolicyDuty, ReplyPhase } from '../bundle/types.js';
import type {
  CallTarget,
  ConfigPath,
  DeclaredProblem,
  PolicyContext,
  PolicyFile,
  PolicyPath,
  PolicyTraits,
  RequestFact,
} from '../contract/index.js';
import type { DecodedExpression, Origin } from '../schema/decoder.js';
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import type { TableNode } from '../schema/tree.js';
import type { CustomProblem } from './definition.js';
import type { CodePlace } from './evaluate.js';

export interface HelperSetup {
  readonly port: import('node:worker_threads').MessagePort;
  /** Two words: messages for the reader, messages for the helper. */
  readonly signal: SharedArrayBuffer;
}

export const TO_READER = 0;
export const TO_HELPER = 1;

/** Why custom code cannot be used. */
export interface CodeFault {
  readonly message: string;
  readonly place?: CodePlace | undefined;
}

/** What a module declares independent of a config. */
export type StaticFacts =
  | {
      readonly kind: 'policy';
      readonly summary: string;
      readonly phase: Phase;
      readonly replyPhase: ReplyPhase | undefined;
      /** Whether it has a stateKey(). */
      readonly keepsState: boolean;
      readonly authenticator: boolean;
    }
  | { readonly kind: 'action'; readonly summary: string };

/** What a module says about one config. */
export interface ConfigFacts {
  readonly calls: readonly CallTarget[];
  /** Undefined if the definition says nothing about them. */
  readonly requestFacts: readonly RequestFact[] | undefined;
  readonly traits: PolicyTraits;
  readonly body: PolicyBody | undefined;
  /** Null if the definition has none. */
  readonly stateKey: Json;
  readonly replyOnly: boolean;
  readonly members: readonly { readonly name: string; readonly at: ConfigPath }[];
  readonly paths: readonly PolicyPath[];
  readonly duty: PolicyDuty | undefined;
  readonly describe: string;
  readonly service: { readonly name: string; readonly at: ConfigPath } | undefined;
}

export interface Decoded {
  readonly diagnostics: readonly Diagnostic[];
  readonly records: readonly (readonly [path: ConfigPath, origin: Origin])[];
  readonly expressions: readonly DecodedExpression[];
  /** Undefined: not valid. */
  readonly valid: { readonly config: Json; readonly facts: ConfigFacts } | undefined;
}

export interface Checked {
  readonly problems: readonly CustomProblem[];
  /** Undefined: no effect with this config. */
  readonly settings: Json | undefined;
}

/** A request: about one module, which `load` has brought before. */
export type HelperRequest =
  | { readonly ask: 'load'; readonly sha256: string; readonly text: string; readonly use: string }
  | { readonly ask: 'decode'; readonly sha256: string; readonly node: TableNode; readonly keySpan: Span }
  | {
      readonly ask: 'check';
      readonly sha256: string;
      readonly config: Json;
      readonly name: string;
      readonly plans: PolicyContext['plans'];
      readonly routes: PolicyContext['routes'];
    };

export interface HelperResults {
  readonly load: { readonly facts: StaticFacts; readonly problems: readonly DeclaredProblem[] };
  readonly decode: Decoded;
  readonly check: Checked;
}

/** What the helper needs to answer. */
export type HelperNeed = { readonly file: string } | { readonly consumers: true };

export type FromHelper =
  | { readonly ready: true }
  /** The last message: the code has ended its thread. `id`: of the request that it was working on; 0 for none. */
  | { readonly ended: CodeFault; readonly id: number }
  | { readonly id: number; readonly need: HelperNeed }
  | { readonly id: number; readonly result: HelperResults[HelperRequest['ask']] }
  | { readonly id: number; readonly fault: CodeFault };

export type ToHelper =
  | { readonly id: number; readonly request: HelperRequest }
  | { readonly file: PolicyFile }
  | { readonly consumers: PolicyContext['consumers'] };
