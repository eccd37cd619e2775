/** Reports when a spec has changed on disk and is complete. It may report too often, but never misses a change. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type FSWatcher, watch } from 'chokidar';
import { reasonOf } from '../../reason.js';
import type { Log } from '../log.js';
import { depthIn, includeFolders, liesIn, nearestFolder, type WatchFolder } from './folders.js';
import { type Links, linksOf, matchesOf, Reads } from './reads.js';
import { CAUTION_MS, Settling } from './settling.js';
import { type Stamp, sameStamp, stampOf } from './stamp.js';
import { heldForWriting } from './writers.js';

/** Network and container file systems lose events; checking the known files costs a few stat calls. */
const LOOK_EVERY_MS = 1000;
/** Between two checks of files that are changing. */
const STEP_MS = 20;
/** Checks take at most this part of the time. */
const LOOK_SHARE = 1 / 10;
/** How long after a file's last change gw waits for a process that has it open for writing. */
const HELD_MS = 10_000;
const HELD_STEP_MS = 500;
/** After this time a log line says why an edit is not live yet. */
const LOG_AFTER_MS = 5000;

/** What a watcher is for. */
export interface Watched {
  /** For the log. */
  readonly noun: string;
  /** Whether a file in a folder of the patterns may be one that they match. */
  readonly mayMatch: (path: string) => boolean;
}

const SPEC: Watched = { noun: 'spec', mayMatch: (path) => path.endsWith('.toml') };

/** `gw keys` writes a lock and a temporary file beside a file of consumers. */
export const CONSUMERS: Watched = {
  noun: 'consumer',
  mayMatch: (path) => !basename(path).startsWith('.'),
};

export class SpecWatcher {
  readonly #changed: () => void;
  readonly #log: Log;
  readonly #what: Watched;
  readonly #settling = new Settling();
  /** What the last build read. */
  #seen = new Reads();
  #folders: readonly WatchFolder[] = [];
  #key = '';
  /** Newest last; older ones stay until it is ready. */
  #watchers: FSWatcher[] = [];
  readonly #closing = new Set<Promise<void>>();
  /** Files that differ from what was read, and files that were read before they were complete. */
  readonly #pending = new Set<string>();
  readonly #unsettled = new Set<string>();
  /** Files for which a build was requested, as they were then. */
  readonly #requested = new Map<string, Stamp | undefined>();
  /** Files of the last build request. */
  #built: readonly string[] = [];
  /** The last event of a file: a rename (true) or a write. */
  readonly #moves = new Map<string, boolean>();
  #step: NodeJS.Timeout | undefined;
  #stale = false;
  #cost = 0;
  /** A search for processes that have a file open is running. */
  #searching = false;
  /** All changed files were complete at the last check; one more check decides. */
  #quiet = false;
  #hinted = false;
  #closed = false;
  readonly #looks: NodeJS.Timeout;

  /** `changed` is called when the spec should be built. */
  constructor(changed: () => void, log: Log, what: Watched = SPEC) {
    this.#changed = changed;
    this.#log = log;
    this.#what = what;
    this.#looks = setInterval(() => this.#notice(), LOOK_EVERY_MS).unref();
  }

