import { type BigIntStats, statSync } from 'node:fs';

/**
 * What lies at a path, links followed; undefined where nothing can be seen: nothing is there, no permission, a circle of
 * links, a file where a folder would have to be. Whoever then reads the file says which.
 */
export function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false, bigint: true });
  } catch {
    return undefined;
  }
}
