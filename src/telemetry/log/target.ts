/** What an access log is written to: opened without waiting, and told apart from what lies at the path later. */
import { close, constants, fstat, fstatSync, open, openSync, type Stats, stat, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoCode } from '../../reason.js';

const openFile = promisify(open);
const statOf = promisify(stat);
const fstatOf = promisify(fstat);

const MODE = 0o640;
// O_NONBLOCK: a pipe without a reader or with a slow one, or a terminal that stands still, is not waited for.
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export interface LogTarget {
  readonly fd: number;
  /** Device and inode; undefined for a descriptor that was given, and has no path to follow. */
  readonly id: string | undefined;
  /** A regular file. A pipe or a device takes what it can at once, and says so where it cannot. */
  readonly isFile: boolean;
}

/** A descriptor of this process, which stays open. */
export const descriptorTarget = (fd: number): LogTarget => ({ fd, id: undefined, isFile: true });

/**
 * Opens `path` to append to it, and creates it when nothing is there. Undefined: a pipe that has no reader.
 * @throws Error when it cannot be opened, or cannot hold lines (a folder, a socket, a disk).
 */
export function openTarget(path: string): LogTarget | undefined {
  try {
    refuse(statSync(path, { throwIfNoEntry: false }));
    const fd = openSync(path, FLAGS, MODE);
    return targetOf(fd, fstatSync(fd));
  } catch (error) {
    return absentReader(error);
  }
}

/** The same without holding this thread. */
export async function openTargetSoon(path: string): Promise<LogTarget | undefined> {
  try {
    refuse(await statAt(path));
    const fd = await openFile(path, FLAGS, MODE);
    return targetOf(fd, await fstatOf(fd));
  } catch (error) {
    return absentReader(error);
  }
}

/** Device and inode of what lies at the path; undefined when nothing can be seen there. */
export async function idAt(path: string): Promise<string | undefined> {
  const there = await statAt(path);
  return there && idOf(there);
}

/** Whether a file still has a name; lines in one that has none are as good as lost. */
export async function isNamed(fd: number): Promise<boolean> {
  return fstatOf(fd).then(
    ({ nlink }) => nlink > 0,
    () => true,
  );
}

/** Bytes in a file. */
export const sizeOf = async (fd: number): Promise<number> => (await fstatOf(fd)).size;

/** Lets go of a target. */
export function closeTarget(target: LogTarget): void {
  // An error of close() leaves nothing to do: the descriptor is gone.
  if (target.id !== undefined) close(target.fd, () => {});
}

async function statAt(path: string): Promise<Stats | undefined> {
  return statOf(path).catch(() => undefined);
}

function targetOf(fd: number, stats: Stats): LogTarget {
  try {
    refuse(stats);
  } catch (error) {
    close(fd, () => {});
    throw error;
  }
  return { fd, id: idOf(stats), isFile: stats.isFile() };
}

function refuse(stats: Stats | undefined): void {
  if (stats?.isDirectory()) throw new Error('it is a folder');
  if (stats?.isSocket()) throw new Error('it is a socket');
  if (stats?.isBlockDevice()) throw new Error('it is a disk');
}

function absentReader(error: unknown): undefined {
  if (errnoCode(error) !== 'ENXIO') throw error;
  return undefined;
}

const idOf = ({ dev, ino }: Stats): string => `${dev}:${ino}`;
