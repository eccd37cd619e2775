/**
 * Writes files whose paths come from users. A regular file is replaced atomically, so that a reader sees the old or the new
 * content; a device, a pipe or a descriptor of this process is written to.
 */
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { errnoCode } from './reason.js';

/** gw does not write to this path. The message follows a colon: `it is a socket`. */
export class OutputError extends Error {
  override readonly name = 'OutputError';
}

/** The destination of a path. */
export type Destination =
  | { readonly kind: 'descriptor'; readonly fd: number }
  | { readonly kind: 'new'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly stat: Stats }
  | { readonly kind: 'other'; readonly path: string; readonly stat: Stats };

/** A regular file, or a new path. */
export type Replaceable = Extract<Destination, { kind: 'new' | 'file' }>;

/** Milliseconds that the reader of a pipe may pause. */
const PIPE_TIMEOUT = 5000;
const PIPE_POLL = 10;
/** The kernel's limit. */
const MOST_LINKS = 40;
/** A descriptor of this process as a path: /dev/stdout leads here. */
const DESCRIPTOR = /^(?:\/proc\/(?:self|thread-self|\d+)|\/dev)\/fd\/(\d+)$/;
/** Errors for a folder that accepts no new file, or a file that can be written but not replaced (a mount point). */
const NO_REPLACING = new Set(['EACCES', 'EPERM', 'EBUSY', 'EROFS', 'EXDEV']);

/**
 * The destination of `path`, following symbolic links, also to a file that does not exist yet. @throws the system's error if a
 * part of the path is not accessible.
 */
export function destinationOf(path: string): Destination {
  let at = resolve(path);
  for (let links = 0; links < MOST_LINKS; links++) {
    const fd = ownDescriptor(at);
    if (fd !== undefined) return { kind: 'descriptor', fd };
    const to = linkAt(at);
    if (to !== undefined) {
      at = resolve(realpathSync(dirname(at)), to);
      continue;
    }
    const stat = statSync(at, { throwIfNoEntry: false });
    if (stat === undefined) return { kind: 'new', path: at };
    return stat.isFile() ? { kind: 'file', path: at, stat } : { kind: 'other', path: at, stat };
  }
  throw new OutputError('its symbolic links form a loop');
}

/**
 * Writes `content` to the destination of `path`. A regular file keeps its mode and, if the system permits, its owner.
 * @throws OutputError, or the system's error; a regular file is then unchanged, unless it could only be written in place.
 */
export function writeOutput(path: string, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const to = destinationOf(path);
  if (to.kind === 'descriptor') writeAll(to.fd, bytes);
  else if (to.kind === 'other') writeThrough(to.path, to.stat, bytes);
  else replace(to, bytes);
}

/** New content in a temporary file beside its destination. */
export interface Staged {
  /** Replaces the file with it. */
  commit(): void;
  /** Removes it; no effect after commit(). */
  abandon(): void;
}

/**
 * Replaces a regular file, or creates it, so that it has the old or the new content even after a power failure. A link stays a
 * link; the file keeps its mode and, if the system permits, its owner. @throws OutputError, or the system's error.
 */
export function replaceDurably(path: string, text: string): void {
  const to = destinationOf(path);
  if (to.kind !== 'file' && to.kind !== 'new') throw new OutputError('it is not a regular file');
  const staged = stage(to, Buffer.from(text), true);
  try {
    staged.commit();
  } catch (error) {
    staged.abandon();
    throw error;
  }
  // The name of the file is in its folder.
  const folder = openSync(dirname(to.path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Writes `bytes` to a file beside `to`, with the mode and owner of `to`. `flush`: to the disk. @throws the system's error. */
export function stage(to: Replaceable, bytes: Uint8Array, flush = false): Staged {
  // rename(2) does not check write permission of the replaced file.
  if (to.kind === 'file') accessSync(to.path, constants.W_OK);
  const temporary = join(dirname(to.path), `.${basename(to.path)}.${process.pid}.tmp`);
  const abandon = (): void => rmSync(temporary, { force: true });
  // Left by a killed process with the same number.
  abandon();
  try {
    writeFileSync(temporary, bytes, { flag: 'wx', mode: to.kind === 'file' ? 0o600 : 0o666, flush });
    if (to.kind === 'file') keepOwner(temporary, to.stat);
  } catch (error) {
    abandon();
    throw error;
  }
  return { abandon, commit: () => renameSync(temporary, to.path) };
}

function replace(to: Replaceable, bytes: Uint8Array): void {
  let staged: Staged | undefined;
  try {
    staged = stage(to, bytes);
    staged.commit();
  } catch (error) {
    staged?.abandon();
    if (to.kind !== 'file' || !NO_REPLACING.has(errnoCode(error) ?? '')) throw error;
    writeFileSync(to.path, bytes);
  }
}

function keepOwner(path: string, { uid, gid, mode }: Stats): void {
  try {
    chownSync(path, uid, gid);
  } catch (error) {
    // Only root can change the owner: otherwise the file belongs to this account.
    if (errnoCode(error) !== 'EPERM') throw error;
  }
  chmodSync(path, mode & 0o7777);
}

function writeThrough(path: string, stat: Stats, bytes: Uint8Array): void {
  if (stat.isDirectory()) throw new OutputError('it is a folder');
  if (stat.isSocket()) throw new OutputError('it is a socket');
  if (stat.isBlockDevice()) throw new OutputError('it is a disk');
  const fd = openForWriting(path);
  try {
    if (fstatSync(fd).isBlockDevice()) throw new OutputError('it is a disk');
    writeAll(fd, bytes);
  } finally {
    closeSync(fd);
  }
}

function openForWriting(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0));
  } catch (error) {
    if (errnoCode(error) === 'ENXIO') throw new OutputError('it is a pipe without a reader');
    throw error;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let at = 0, waited = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
      waited = 0;
    } catch (error) {
      if (errnoCode(error) !== 'EAGAIN') throw error;
      if (waited >= PIPE_TIMEOUT) throw new OutputError('its reader does not read');
      Atomics.wait(pause, 0, 0, PIPE_POLL);
      waited += PIPE_POLL;
    }
  }
}

function ownDescriptor(path: string): number | undefined {
  const found = DESCRIPTOR.exec(path);
  const foreign = /^\/proc\/(\d+)\//.exec(path);
  if (found === null || (foreign !== null && Number(foreign[1]) !== process.pid)) return undefined;
  return Number(found[1]);
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    // Not a link, or it does not exist: the caller checks.
    if (['EINVAL', 'ENOENT', 'UNKNOWN'].includes(errnoCode(error) ?? '')) return undefined;
    throw error;
  }
}
