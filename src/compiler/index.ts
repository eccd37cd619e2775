/** The compiler: model -> IR -> passes -> bundle. */
import { Trie } from '../bundle/trie/trie.js';
import type { Bundle } from '../bundle/types.js';
import type { Model } from '../spec/model.js';
import { emit } from './emit.js';
import type { Pass, PassStats } from './ir.js';
import { lower } from './lower/index.js';
import { dropDeadRoutes } from './passes/drop-dead-routes.js';
import { dropIdlePolicies } from './passes/drop-idle-policies.js';
import { orderConditions } from './passes/order-conditions.js';
import { shareSettings } from './passes/share-settings.js';

export type { PassStats } from './ir.js';

export interface CompileOptions {
  /** Puts the trie into a SharedArrayBuffer, for worker threads. */
  readonly shared?: boolean;
  /** Puts the consumers of files into the bundle. Default: a gateway reads the files. */
  readonly includeConsumers?: boolean;
}

/** What `gw compile --stats` prints. Times in milliseconds. */
export interface CompileStats {
  readonly routes: number;
  readonly services: number;
  readonly policies: number;
  readonly trieNodes: number;
  /** Number of segments of the longest route, without its tail. */
  readonly trieDepth: number;
  readonly trieBytes: number;
  readonly programBytes: number;
  /** In execution order. */
  readonly passes: readonly PassStats[];
  readonly times: { readonly lower: number; readonly passes: number; readonly emit: number };
}

/** Idle policies are dropped first, because they would prevent sharing settings. */
const PASSES: readonly Pass[] = [dropDeadRoutes, dropIdlePolicies, orderConditions, shareSettings];

/**
 * Compiles a model without errors. Pure and deterministic: the same model gives the same bytes; the order of routes in the
 * files has no effect on matching.
 */
export function compile(model: Model, options: CompileOptions = {}): { bundle: Bundle; stats: CompileStats } {
  const start = performance.now();
  let ir = lower(model, options.includeConsumers);
  const lowered = performance.now();
  const passes: PassStats[] = [];
  for (const pass of PASSES) {
    const result = pass(ir);
    ir = result.ir;
    passes.push(result.stats);
  }
  const optimised = performance.now();
  const { bundle, programBytes } = emit(ir, options.shared ?? false);
  const emitted = performance.now();
  const trie = Trie.open(bundle.trie, { verified: true });
  const stats: CompileStats = {
    routes: bundle.program.routes.length,
    services: bundle.program.services.length,
    policies: bundle.program.policies.length,
    trieNodes: trie.nodeCount,
    trieDepth: trie.depth,
    trieBytes: bundle.trie.byteLength,
    programBytes,
    passes,
    times: { lower: lowered - start, passes: optimised - lowered, emit: emitted - optimised },
  };
  return { bundle, stats };
}
