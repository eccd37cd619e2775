/** One gateway uses a folder at a time: a file in it names its process. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A process, by its number and its start: numbers are used again. */
interface Holder {
  readonly pid: number;
  readonly began: string;
}

export class FolderLock {
  readonly #path: string;
  #held = false;

  constructor(folder: string) {
    this.#path = join(folder, 'in-use');
  }

  /** @throws Error if another gateway uses the folder, or if it cannot be written */
  take(): void {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        const holder: Holder = { pid: process.pid, began: beganAt(process.pid) };
        writeFileSync(this.#path, JSON.stringify(holder), { flag: 'wx', mode: 0o600 });
        this.#held = true;
        return;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      const holder = this.#holder();
      if (holder !== undefined && runs(holder)) throw new Error(`process ${holder.pid} uses it`);
      // Its process was killed.
      rmSync(this.#path, { force: true });
    }
    throw new Error('another gateway has begun to use it');
  }

  /** Idempotent. */
  release(): void {
    if (this.#held) rmSync(this.#path, { force: true });
    this.#held = false;
  }

  #holder(): Holder | undefined {
    try {
      const found = JSON.parse(readFileSync(this.#path, 'utf8')) as Partial<Holder> | null;
      return typeof found?.pid === 'number' && typeof found.began === 'string' ? (found as Holder) : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

/** Whether the process runs, and its number has not gone to a later one. */
function runs({ pid, began }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false;
  }
  return beganAt(pid) === began;
}

/** Clock ticks from the start of the system to that of the process; '' where the system does not say. */
function beganAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // After the name, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
