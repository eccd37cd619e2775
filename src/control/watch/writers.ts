/** Whether a process has a file open for writing: what Linux says of processes that this one may look into. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';

/** A look costs some microseconds a descriptor; a machine with more of them gets no answer. */
const MAX_DESCRIPTORS = 50_000;
/** A process with more is not an editor. */
const MAX_OF_ONE = 2000;

/**
 * True when another process holds one of the files (real paths) open for writing. False where that cannot be known: on
 * other platforms, or of processes of other users or containers. Never rejects.
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

/** Processes end while they are looked at, and those of others cannot be looked into. */
const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
