/** One writer of a file at a time, also among processes: `.FILE.lock` beside it says which process writes. */
import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { destinationOf } from '../../output-file.js';
import { errnoCode } from '../../reason.js';

/** Another process has the lock for too long. */
export class LockedError extends Error {
  override readonly name = 'LockedError';
}

const STEP_MS = 20;
/** Writing takes some milliseconds. */
const PATIENCE_MS = 5000;
/** A lock is given up after this time: its process is on another machine, or its number belongs to another process now. */
const STALE_MS = 60_000;

/** Runs `work` while no other caller does for the same path, in this process or another one. @throws LockedError */
export async function withLock<T>(path: string, work: () => T | Promise<T>, patience = PATIENCE_MS): Promise<T> {
  const file = realPath(path);
  // A pattern such as `consumers/*` does not match a name that begins with a dot.
  const lock = join(dirname(file), `.${basename(file)}.lock`);
  const until = performance.now() + patience;
  for (;;) {
    if (take(lock)) break;
    if (isStale(lock) && removeStale(lock)) continue;
    if (performance.now() > until) {
      throw new LockedError(`another process is writing this file: ${lock} exists`);
    }
    await sleep(STEP_MS);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** The file that a link leads to: writers that come by different names have one lock. */
function realPath(path: string): string {
  const to = destinationOf(path);
  return to.kind === 'descriptor' ? path : to.path;
}

function take(lock: string): boolean {
  try {
    const file = openSync(lock, 'wx', 0o600);
    try {
      writeSync(file, `${process.pid} ${hostname()}\n`);
    } catch (error) {
      rmSync(lock, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return true;
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * One process at a time looks again and removes it: otherwise one that has waited longer would remove the lock that another
 * process has taken in place of the old one, and two would write.
 */
function removeStale(lock: string): boolean {
  const turn = `${lock}.stale`;
  if (!take(turn)) {
    // Its process has ended within these few lines.
    if (isStale(turn)) rmSync(turn, { force: true });
    return false;
  }
  try {
    if (isStale(lock)) rmSync(lock, { force: true });
    return true;
  } finally {
    rmSync(turn, { force: true });
  }
}

/** Its process has ended without removing it, or nearly certainly so. */
function isStale(lock: string): boolean {
  try {
    const [pid = '', host = ''] = readFileSync(lock, 'utf8').trim().split(' ');
    if (host === hostname() && /^\d+$/.test(pid) && !isRunning(Number(pid))) return true;
    return Date.now() - statSync(lock).mtimeMs > STALE_MS;
  } catch (error) {
    // Removed meanwhile.
    if (errnoCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoCode(error) === 'EPERM';
  }
}