  /**
   * Watches the files that a build has read from now on. Returns whether all were complete when they were read; if not,
   * `changed` is called again when they are. `trusted`: treat them as complete.
   */
  update(reads: Reads, trusted = false): boolean {
    const now = performance.now();
    this.#settling.built(reads.files.keys(), now);
    this.#unsettled.clear();
    for (const [path, stamp] of reads.files) {
      if (trusted || this.#wasComplete(path, stamp)) continue;
      this.#unsettled.add(path);
      this.#settling.look(path, stamp, false, now);
    }
    this.#seen = reads;
    this.#built = [...this.#requested.keys()];
    this.#requested.clear();
    this.#pending.clear();
    this.#moves.clear();
    this.#hinted = false;
    this.#watch();
    this.#notice();
    return this.#unsettled.size === 0;
  }

  /**
   * For content that removes something: true if files that were written in place have been unchanged for long enough.
   * If not, `changed` is called again when they have.
   */
  insist(): boolean {
    const now = performance.now();
    for (const path of this.#built) if (!this.#settling.insist(path, CAUTION_MS, now)) this.#unsettled.add(path);
    return this.#unsettled.size === 0;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looks);
    clearTimeout(this.#step);
    for (const watcher of this.#watchers.splice(0)) this.#end(watcher);
    await Promise.all(this.#closing);
  }

  #wasComplete(path: string, stamp: Stamp | undefined): boolean {
    if (this.#requested.has(path)) return sameStamp(this.#requested.get(path), stamp);
    if (this.#seen.files.has(path)) return sameStamp(this.#seen.files.get(path), stamp);
    return stamp === undefined || stamp.moved || Math.abs(Date.now() - stamp.changedAt) > CAUTION_MS;
  }

  /** Something may have changed: checks now, or with the next scheduled step. */
  #notice(): void {
    this.#stale = true;
    if (this.#step === undefined && !this.#closed) this.#schedule(0);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#step);
    this.#step = setTimeout(() => this.#look(), ms).unref();
  }

  /** Checks all files if any may have changed, otherwise only the files that are changing. */
  #look(): void {
    this.#step = undefined;
    if (this.#closed) return;
    const now = performance.now();
    if (this.#stale) this.#lookAtAll(now);
    else for (const path of this.#pending) this.#lookAt(path, stampOf(path), now);
    if (this.#pending.size === 0 || this.#searching) return;
    const due = Math.max(...[...this.#pending].map((path) => this.#settling.dueIn(path, now)));
    if (due > 0) this.#wait(due, now);
    else if (this.#quiet) void this.#fire();
    else {
      // One more check of everything: other files that changed meanwhile belong to the same change.
      this.#quiet = true;
      this.#notice();
    }
  }

  #wait(due: number, now: number): void {
    this.#quiet = false;
    this.#schedule(Math.max(1, Math.min(due, Math.max(STEP_MS, this.#cost / LOOK_SHARE))));
    const file = [...this.#pending].find((path) => this.#settling.age(path, now) > LOG_AFTER_MS);
    if (file === undefined || this.#hinted) return;
    this.#hinted = true;
    this.#log.info(`a ${this.#what.noun} file is still being written; loaded when complete`, { file });
  }

  #lookAtAll(now: number): void {
    this.#stale = false;
    this.#pending.clear();
    for (const path of this.#unsettled) this.#lookAt(path, stampOf(path), now);
    for (const [path, stamp] of this.#differences()) this.#lookAt(path, stamp, now);
    this.#cost = performance.now() - now;
  }

  #lookAt(path: string, stamp: Stamp | undefined, now: number): void {
    this.#pending.add(path);
    this.#settling.look(path, stamp, this.#wasMoved(path, stamp), now);
  }

  /** Files that differ from what was read and for which no build was requested. */
  *#differences(): Iterable<[string, Stamp | undefined]> {
    const { files, patterns } = this.#seen;
    for (const [path, before] of files) {
      const stamp = stampOf(path);
      const asked = this.#requested.has(path) && sameStamp(this.#requested.get(path), stamp);
      if (!sameStamp(before, stamp) && !asked) yield [path, stamp];
    }
    for (const pattern of patterns) {
      const matches = matchesOf(pattern);
      for (const path of new Set([...matches, ...pattern.paths])) {
        const same = matches.has(path) === pattern.paths.has(path);
        if (!same && !files.has(path) && !this.#requested.has(path)) yield [path, stampOf(path)];
      }
    }
  }

  /**
   * The file was moved into place as a whole: it is another file than before, and a rename was the last change, or a symbolic
   * link leads elsewhere now. A new, empty file also shows as a rename: its writer has just begun.
   */
  #wasMoved(path: string, stamp: Stamp | undefined): boolean {
    if (stamp === undefined || stamp.size === 0 || stamp.identity === this.#seen.files.get(path)?.identity)
      return false;
    const links = this.#seen.links.get(path);
    if (links !== undefined && !sameLinks(links, linksOf(path))) return true;
    // Of a file behind a link, the events have its own name.
    return this.#moves.get(links === undefined ? path : realPath(path)) ?? stamp.moved;
  }

  /** Requests a build, unless a process still has one of the files open. */
  async #fire(): Promise<void> {
    const now = performance.now();
    const open = [...this.#pending].filter(
      (path) => this.#settling.inPlace(path) && this.#settling.idle(path, now) < HELD_MS,
    );
    if (open.length > 0) {
      this.#searching = true;
      const held = await heldForWriting(new Set(open.map(realPath)));
      this.#searching = false;
      if (this.#closed) return;
      this.#quiet = false;
      if (held) return this.#schedule(HELD_STEP_MS);
      // Files can have changed during the search.
      this.#lookAtAll(performance.now());
      const changed = [...this.#pending].some((path) => this.#settling.dueIn(path, performance.now()) > 0);
      if (changed) return this.#schedule(STEP_MS);
    }
    for (const path of this.#pending) this.#requested.set(path, stampOf(path));
    this.#pending.clear();
    this.#unsettled.clear();
    this.#quiet = false;
    this.#changed();
  }

  /** Watches the folders of the files that were read. The old watcher stays until the new one is ready. */
  #watch(): void {
    const folders = includeFolders(this.#seen.patterns);
    const files = [...this.#seen.files.keys()];
    // The links, and the files that they lead to, which are replaced there.
    const links = [...this.#seen.links].flatMap(([path, one]) => [...one.keys(), realPath(path)]);
    const key = JSON.stringify([files, links, folders]);
    this.#folders = folders;
    if (key === this.#key || this.#closed) return;
    this.#key = key;
    const watcher = this.#open([...new Set([...files, ...links])], folders);
    // Watchers that are not ready yet are replaced; the oldest one works.
    for (const between of this.#watchers.splice(1)) this.#end(between);
    this.#watchers.push(watcher);
    watcher.on('ready', () => {
      const at = this.#watchers.indexOf(watcher);
      for (const before of this.#watchers.splice(0, Math.max(0, at))) this.#end(before);
      // Changes during the setup gave no event.
      this.#notice();
    });
  }

  #open(names: readonly string[], folders: readonly WatchFolder[]): FSWatcher {
    const files = new Set(names);
    // The folders of the files too: an atomic rename is an event of the folder.
    const around = [...folders, ...names.map((file): WatchFolder => ({ path: dirname(file), depth: 1 }))];
    const roots = new Set(around.map((folder) => nearestFolder(folder.path)));
    const watcher = watch([...roots], {
      ignoreInitial: true,
      atomic: true,
      ignorePermissionErrors: true,
      ignored: (path, stats) => {
        if (files.has(path) || roots.has(path)) return false;
        if (folders.some((folder) => folder.path === path || folder.path.startsWith(path + sep))) return false;
        const leads = !stats?.isFile() && folders.some((folder) => depthIn(folder, path) < folder.depth);
        return !leads && !(this.#what.mayMatch(path) && liesIn(path, folders) && !stats?.isDirectory());
      },
    });
    watcher.on('all', (_event, path) => {
      if (files.has(path) || liesIn(path, folders)) this.#notice();
    });
    watcher.on('raw', (event, name, details: unknown) => this.#onRaw(files, event, name, details));
    let warned = false;
    watcher.on('error', (error) => {
      if (!warned)
        this.#log.warn(`no file events for ${this.#what.noun} files; they are checked once a second`, {
          cause: reasonOf(error),
        });
      warned = true;
    });
    return watcher;
  }

  /** Events of folders distinguish a name that got another file (`rename`) from a write. */
  #onRaw(files: ReadonlySet<string>, event: string, name: unknown, details: unknown): void {
    const folder = watchedPathOf(details);
    if (folder === undefined || typeof name !== 'string') return;
    const path = join(folder, name);
    if (!files.has(path) && !liesIn(path, this.#folders)) return;
    if (files.has(path) || this.#what.mayMatch(path)) this.#moves.set(path, event === 'rename');
    this.#notice();
  }

  #end(watcher: FSWatcher): void {
    const done: Promise<void> = watcher.close().finally(() => this.#closing.delete(done));
    this.#closing.add(done);
    // close() removes all listeners, and an error event without a listener throws.
    watcher.on('error', () => {});
  }
}

function watchedPathOf(details: unknown): string | undefined {
  const known = typeof details === 'object' && details !== null && 'watchedPath' in details;
  return known && typeof details.watchedPath === 'string' ? details.watchedPath : undefined;
}

const sameLinks = (a: Links, b: Links): boolean =>
  a.size === b.size && [...a].every(([path, target]) => b.get(path) === target);

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Removed: no process can have it open by this name.
    return path;
  }
}
