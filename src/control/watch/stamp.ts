/** Tells a changed file on disk from an unchanged one without reading it. */
import { statOf } from '../../spec/stat.js';

export interface Stamp {
  /** Device and inode: another one is another file in the same place. */
  readonly identity: string;
  /** Size and times. */
  readonly version: string;
  readonly size: number;
  /** The last thing that happened to it was not a write: it was renamed, linked, or given other attributes. */
  readonly moved: boolean;
  /** When that was, in milliseconds of the file system's clock. */
  readonly changedAt: number;
}

/** Times of files are this coarse on the coarsest file systems in use; a write within it may leave a stamp as it was. */
const CLOCK_TICK_MS = 20;

/** Of what lies at the path, links followed; undefined when nothing can be seen there. */
export function stampOf(path: string): Stamp | undefined {
  const stats = statOf(path);
  if (!stats) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return {
    identity: `${dev}.${ino}`,
    version: `${size}.${mtimeNs}.${ctimeNs}`,
    size: Number(size),
    moved: ctimeNs > mtimeNs,
    changedAt: Number(ctimeNs / 1_000_000n),
  };
}

export const sameStamp = (a: Stamp | undefined, b: Stamp | undefined): boolean =>
  a?.identity === b?.identity && a?.version === b?.version;

/**
 * The stamp of a file that is about to be read. One that changed within the last tick may change again without a new
 * stamp, so it gets one that matches nothing, and the file is looked at once more. `now`: milliseconds since the epoch.
 */
export function stampForReading(path: string, now: number): Stamp | undefined {
  const stamp = stampOf(path);
  if (!stamp || Math.abs(now - stamp.changedAt) > CLOCK_TICK_MS) return stamp;
  return { ...stamp, version: `${stamp.version}?` };
}
