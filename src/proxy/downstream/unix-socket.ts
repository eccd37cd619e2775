/** Unix sockets that listeners bind: their file, what is left of an earlier one, and who may connect. */
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { errnoCode } from '../../reason.js';

/** Milliseconds for a connection to a socket that is in the way: another program accepts it at once. */
const PROBE_MS = 1000;

/** The path of an address `unix:/path`; undefined for one of TCP. */
export const unixPath = (address: string): string | undefined =>
  address.startsWith('unix:') ? address.slice(5) : undefined;

/**
 * Removes the file of a socket that no program listens on any more: a gateway that was killed leaves it. Resolves with whether the path
 * is free now; a file that is no socket, or one that is in use, stays.
 */
export async function removeStale(path: string): Promise<boolean> {
  try {
    const before = await lstat(path);
    if (!before.isSocket() || (await isInUse(path))) return false;
    const now = await lstat(path);
    // Another program has replaced it meanwhile.
    if (now.ino !== before.ino) return false;
    await unlink(path);
    return true;
  } catch (error) {
    return errnoCode(error) === 'ENOENT';
  }
}

function isInUse(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (inUse: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(inUse);
    };
    const timer = setTimeout(() => settle(true), PROBE_MS);
    socket.once('connect', () => settle(true));
    // Only a refusal says that there is no listener: a full queue, for example, does not.
    socket.once('error', (error) => settle(errnoCode(error) !== 'ECONNREFUSED'));
  });
}

/** Lets those connect whom `mode` (of chmod) lets write. */
export const permit = (path: string, mode: number): Promise<void> => chmod(path, mode);
