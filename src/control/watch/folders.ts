/** The folders that `include` patterns match: files that are created there belong to the spec. */
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { statOf } from '../../spec/stat.js';

export interface WatchFolder {
  readonly path: string;
  /** 1: files right inside it; Infinity: at any depth. */
  readonly depth: number;
}

/** An `include` entry: a path or a pattern, relative to the folder of the file that holds it. */
export interface IncludePattern {
  readonly pattern: string;
  readonly base: string;
}

/**
 * The `include` entries of a spec file. Reads the text, not the tree: the includes of a file with a syntax error must stay
 * watched.
 */
export function includePatterns(file: string, text: string): IncludePattern[] {
  const base = dirname(file);
  return [...text.matchAll(INCLUDE)].flatMap((list) =>
    [...(list[1] ?? '').matchAll(/"([^"\n]*)"|'([^'\n]*)'|#.*/g)].flatMap(([whole, double, single]) =>
      whole.startsWith('#') ? [] : { pattern: double ?? single ?? '', base },
    ),
  );
}

/** The key, also in quotes, and its value: strings and comments may contain a `]`. */
const INCLUDE =
  /^[ \t]*(?:include|"include"|'include')[ \t]*=[ \t]*(\[(?:[^\]"'#]+|"[^"\n]*"|'[^'\n]*'|#.*)*\]?|"[^"\n]*"|'[^'\n]*')/gm;

/** The folders that these patterns match, each once. */
export function includeFolders(patterns: readonly IncludePattern[]): WatchFolder[] {
  const found = new Map<string, WatchFolder>();
  for (const { pattern, base } of patterns) {
    const folder = folderOf(base, pattern);
    const known = found.get(folder.path);
    if (!known || known.depth < folder.depth) found.set(folder.path, folder);
  }
  return [...found.values()];
}

function folderOf(base: string, pattern: string): WatchFolder {
  const steps = pattern.split('/');
  const first = steps.findIndex((step) => /[*?[\]{}]/.test(step));
  if (first < 0) {
    const file = resolve(base, pattern);
    return { path: dirname(file), depth: basename(file) === '' ? 0 : 1 };
  }
  const depth = steps.includes('**') ? Number.POSITIVE_INFINITY : steps.length - first;
  return { path: resolve(base, join('.', ...steps.slice(0, first))), depth };
}

/** The depth of `path` below the folder; Infinity if it is not below it, or in a folder without specs. */
export function depthIn(folder: WatchFolder, path: string): number {
  const way = relative(folder.path, path);
  if (way === '' || way.startsWith('..')) return Number.POSITIVE_INFINITY;
  const steps = way.split(sep);
  return steps.some((step) => step === 'node_modules' || step === '.git') ? Number.POSITIVE_INFINITY : steps.length;
}

/** The path is in one of the folders, within the depth of its patterns. */
export const liesIn = (path: string, folders: readonly WatchFolder[]): boolean =>
  folders.some((folder) => depthIn(folder, path) <= folder.depth);

/** The folder, or its nearest existing parent, where its creation gives an event. */
export function nearestFolder(path: string): string {
  const parent = dirname(path);
  return parent === path || statOf(path)?.isDirectory() ? path : nearestFolder(parent);
}
