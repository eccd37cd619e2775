/**
 * The files that a build read, each stamped before it was read, so that any later change, also during the build, differs
 * from its stamp.
 */
import { readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, sep } from 'node:path';
import { expandGlob, hasWildcard } from '../../spec/glob.js';
import { type ReadProblem, readBytes, readText } from '../../spec/source.js';
import { type IncludePattern, includePatterns } from './folders.js';
import { type Stamp, stampForReading } from './stamp.js';

/** A pattern with its matching files. */
export interface ReadPattern extends IncludePattern {
  readonly paths: ReadonlySet<string>;
}

/** The symbolic links on the path to a file, each with its target. */
export type Links = ReadonlyMap<string, string>;

/** No file system follows more. */
const MAX_LINKS = 40;

export class Reads {
  readonly #files = new Map<string, Stamp | undefined>();
  readonly #patterns = new Map<string, ReadPattern>();
  readonly #links = new Map<string, Links>();
  /** Links on the path to each folder, shared by its files. */
  readonly #ways = new Map<string, Links>();

  /** By absolute path; undefined for a file that did not exist. */
  get files(): ReadonlyMap<string, Stamp | undefined> {
    return this.#files;
  }

  get patterns(): readonly ReadPattern[] {
    return [...this.#patterns.values()];
  }

  /** For each file that is reached by links. */
  get links(): ReadonlyMap<string, Links> {
    return this.#links;
  }

  /** Call it before reading a file; `path` is absolute. The first call counts. */
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
    if (typeof text === 'string') for (const pattern of includePatterns(absolute, text)) this.notePattern(pattern);
    return text;
  };

  /** Reads a file that the spec names. Never throws. */
  readonly readNamed = (absolute: string): string | ReadProblem => {
    this.note(absolute);
    return readText(absolute, false);
  };

  /** Reads a file of consumers. Never throws. */
  readonly readBytes = (absolute: string): Buffer | ReadProblem => {
    this.note(absolute);
    return readBytes(absolute);
  };

  /** Files that match the pattern later belong to what was read. */
  notePattern(include: IncludePattern): void {
    const key = `${include.base}\0${include.pattern}`;
    if (this.#patterns.has(key)) return;
    this.#patterns.set(key, { ...include, paths: matchesOf(include) });
  }
}

/** The files that a pattern matches now; none for a plain path. */
export function matchesOf({ pattern, base }: IncludePattern): ReadonlySet<string> {
  return new Set(hasWildcard(pattern) ? expandGlob(pattern, base).paths : []);
}

/** The symbolic links that lead to the path now. `known`: cache of links by folder. */
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
  // Ends loops of links: the folder counts as known while its links are collected.
  known.set(folder, way);
  if (folder !== parse(folder).root && folder.includes(sep)) follow(folder, way, known);
  return way;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Not a link, or it does not exist.
    return undefined;
  }
}
