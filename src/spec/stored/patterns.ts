/** The files that `consumers` names. */
import { relative, resolve, sep } from 'node:path';
import type { Diagnostic } from '../../schema/diagnostic.js';
import { shown } from '../../schema/scalars.js';
import { expandGlob, hasWildcard } from '../glob.js';
import type { StoredPattern } from './change.js';

/** A file to read. */
export interface StoredPath {
  /** As in spans: relative to the root. */
  readonly path: string;
  readonly absolute: string;
  readonly named: StoredPattern;
}

/** JSON lines by their ending; every other file is TOML. */
export const isLines = (path: string): boolean => /\.(jsonl|ndjson)$/i.test(path);

const MOST_FILES = 5000;

/** The files of all patterns, each once. */
export function storedPaths(
  patterns: readonly StoredPattern[],
  root: string,
  report: (diagnostic: Diagnostic) => void,
): StoredPath[] {
  const found = new Map<string, StoredPath>();
  for (const named of patterns) {
    const { pattern, span } = named;
    const wild = hasWildcard(pattern);
    const { paths, whole } = wild ? expandGlob(pattern, root) : { paths: [resolve(root, pattern)], whole: true };
    if (!whole || found.size + paths.length > MOST_FILES) {
      report({
        code: 'include/too-many',
        severity: 'error',
        span,
        message: `\`${shown(pattern)}\` matches too many folders or files.`,
        help: 'Begin the pattern with the folder of the consumers, such as `consumers/*.toml`.',
      });
      continue;
    }
    if (paths.length === 0) {
      report({
        code: 'include/nothing',
        severity: 'warning',
        span,
        message: `No file matches \`${shown(pattern)}\`, so it declares no consumers.`,
        help: 'Check the pattern. It is relative to the root spec. `gw keys new NAME --create` writes a first file.',
      });
    }
    for (const absolute of paths) {
      if (found.has(absolute)) continue;
      found.set(absolute, { path: relative(root, absolute).split(sep).join('/'), absolute, named });
    }
  }
  return [...found.values()];
}
