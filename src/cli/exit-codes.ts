/** How commands end. Anything that is thrown and is not a CommandError is a bug in gw. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { SourceFile } from '../spec/model.js';

/** One exit code for each kind of fault, in every command. docs/commands.md lists them for people. */
export const EXIT = {
  ok: 0,
  /** The spec has errors, a file cannot be read or written, or a check failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A bug in gw (EX_SOFTWARE of sysexits.h). */
  bug: 70,
} as const;

export type FailureKind = 'failed' | 'usage' | 'bug';

/** Ends a command with a message and without a stack: the user can correct the cause. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError';
  constructor(
    readonly kind: Exclude<FailureKind, 'bug'>,
    message: string,
  ) {
    super(message);
  }
}

/** A spec has errors: the diagnostics are the message. */
export class SpecError extends CommandError {
  override readonly name = 'SpecError';
  constructor(
    readonly diagnostics: readonly Diagnostic[],
    readonly files: readonly SourceFile[],
  ) {
    super('failed', 'The spec has errors.');
  }
}

/** The command line is wrong. */
export const usage = (message: string): CommandError => new CommandError('usage', message);

/** The command line is right, but a file, a spec or a check is not. */
export const failed = (message: string): CommandError => new CommandError('failed', message);
