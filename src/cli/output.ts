/** Where a command's result goes: a file that the command line names, or standard output. */
import { resolve, sep } from 'node:path';
import { destinationOf, OutputError, writeOutput } from '../output-file.js';
import { reasonOf } from '../reason.js';
import { failed, isErrno, usage } from './exit.js';
import type { Io } from './io.js';

/** Writes a file that the command line names; throws Stop when it cannot be written. */
export function writeFile(io: Io, output: string, bytes: Uint8Array): void {
  if (output === '') throw usage('The name of the output file is empty.');
  if (output.endsWith('/') || output.endsWith(sep)) throw failed(`Cannot write ${output}: it is the name of a folder.`);
  try {
    writeOutput(resolve(io.cwd, output), bytes);
  } catch (error) {
    if (!isErrno(error) && !(error instanceof OutputError)) throw error;
    throw failed(`Cannot write ${output}: ${reasonOf(error, 'write')}.`);
  }
}

/** `-`, and what leads there: what is said to people goes elsewhere then. */
export function isStandardOutput(io: Io, output: string): boolean {
  if (output === '-') return true;
  try {
    const to = destinationOf(resolve(io.cwd, output));
    return to.kind === 'descriptor' && to.fd === 1;
  } catch {
    // Writing says why.
    return false;
  }
}
