/** Detects a changed file on disk without reading it. */
import { statOf } from '../../spec/stat.js';

export interface Stamp {
  /** Device and inode: a new value is another file at the same path. */
  readonly identity: string;
  /** Size and times. */
  readonly version: string;
  readonly size: number;
  /** The last change was not a write, but a rename, link or change of attributes. */
  readonly moved: boolean;
  /** Time of the last change, in milliseconds of the file system's clock. */
  readonly changedAt: number;
}

/** Resolution of file times on coarse file systems; two writes within it can have the same stamp. */
const CLOCK_TICK_MS = 20;

/** The stamp of the file at the path, following links; undefined if it does not exist or is not accessible. */
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
 * The stamp of a file that is about to be read. A file that changed within the last tick can change again without a new
 * stamp, so it gets a stamp that never matches and is checked again. `now`: milliseconds since the epoch.
 */
export function stampForReading(path: string, now: number): Stamp | undefined {
  const stamp = stampOf(path);
  if (!stamp || Math.abs(now - stamp.changedAt) > CLOCK_TICK_MS) return stamp;
  return { ...stamp, version: `${stamp.version}?` };
}
