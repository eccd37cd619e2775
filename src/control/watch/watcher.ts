/** Tells when a spec has changed on disk and is complete. It may tell too often (a build finds out); it never misses one. */
import { realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type FSWatcher, watch } from 'chokidar';
import { reasonOf } from '../../reason.js';
import type { Log } from '../log.js';
import { depthIn, includeFolders, liesIn, nearestFolder, type WatchFolder } from './folders.js';
import { type Links, linksOf, matchesOf, Reads } from './reads.js';
import { CAUTION_MS, Settling } from './settling.js';
import { type Stamp, sameStamp, stampOf } from './stamp.js';
import { heldForWriting } from './writers.js';

/** Events get lost on network and container file systems; a look at the known files costs a few stat calls. */
const LOOK_EVERY_MS = 1000;
/** Between two looks at files that are changing. */
const STEP_MS = 20;
/** Looks take at most this part of the time. */
const LOOK_SHARE = 1 / 10;
/** A process that has a file open for writing is waited for this long after the file's last change. */
const HELD_MS = 10_000;
const HELD_STEP_MS = 500;
/** After this time a log line says why an edit does not go live yet. */
const TELL_AFTER_MS = 5000;

export class SpecWatcher {
  readonly #changed: () => void;
  readonly #log: Log;
  readonly #settling = new Settling();
  /** What the last build read. */
  #seen = new Reads();
  #folders: readonly WatchFolder[] = [];
  #key = '';
  /** The newest last; older ones stay until it is ready. */
  #watchers: FSWatcher[] = [];
  readonly #closing = new Set<Promise<void>>();
  /** Files that differ from what was read, and files that were read before they were complete. */
  readonly #pending = new Set<string>();
  readonly #unsettled = new Set<string>();
  /** Of which a build has been asked for. */
  readonly #told = new Map<string, Stamp | undefined>();
  /** Those of the last build, until the next one. */
  #built: readonly string[] = [];
  /** What events said of a file last: a rename (true), or a write. */
  readonly #moves = new Map<string, boolean>();
  #step: NodeJS.Timeout | undefined;
  #stale = false;
  #cost = 0;
  /** Looking for processes that hold a file open. */
  #asking = false;
  /** Every file that changes was complete at the last look; one more look decides. */
  #quiet = false;
  #hinted = false;
  #closed = false;
  readonly #looks: NodeJS.Timeout;

  /** `changed` is called when there is something to build. */
  constructor(changed: () => void, log: Log) {
    this.#changed = changed;
    this.#log = log;
    this.#looks = setInterval(() => this.#notice(), LOOK_EVERY_MS).unref();
  }

  /**
   * Takes what a build has read: that is what is watched from now on. Returns whether all of it was complete when it was
   * read; if not, `changed` is called again once it is. `trusted`: the content is to be taken as it was.
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
    this.#built = [...this.#told.keys()];
    this.#told.clear();
    this.#pending.clear();
    this.#moves.clear();
    this.#hinted = false;
    this.#watch();
    this.#notice();
    return this.#unsettled.size === 0;
  }

  /**
   * For content that takes something away: true when files that were written in place have been quiet for long enough.
   * If not, `changed` is called again once they have.
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
    if (this.#told.has(path)) return sameStamp(this.#told.get(path), stamp);
    if (this.#seen.files.has(path)) return sameStamp(this.#seen.files.get(path), stamp);
    return stamp === undefined || stamp.moved || Math.abs(Date.now() - stamp.changedAt) > CAUTION_MS;
  }

  /** Something may have changed: looks now, or with the step that is due anyway. */
  #notice(): void {
    this.#stale = true;
    if (this.#step === undefined && !this.#closed) this.#schedule(0);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#step);
    this.#step = setTimeout(() => this.#look(), ms).unref();
  }

