/**
 * Reads files whose paths come from users: bounded in memory, and without blocking on a file without data. Anything but a
 * regular file is refused before it is opened, because opening a device can have side effects.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { errnoCode } from './reason.js';

/** Maximum size of a file that gw reads, in bytes, by kind. */
export const INPUT_LIMITS = {
  /** A spec file, an include, an overlay. */
  spec: 10 * 1024 ** 2,
  /** A file of consumers: about a million of them. */
  consumers: 256 * 1024 ** 2,
  bundle: 256 * 1024 ** 2,
  /** A certificate, a key, the value of a `${file:}` reference. */
  secret: 1024 ** 2,
  /** A certificate revocation list. */
  revocationList: 16 * 1024 ** 2,
  /** An OpenAPI document. */
  document: 64 * 1024 ** 2,
} as const;

/** gw does not read this file. The message follows a colon: `it is a folder`. */
export class InputError extends Error {
  override readonly name = 'InputError';
  constructor(
    readonly kind: 'unreadable' | 'too-large',
    message: string,
  ) {
    super(message);
  }
}

export interface InputOptions {
  readonly maxBytes: number;
  /**
   * Read a pipe to its end, for `<(command)` of a shell and /dev/stdin. This thread blocks while the writer pauses, at most
   * five seconds: only for commands. Default false.
   */
  readonly pipes?: boolean;
}

/** Milliseconds that the writer of a pipe may pause. */
const PIPE_TIMEOUT = 5000;
/** Milliseconds between two reads of an empty pipe. */
const PIPE_POLL = 10;
const CHUNK = 65_536;
// O_NONBLOCK: does not wait for the writer of a pipe or for a device. O_NOCTTY: does not acquire a terminal.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

/**
 * The content of a file. @throws InputError if it is not a regular file or larger than `maxBytes`, and the system's error if
 * it cannot be opened or read.
 */
export function readInputFile(path: string, options: InputOptions): Buffer {
  check(statSync(path), options);
  const file = openSync(path, FLAGS);
  try {
    // It may have been replaced meanwhile.
    const stat = fstatSync(file);
    check(stat, options);
    return readAll(file, stat, options.maxBytes);
  } finally {
    closeSync(file);
  }
}

/** The same as UTF-8 text; invalid bytes become U+FFFD. */
export const readInputText = (path: string, options: InputOptions): string =>
  readInputFile(path, options).toString('utf8');

/** The first bytes of a regular file, at most `length`; undefined for a pipe, which can be read only once. */
export function readFirstBytes(path: string, length: number): Uint8Array | undefined {
  if (!statSync(path).isFile()) return undefined;
  const file = openSync(path, FLAGS);
  try {
    const head = new Uint8Array(length);
    return fstatSync(file).isFile() ? head.subarray(0, readSync(file, head)) : undefined;
  } finally {
    closeSync(file);
  }
}

function check(stat: Stats, { maxBytes, pipes }: InputOptions): void {
  if (stat.isFile()) {
    if (stat.size > maxBytes) throw tooLarge(maxBytes, stat.size);
    return;
  }
  if (!(stat.isFIFO() && pipes === true)) throw new InputError('unreadable', `it is ${kindOf(stat)}`);
}

/** The kind of a file, with its article. */
export function kindOf(stat: Stats): string {
  if (stat.isFile()) return 'a regular file';
  if (stat.isDirectory()) return 'a folder';
  if (stat.isFIFO()) return 'a pipe, not a regular file';
  if (stat.isSocket()) return 'a socket, not a regular file';
  return 'a device, not a regular file';
}

/** Does not rely on the size: it is 0 for files of /proc, and a file may grow while it is read. */
function readAll(file: number, stat: Stats, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.max(CHUNK, Math.min(stat.size - total + 1, maxBytes)));
    const count = stat.isFile() ? readSync(file, chunk) : readPipe(file, chunk);
    if (count === 0 && total === 0 && !stat.isFile()) {
      throw new InputError('unreadable', 'it is an empty pipe');
    }
    if (count === 0) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    total += count;
    if (total > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk.subarray(0, count));
  }
}

/** `readSync` that waits for the writer of a pipe, for a bounded time. */
function readPipe(file: number, chunk: Buffer): number {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; ; waited += PIPE_POLL) {
    try {
      return readSync(file, chunk);
    } catch (error) {
      if (errnoCode(error) !== 'EAGAIN') throw error;
      if (waited >= PIPE_TIMEOUT) {
        throw new InputError('unreadable', 'it is a pipe without data, and its writer timed out');
      }
      Atomics.wait(pause, 0, 0, PIPE_POLL);
    }
  }
}

function tooLarge(maxBytes: number, size?: number): InputError {
  const has = size === undefined ? 'more than that' : sizeText(size);
  return new InputError('too-large', `the maximum is ${sizeText(maxBytes)}, and it has ${has}`);
}

function sizeText(bytes: number): string {
  const mib = bytes / 1024 ** 2;
  if (mib >= 1024) return `${(mib / 1024).toFixed(1)} GiB`;
  return `${Number.isInteger(mib) ? mib : mib.toFixed(1)} MiB`;
}
