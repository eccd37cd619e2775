/**
 * Decides when a change on disk is complete and can be built (docs/adr/0014-complete-files.md). A file that was moved into
 * place is complete at once. One that is written in place is complete when its writer has paused for much longer than before.
 */
import { type Stamp, sameStamp } from './stamp.js';

/** Renames within this time are one change. */
export const MOVED_MS = 40;
/** A file written in place is complete once this has passed since its last change: */
export const WRITTEN_MS = 400;
/** and once this multiple of the longest pause that its writer made before has passed, */
const PAUSE_FACTOR = 4;
/** up to this long; also if the new content removes something, or is empty. */
export const CAUTION_MS = 2000;
/** Changes further apart are separate saves: the time between them is not a pause. */
const SAME_WRITING_MS = 1000;
/** A file that changes all the time is built after this time anyway. */
export const PATIENCE_MS = 300_000;

interface Writing {
  stamp: Stamp | undefined;
  /** Monotonic milliseconds: of the first change since the file was last built, and of the last one. */
  since: number;
  changedAt: number;
  /** The longest pause between two changes of one save. */
  pause: number;
  moved: boolean;
  /** A minimum wait, set by insist(). */
  least: number;
}

export class Settling {
  readonly #writings = new Map<string, Writing>();

  /** Records a file as it is at `now`; `moved`: it was renamed into place. */
  look(path: string, stamp: Stamp | undefined, moved: boolean, now: number): void {
    const known = this.#writings.get(path);
    if (!known) {
      this.#writings.set(path, { stamp, since: now, changedAt: now, pause: 0, moved, least: 0 });
      return;
    }
    // A file event can arrive after the change was seen.
    known.moved = moved;
    if (sameStamp(known.stamp, stamp)) return;
    const pause = now - known.changedAt;
    const same = pause <= SAME_WRITING_MS && !moved;
    known.pause = same ? Math.max(known.pause, pause) : 0;
    if (!same) known.least = 0;
    known.stamp = stamp;
    known.changedAt = now;
  }

  /** Milliseconds until the file counts as complete; 0: it does. */
  dueIn(path: string, now: number): number {
    const writing = this.#writings.get(path);
    if (!writing) return 0;
    const quiet = writing.changedAt + quietOf(writing) - now;
    const patience = writing.since + PATIENCE_MS - now;
    return Math.max(0, Math.min(quiet, patience));
  }

  /** Milliseconds since the file's first change after its last build. */
  age(path: string, now: number): number {
    return now - (this.#writings.get(path)?.since ?? now);
  }

  /** Milliseconds since its last change. */
  idle(path: string, now: number): number {
    return now - (this.#writings.get(path)?.changedAt ?? now);
  }

  /** Written in place or removed: the change may be incomplete. */
  inPlace(path: string): boolean {
    return this.#writings.get(path)?.moved === false;
  }

  /** The file counts as complete only `ms` after its last change. Returns whether that has passed. */
  insist(path: string, ms: number, now: number): boolean {
    const writing = this.#writings.get(path);
    if (!writing || writing.moved || now - writing.since >= PATIENCE_MS) return true;
    writing.least = Math.max(writing.least, ms);
    return this.dueIn(path, now) === 0;
  }

  /** The files were built. The history of their writers is kept for a while, because they may continue. */
  built(paths: Iterable<string>, now: number): void {
    for (const path of paths) {
      const writing = this.#writings.get(path);
      if (writing) writing.since = now;
    }
    for (const [path, { changedAt }] of this.#writings) {
      if (now - changedAt > CAUTION_MS + SAME_WRITING_MS) this.#writings.delete(path);
    }
  }
}

function quietOf({ stamp, pause, moved, least }: Writing): number {
  if (moved && stamp !== undefined) return MOVED_MS;
  const empty = stamp?.size === 0 ? CAUTION_MS : 0;
  return Math.max(WRITTEN_MS, Math.min(CAUTION_MS, pause * PAUSE_FACTOR), empty, least);
}