  /** Looks at everything where something may have changed, else at the files that are changing. */
  #look(): void {
    this.#step = undefined;
    if (this.#closed) return;
    const now = performance.now();
    if (this.#stale) this.#lookAtAll(now);
    else for (const path of this.#pending) this.#lookAt(path, stampOf(path), now);
    if (this.#pending.size === 0 || this.#asking) return;
    const due = Math.max(...[...this.#pending].map((path) => this.#settling.dueIn(path, now)));
    if (due > 0) this.#wait(due, now);
    else if (this.#quiet) void this.#fire();
    else {
      // One more look at everything: what else has changed meanwhile belongs to the same change.
      this.#quiet = true;
      this.#notice();
    }
  }

  #wait(due: number, now: number): void {
    this.#quiet = false;
    this.#schedule(Math.max(1, Math.min(due, Math.max(STEP_MS, this.#cost / LOOK_SHARE))));
    const file = [...this.#pending].find((path) => this.#settling.age(path, now) > TELL_AFTER_MS);
    if (file === undefined || this.#hinted) return;
    this.#hinted = true;
    this.#log.info('a spec file is still being written; loaded when complete', { file });
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

  /** What is not as it was read, but for what a build has been asked for. */
  *#differences(): Iterable<[string, Stamp | undefined]> {
    const { files, patterns } = this.#seen;
    for (const [path, before] of files) {
      const stamp = stampOf(path);
      const asked = this.#told.has(path) && sameStamp(this.#told.get(path), stamp);
      if (!sameStamp(before, stamp) && !asked) yield [path, stamp];
    }
    for (const pattern of patterns) {
      const matches = matchesOf(pattern);
      for (const path of new Set([...matches, ...pattern.paths])) {
        const same = matches.has(path) === pattern.paths.has(path);
        if (!same && !files.has(path) && !this.#told.has(path)) yield [path, stampOf(path)];
      }
    }
  }

  /**
   * It came into its place as a whole: another file than before, and a rename was the last thing that happened to it, or a
   * symbolic link leads elsewhere now. Events tell of a new, empty file as of a rename: its writer has just begun.
   */
  #wasMoved(path: string, stamp: Stamp | undefined): boolean {
    if (stamp === undefined || stamp.size === 0 || stamp.identity === this.#seen.files.get(path)?.identity)
      return false;
    const links = this.#seen.links.get(path);
    if (links !== undefined && !sameLinks(links, linksOf(path))) return true;
    return this.#moves.get(path) ?? stamp.moved;
  }

  /** Asks for a build, unless a process still has one of the files open. */
  async #fire(): Promise<void> {
    const now = performance.now();
    const open = [...this.#pending].filter(
      (path) => this.#settling.inPlace(path) && this.#settling.idle(path, now) < HELD_MS,
    );
    if (open.length > 0) {
      this.#asking = true;
      const held = await heldForWriting(new Set(open.map(realPath)));
      this.#asking = false;
      if (this.#closed) return;
      this.#quiet = false;
      if (held) return this.#schedule(HELD_STEP_MS);
      // A process was looked for while files could change: only if they did not, this is the moment.
      this.#lookAtAll(performance.now());
      const changed = [...this.#pending].some((path) => this.#settling.dueIn(path, performance.now()) > 0);
      if (changed) return this.#schedule(STEP_MS);
    }
    for (const path of this.#pending) this.#told.set(path, stampOf(path));
    this.#pending.clear();
    this.#unsettled.clear();
    this.#quiet = false;
    this.#changed();
  }

  /** Watches the folders of what was read. The old watcher stays until the new one is ready: its events count as well. */
  #watch(): void {
    const folders = includeFolders(this.#seen.patterns);
    const files = [...this.#seen.files.keys()];
    const links = [...this.#seen.links.values()].flatMap((one) => [...one.keys()]);
    const key = JSON.stringify([files, links, folders]);
    this.#folders = folders;
    if (key === this.#key || this.#closed) return;
    this.#key = key;
    const watcher = this.#open([...new Set([...files, ...links])], folders);
    // One that never became ready is of no use; the oldest is the one that works.
    for (const between of this.#watchers.splice(1)) this.#end(between);
    this.#watchers.push(watcher);
    watcher.on('ready', () => {
      const at = this.#watchers.indexOf(watcher);
      for (const before of this.#watchers.splice(0, Math.max(0, at))) this.#end(before);
      // What changed while the watch was being set up was no event of it.
      this.#notice();
    });
  }

  #open(names: readonly string[], folders: readonly WatchFolder[]): FSWatcher {
    const files = new Set(names);
    // The folders of the files as well: an atomic rename is an event of the folder, and outlives the file's inode.
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
        return !leads && !(path.endsWith('.toml') && liesIn(path, folders) && !stats?.isDirectory());
      },
    });
    watcher.on('all', (_event, path) => {
      if (files.has(path) || liesIn(path, folders)) this.#notice();
    });
    watcher.on('raw', (event, name, details: unknown) => this.#onRaw(files, event, name, details));
    let told = false;
    watcher.on('error', (error) => {
      if (!told) this.#log.warn(LOST_EVENTS, { cause: reasonOf(error) });
      told = true;
    });
    return watcher;
  }

  /** Events of folders say whether a name was given to another file (`rename`), or its file was written. */
  #onRaw(files: ReadonlySet<string>, event: string, name: unknown, details: unknown): void {
    const folder = watchedPathOf(details);
    if (folder === undefined || typeof name !== 'string') return;
    const path = join(folder, name);
    if (!files.has(path) && !liesIn(path, this.#folders)) return;
    if (this.#seen.files.has(path) || path.endsWith('.toml')) this.#moves.set(path, event === 'rename');
    this.#notice();
  }

  #end(watcher: FSWatcher): void {
    const done: Promise<void> = watcher.close().finally(() => this.#closing.delete(done));
    this.#closing.add(done);
    // close() takes every listener away, and what is still under way may fail: an error without a listener is thrown.
    watcher.on('error', () => {});
  }
}

const LOST_EVENTS = 'no file events for the spec; its files are checked once a second';

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
    // Gone: no process writes to what has no name.
    return path;
  }
}
