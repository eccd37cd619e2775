/**
 * What a build read, stamped before it was read: a change that comes later, also while the build runs, shows as a
 * difference from it.
 */
import { readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, sep } from 'node:path';
import { expandGlob, hasWildcard } from '../../spec/glob.js';
import { type ReadProblem, readText } from '../../spec/source.js';
import { type IncludePattern, includePatterns } from './folders.js';
import { type Stamp, stampForReading } from './stamp.js';

/** A pattern with the files that it matched. */
export interface ReadPattern extends IncludePattern {
  readonly paths: ReadonlySet<string>;
}

/** The symbolic links on the way to a file, each with what it says. */
export type Links = ReadonlyMap<string, string>;

/** No file system follows more. */
const MAX_LINKS = 40;

export class Reads {
  readonly #files = new Map<string, Stamp | undefined>();
  readonly #patterns = new Map<string, ReadPattern>();
  readonly #links = new Map<string, Links>();
  /** Links on the way to each folder: a thousand files of one folder share them. */
  readonly #ways = new Map<string, Links>();

  /** By absolute path; undefined for a file that was not there. */
  get files(): ReadonlyMap<string, Stamp | undefined> {
    return this.#files;
  }

  get patterns(): readonly ReadPattern[] {
    return [...this.#patterns.values()];
  }

  /** Of each file that is reached by links. */
  get links(): ReadonlyMap<string, Links> {
    return this.#links;
  }

  /** To be called before a file is read; `path` is absolute. The first call counts. */
  note(path: string): void {
    if (this.#files.has(path)) return;
    this.#files.set(path, stampForReading(path, Date.now()));
    const links = linksOf(path, this.#ways);
    if (links.size > 0) this.#links.set(path, links);
  }

  /** Reads a file of the spec. Never throws. */
  readonly readSpec = (absolute: string, pipes = false): string | ReadProblem => {
    this.note(absolute);
    const text = readText(absolute, pipes);
    if (typeof text === 'string') for (const pattern of includePatterns(absolute, text)) this.#notePattern(pattern);
    return text;
  };

  #notePattern(include: IncludePattern): void {
    const key = `${include.base}\0${include.pattern}`;
    if (this.#patterns.has(key)) return;
    this.#patterns.set(key, { ...include, paths: matchesOf(include) });
  }
}

/** The files that a pattern matches now; none for a plain path, which is a file of its own. */
export function matchesOf({ pattern, base }: IncludePattern): ReadonlySet<string> {
  return new Set(hasWildcard(pattern) ? expandGlob(pattern, base).paths : []);
}

/** The symbolic links that lead to the path, as they are now. `known`: those of folders that were asked for before. */
export function linksOf(path: string, known = new Map<string, Links>()): Links {
  const found = new Map<string, string>();
  follow(path, found, known);
  return found;
}

function follow(path: string, found: Map<string, string>, known: Map<string, Links>): void {
  const folder = dirname(path);
  if (folder === path || found.size >= MAX_LINKS) return;
  for (const [link, target] of wayOf(folder, known)) found.set(link, target);
  const target = linkTarget(path);
  if (target === undefined || found.has(path)) return;
  found.set(path, target);
  follow(isAbsolute(target) ? target : join(folder, target), found, known);
}

function wayOf(folder: string, known: Map<string, Links>): Links {
  const before = known.get(folder);
  if (before) return before;
  const way = new Map<string, string>();
  // Links that go in circles end here: the folder counts as known while its own way is looked for.
  known.set(folder, way);
  if (folder !== parse(folder).root && folder.includes(sep)) follow(folder, way, known);
  return way;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // No link, or nothing there.
    return undefined;
  }
}
