/** Where consumers are declared: in the spec, or in files of consumers. */
import { basename, dirname, join, resolve } from 'node:path';
import type { ConsumerEntry } from '../../bundle/types.js';
import { hasWildcard } from '../../spec/glob.js';
import { isLines } from '../../spec/stored/patterns.js';

export interface PlacedConsumer {
  readonly entry: ConsumerEntry;
  /** Absolute path of its file; undefined: it is in a bundle, which cannot be edited. */
  readonly file: string | undefined;
}

/** All consumers, wherever they are. */
export interface ConsumerPlaces {
  find(name: string): PlacedConsumer | undefined;
  all(): Iterable<PlacedConsumer>;
  hasPlan(name: string): boolean;
  /** The folder that `patterns` are relative to. */
  readonly root: string;
  /** Of `consumers`. */
  readonly patterns: readonly string[];
  /** Absolute paths of the files that they match, sorted. */
  readonly files: readonly string[];
  /** The file that gets a consumer if there are no patterns; undefined: none. */
  readonly spec: string | undefined;
  /** There are errors, so a consumer may be missing here. */
  readonly incomplete: boolean;
}

/**
 * The file for a new consumer: the last file of JSON lines that `consumers` matches; else a path that it names; else
 * NAME.toml in the place of its `*`; without `consumers`, the spec. Undefined: none fits.
 */
export function fileForNew(name: string, { patterns, files, root, spec }: ConsumerPlaces): string | undefined {
  if (patterns.length === 0) return spec;
  const lines = files.filter(isLines).at(-1);
  if (lines !== undefined) return lines;
  const plain = patterns.find((pattern) => !hasWildcard(pattern));
  if (plain !== undefined) return resolve(root, plain);
  for (const pattern of patterns) {
    const folder = join(dirname(pattern).replace(/(^|\/)\*\*(?=\/|$)/g, ''), '.');
    // A name is free of characters with a meaning in paths, but may be one that the pattern does not match.
    const [before, after, ...more] = basename(pattern).split('*');
    if (hasWildcard(folder) || more.length > 0 || before === undefined || after === undefined) continue;
    if (!hasWildcard(before + after)) return resolve(root, folder, `${before}${name}${after}`);
  }
  return undefined;
}
