/** The destination of an access log: opened without blocking, and identified by device and inode. */
import { close, closeSync, constants, fstat, fstatSync, open, openSync, type Stats, stat, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoCode } from '../../reason.js';

const openFile = promisify(open);
const statOf = promisify(stat);
const fstatOf = promisify(fstat);

const MODE = 0o640;
// O_NONBLOCK: never blocks on a pipe without a reader, a slow reader, or a stopped terminal.
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export interface LogTarget {
  readonly fd: number;
  /** Device and inode; undefined for a given descriptor, which has no path. */
  readonly id: string | undefined;
  /** A regular file. A pipe or a device accepts what it can at once, and fails with EAGAIN otherwise. */
  readonly isFile: boolean;
  readonly isPipe: boolean;
}

/** A descriptor of this process, which stays open. */
export const descriptorTarget = (fd: number): LogTarget => ({ fd, id: undefined, isFile: true, isPipe: false });

/**
 * Opens `path` for appending and creates it if it does not exist. Undefined: a pipe without a reader.
 * @throws Error if it cannot be opened, or is a folder, a socket or a disk.
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

/** The same without blocking this thread. */
export async function openTargetSoon(path: string): Promise<LogTarget | undefined> {
  try {
    refuse(await statAt(path));
    const fd = await openFile(path, FLAGS, MODE);
    return targetOf(fd, await fstatOf(fd));
  } catch (error) {
    return absentReader(error);
  }
}

/** Device and inode of the file at the path; undefined if it does not exist or is not accessible. */
export async function idAt(path: string): Promise<string | undefined> {
  const there = await statAt(path);
  return there && idOf(there);
}

/** Whether a file still has a name; lines in a removed file are lost. */
export async function isNamed(fd: number): Promise<boolean> {
  return fstatOf(fd).then(
    ({ nlink }) => nlink > 0,
    () => true,
  );
}

/** Bytes in a file. */
export const sizeOf = async (fd: number): Promise<number> => (await fstatOf(fd)).size;

/** Closes a target, unless its descriptor was given. */
export function closeTarget(target: LogTarget): void {
  if (target.id === undefined) return;
  // After an error of close() the descriptor is closed too.
  if (target.isPipe) closeAtOnce(target.fd);
  else close(target.fd, () => {});
}

/** A reader that opens a pipe just before it is closed would read its end. A close of a pipe never blocks. */
function closeAtOnce(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The descriptor is closed all the same.
  }
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
  return { fd, id: idOf(stats), isFile: stats.isFile(), isPipe: stats.isFIFO() };
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
