/** How commands end. Anything else that is thrown is a bug in gw. */
export const EXIT = {
  ok: 0,
  /** The spec has errors, or a check failed. */
  failed: 1,
  usage: 2,
  /** A bug in gw (EX_SOFTWARE of sysexits.h). */
  bug: 70,
} as const;

/** Ends a command with a message and no stack: the user can do something about it. No message: all has been said. */
export class Stop extends Error {
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** The command was called wrongly. */
export const usage = (message: string): Stop => new Stop(EXIT.usage, message);

/** The command was right, and what it looked at is not. */
export const failed = (message: string): Stop => new Stop(EXIT.failed, message);

export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return codes.length === 0 || codes.includes(error.code);
}
