/** Whether another process has a file open for writing: from /proc on Linux, for processes of the same user. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';

/** Each descriptor costs some microseconds; beyond this number the search ends without a result. */
const MAX_DESCRIPTORS = 50_000;
/** A process with more is not an editor. */
const MAX_OF_ONE = 2000;

/**
 * True if another process has one of the files (real paths) open for writing. False if that cannot be determined: on other
 * platforms, and for processes of other users or containers. Never rejects.
 */
export async function heldForWriting(files: ReadonlySet<string>): Promise<boolean> {
  if (process.platform !== 'linux' || files.size === 0) return false;
  let budget = MAX_DESCRIPTORS;
  for (const pid of await list('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const descriptors = await list(`/proc/${pid}/fd`);
    if (descriptors.length > MAX_OF_ONE) continue;
    budget -= descriptors.length;
    if (budget < 0) return false;
    for (const descriptor of descriptors) {
      const path = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '');
      if (files.has(path) && (await opensForWriting(pid, descriptor))) return true;
    }
    await turn();
  }
  return false;
}

async function opensForWriting(pid: string, descriptor: string): Promise<boolean> {
  const info = await readFile(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').catch(() => '');
  const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1];
  // The access mode is in the last two bits: 1 is O_WRONLY, 2 is O_RDWR.
  return flags !== undefined && (Number.parseInt(flags, 8) & 3) !== 0;
}

/** Processes can exit during the search, and those of other users are not readable. */
const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
