/** What a gateway runs, and where it comes from. */
import { resolve } from 'node:path';
import type { Bundle } from '../../bundle/types.js';
import type { Model } from '../../spec/model.js';

/** What a gateway runs. */
export type Source =
  | { readonly kind: 'spec'; readonly path: string; readonly overlays: readonly string[] }
  | { readonly kind: 'bundle'; readonly path: string; readonly publicKey?: string }
  | { readonly kind: 'model'; readonly model: Model }
  | { readonly kind: 'loaded'; readonly bundle: Bundle; readonly root: string };

export interface SourceOptions {
  /** What to run. Exactly one of: the path of a spec, a bundle (path or in memory), a model. */
  readonly spec?: string;
  readonly bundle?: string | Bundle;
  readonly model?: Model;
  /** Overlays of `spec`; later ones override earlier ones. */
  readonly overlays?: readonly string[];
  /** PEM of the ed25519 key that must have signed the bundle. */
  readonly publicKey?: string;
  /** Base folder of relative paths in a bundle in memory. Default: the working directory. */
  readonly root?: string;
}

/** Throws TypeError unless exactly one source is given. */
export function sourceOf(options: SourceOptions): Source {
  const { spec, bundle, model, publicKey } = options;
  if ([spec, bundle, model].filter((one) => one !== undefined).length !== 1) {
    throw new TypeError('A gateway needs exactly one of `spec`, `bundle` and `model`.');
  }
  if (spec !== undefined) return { kind: 'spec', path: spec, overlays: options.overlays ?? [] };
  if (model) return { kind: 'model', model };
  if (typeof bundle === 'string') {
    return { kind: 'bundle', path: bundle, ...(publicKey === undefined ? {} : { publicKey }) };
  }
  if (!bundle) throw new TypeError('A gateway needs exactly one of `spec`, `bundle` and `model`.');
  return { kind: 'loaded', bundle, root: options.root ?? process.cwd() };
}

/** The absolute path of a source; `-` for one that does not come from a file. */
export function nameOfSource(source: Source): string {
  if (source.kind === 'loaded') return '-';
  if (source.kind === 'model') return source.model.files[0]?.absolute ?? '-';
  return resolve(source.path);
}
