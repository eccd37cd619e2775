/** Tells when a spec may have changed on disk. It may tell too often (a build finds out); it must never miss one. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { INPUT_LIMITS, readInputText } from '../input-file.js';
import { reasonOf } from '../reason.js';
import { statOf } from '../spec/stat.js';
import type { Log } from './log.js';

/** A folder in which files that do not exist yet would belong to the spec (`include = ["routes/*.toml"]`). */
export interface WatchFolder {
  readonly path: string;
  /** 1: files right inside it; Infinity: at any depth. */
  readonly depth: number;
}

export interface WatchSet {
  /** Absolute. */
  readonly files: readonly string[];
  readonly folders: readonly WatchFolder[];
}

/** Editors write in bursts (truncate, write, rename): one change is what lies closer together than this. */
const DEBOUNCE_MS = 60;
/** A file written without a pause is looked at nevertheless. */
const PATIENCE_MS = 1000;
/** Events get lost on network and container file systems; a look at the known files costs a few stat calls. */
const LOOK_EVERY_MS = 1000;

export class SpecWatcher {
  readonly #changed: () => void;
  readonly #log: Log;
  #set: WatchSet = { files: [], folders: [] };
  #key = '';
  #signature = '';
  #watcher: FSWatcher | undefined;
  #debounce: NodeJS.Timeout | undefined;
  #since = 0;
  readonly #look: NodeJS.Timeout;

  constructor(changed: () => void, log: Log) {
    this.#changed = changed;
    this.#log = log;
    this.#look = setInterval(() => this.#lookAround(), LOOK_EVERY_MS).unref();
  }

  /** Watches exactly this set from now on. Cheap when it is the one of before. */
  async update(set: WatchSet): Promise<void> {
    const key = JSON.stringify(set);
    this.#set = set;
    this.#signature = signatureOf(set);
    if (key === this.#key) return;
    this.#key = key;
    const before = this.#watcher;
    this.#watcher = this.#open(set);
    await before?.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#look);
    clearTimeout(this.#debounce);
    await this.#watcher?.close();
    this.#watcher = undefined;
  }

  #open(set: WatchSet): FSWatcher {
    const files = new Set(set.files);
    // The folders of the files as well: an atomic rename is an event of the folder, and outlives the file's inode.
    const folders = [...set.folders, ...set.files.map((file): WatchFolder => ({ path: dirname(file), depth: 1 }))];
    const roots = new Set(folders.map((folder) => nearestFolder(folder.path)));
    const watcher = watch([...roots], {
      ignoreInitial: true,
      atomic: true,
      ignorePermissionErrors: true,
      ignored: (path, stats) => {
        if (files.has(path) || roots.has(path)) return false;
        if (set.folders.some((folder) => folder.path === path || folder.path.startsWith(path + sep))) return false;
        const leads = !stats?.isFile() && set.folders.some((folder) => depthIn(folder, path) < folder.depth);
        return !leads && !(belongs(path, set.folders) && !stats?.isDirectory());
      },
    });
    watcher.on('all', (_event, path) => {
      if (files.has(path) || belongs(path, set.folders)) this.#noticed();
    });
    // What changed while the watch was being set up was no event of it; deep down a signature does not show it.
    const deep = set.folders.some((folder) => folder.depth > 1);
    watcher.on('ready', () => (deep ? this.#noticed() : this.#lookAround()));
    watcher.on('error', (error) => {
      this.#log.warn('watching the spec: file events are lost; known files are still looked at each second', {
        error: reasonOf(error),
      });
    });
    return watcher;
  }

  #noticed(): void {
    const now = Date.now();
    if (this.#debounce === undefined) this.#since = now;
    clearTimeout(this.#debounce);
    const wait = Math.max(0, Math.min(DEBOUNCE_MS, this.#since + PATIENCE_MS - now));
    this.#debounce = setTimeout(() => {
      this.#debounce = undefined;
      this.#signature = signatureOf(this.#set);
      this.#changed();
    }, wait).unref();
  }

  #lookAround(): void {
    const signature = signatureOf(this.#set);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#noticed();
  }
}

/** Of a spec file somewhere in the folders: only those can be included. */
function belongs(path: string, folders: readonly WatchFolder[]): boolean {
  return path.endsWith('.toml') && folders.some((folder) => depthIn(folder, path) <= folder.depth);
}

/** How many steps `path` lies below the folder; Infinity when it does not, or in a folder that holds no specs. */
function depthIn(folder: WatchFolder, path: string): number {
  const way = relative(folder.path, path);
  if (way === '' || way.startsWith('..')) return Number.POSITIVE_INFINITY;
  const steps = way.split(sep);
  return steps.some((step) => step === 'node_modules' || step === '.git') ? Number.POSITIVE_INFINITY : steps.length;
}

/** Inode, size and time of each file, and which specs lie right in the folders: differs when any changed. */
function signatureOf({ files, folders }: WatchSet): string {
  const stamps = files.map((file) => {
    const stats = statOf(file);
    return stats ? `${stats.ino}.${stats.size}.${stats.mtimeNs}` : '-';
  });
  const lists = folders.map(({ path }) => specsIn(path).join('/'));
  return [...stamps, ...lists].join(' ');
}

function specsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.toml'))
      .sort();
  } catch {
    // Not there (yet): no specs.
    return [];
  }
}

/**
 * The folders that the `include` patterns of these files reach. It reads the text, not the tree: a file that does not
 * parse right now is exactly one that must be watched on.
 */
export function includeFolders(files: readonly string[]): WatchFolder[] {
  const found = new Map<string, WatchFolder>();
  for (const file of files) {
    for (const pattern of includePatterns(readText(file))) {
      const folder = folderOf(dirname(file), pattern);
      const known = found.get(folder.path);
      if (!known || known.depth < folder.depth) found.set(folder.path, folder);
    }
  }
  return [...found.values()];
}

function includePatterns(text: string): string[] {
  const lists = text.matchAll(/^[ \t]*include[ \t]*=[ \t]*(\[[^\]]*\]|"[^"\n]*"|'[^'\n]*')/gm);
  return [...lists].flatMap((list) =>
    [...(list[1] ?? '').matchAll(/"([^"\n]*)"|'([^'\n]*)'/g)].map((found) => found[1] ?? found[2] ?? ''),
  );
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

/** The folder itself, or the nearest around it that exists: from there it is seen when it is made. */
function nearestFolder(path: string): string {
  const parent = dirname(path);
  return parent === path || statOf(path)?.isDirectory() ? path : nearestFolder(parent);
}

function readText(file: string): string {
  try {
    return readInputText(file, { maxBytes: INPUT_LIMITS.spec });
  } catch {
    // Gone or unreadable: the build says so; there is nothing to learn from it here.
    return '';
  }
}
