/** Files that the command line names: what is read and written, and how their paths are shown. */
import { relative, resolve, sep } from 'node:path';
import { INPUT_LIMITS, InputError, readInputFile } from '../input-file.js';
import { destinationOf, OutputError, writeOutput } from '../output-file.js';
import { errnoCode, reasonOf } from '../reason.js';
import { CommandError, failed, usage } from './exit-codes.js';
import type { Io } from './io.js';

/** The name of standard input and standard output on a command line. */
export const STANDARD = '-';
/** The name of standard input in diagnostics. */
export const STDIN_NAME = '<stdin>';

/** A path for output: relative to the working directory. */
export const shownPath = (io: Io, path: string): string => relative(io.cwd, path) || path;

/**
 * The bytes of a file that the command line names. Throws CommandError when it cannot be read. A bundle is read more than
 * once, so it must be a regular file; keys and documents may come through a pipe.
 */
export function readInput(io: Io, given: string, what: Exclude<keyof typeof INPUT_LIMITS, 'spec'>): Uint8Array {
  try {
    return readInputFile(resolve(io.cwd, given), { maxBytes: INPUT_LIMITS[what], pipes: what !== 'bundle' });
  } catch (error) {
    if (isFileError(error)) throw failed(`Cannot read ${given}: ${reasonOf(error)}.`);
    throw error;
  }
}

/** All of standard input, to its end. Throws CommandError when it has more than `maxBytes` or cannot be read. */
export async function readStandardInput(io: Io, maxBytes: number): Promise<Uint8Array> {
  const { stdin } = io;
  if (stdin.isTTY) io.note('Reading standard input; Ctrl-D ends it.');
  const chunks: Buffer[] = [];
  let total = 0;
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      total += chunk.length;
      if (total > maxBytes) throw tooLarge(maxBytes);
    }
  } catch (error) {
    if (error instanceof CommandError || errnoCode(error) === undefined) throw error;
    throw failed(`Cannot read ${STDIN_NAME}: ${reasonOf(error)}.`);
  }
  return Buffer.concat(chunks);
}

export const tooLarge = (maxBytes: number): CommandError =>
  failed(`${STDIN_NAME} has more than ${maxBytes / 1024 ** 2} MiB.`);

/** Writes a file that the command line names. Throws CommandError when it cannot be written. */
export function writeFile(io: Io, output: string, bytes: Uint8Array): void {
  if (output === '') throw usage('The name of the output file is empty.');
  if (output.endsWith('/') || output.endsWith(sep)) throw failed(`Cannot write ${output}: it is the name of a folder.`);
  try {
    writeOutput(resolve(io.cwd, output), bytes);
  } catch (error) {
    if (!isFileError(error)) throw error;
    throw failed(`Cannot write ${output}: ${reasonOf(error, 'write')}.`);
  }
}

/** `-`, and paths that lead to standard output: messages for people go to standard error then. */
export function isStandardOutput(io: Io, output: string): boolean {
  if (output === STANDARD) return true;
  try {
    const to = destinationOf(resolve(io.cwd, output));
    return to.kind === 'descriptor' && to.fd === 1;
  } catch (error) {
    // Writing reports why.
    if (isFileError(error)) return false;
    throw error;
  }
}

/** A file cannot be used, or the system refused it: the user's fault to correct, not a bug. */
export const isFileError = (error: unknown): boolean =>
  errnoCode(error) !== undefined || error instanceof InputError || error instanceof OutputError;
