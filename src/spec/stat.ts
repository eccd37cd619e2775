import { type BigIntStats, statSync } from 'node:fs';

/**
 * Status of a path, following links. Undefined if there is none: the path is missing, not permitted, a cycle of links, or
 * below a file. The code that reads the file then reports the reason.
 */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false, bigint: true });
  } catch {
    return undefined;
  }
}
