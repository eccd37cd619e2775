/** One gateway uses a folder at a time: a file in it names the process, and is renewed while it runs. */
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errnoCode } from '../reason.js';

const OWNER = 'owner.json';

/** Milliseconds after which an owner that does not renew itself is gone, if its process cannot be looked at. */
export const OWNER_STALE_MS = 60_000;
export const OWNER_RENEW_MS = 10_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts. '' if that cannot be known. */
  readonly started: string;
  /** One for each gateway in a process. */
  readonly token: string;
}

export class FolderLock {
  readonly #file: string;
  readonly #aside: string;
  readonly #me: Owner;

  /** `token`: of the gateway, the same for each thread that it starts. */
  constructor(folder: string, token: string) {
    this.#file = join(folder, OWNER);
    this.#aside = `${this.#file}.${process.pid}.${token}`;
    this.#me = { pid: process.pid, host: hostname(), started: startOf(process.pid), token };
  }

  /** Takes the folder. Returns who has it, if that is another gateway. @throws Error if it cannot be written */
  claim(): string | undefined {
    for (let attempt = 0; attempt < 3; attempt++) {
      if (this.#create()) return undefined;
      const found = this.#read();
      if (found === undefined) continue;
      const { text, owner } = found;
      if (owner !== undefined && this.#isMe(owner)) return undefined;
      if (owner !== undefined && this.#isAlive(owner)) return `process ${owner.pid} on ${owner.host}`;
      this.#remove(text);
    }
    return 'another gateway that started at the same time';
  }

  /** Says that it is alive. False: another gateway has taken the folder. @throws Error if it cannot be written */
  renew(): boolean {
    if (!this.#held()) return false;
    const now = new Date();
    utimesSync(this.#file, now, now);
    return true;
  }

  /** Gives the folder up. Idempotent; no effect if another gateway has it. */
  release(): void {
    if (this.#held()) rmSync(this.#file, { force: true });
  }

  #held(): boolean {
    const owner = this.#read()?.owner;
    return owner !== undefined && this.#isMe(owner);
  }

  /** Creates the file together with its text: a reader finds no empty one. False if another gateway has created it. */
  #create(): boolean {
    const text = `${JSON.stringify(this.#me)}\n`;
    writeFileSync(this.#aside, text, { mode: 0o600 });
    try {
      try {
        linkSync(this.#aside, this.#file);
      } catch (error) {
        if (errnoCode(error) === 'EEXIST') return false;
        // The file system has no links.
        writeFileSync(this.#file, text, { flag: 'wx', mode: 0o600 });
      }
      return true;
    } catch (error) {
      if (errnoCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(this.#aside, { force: true });
    }
  }

  /** Removes the file of an owner that is gone, and not that of another gateway which has just removed it too. */
  #remove(text: string): void {
    try {
      renameSync(this.#file, this.#aside);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      if (readFileSync(this.#aside, 'utf8') !== text) linkSync(this.#aside, this.#file);
    } catch (error) {
      // A third one has the folder: the second one finds that when it renews itself.
      if (errnoCode(error) !== 'EEXIST') throw error;
    } finally {
      rmSync(this.#aside, { force: true });
    }
  }

  /** `owner`: undefined if the text is cut or not that of an owner. */
  #read(): { readonly text: string; readonly owner: Owner | undefined } | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    return { text, owner: ownerOf(text) };
  }

  #isMe({ pid, host, started, token }: Owner): boolean {
    const me = this.#me;
    return pid === me.pid && host === me.host && started === me.started && token === me.token;
  }

  #isAlive({ pid, host, started }: Owner): boolean {
    if (host === hostname()) {
      if (!isRunning(pid, started)) return false;
      // It may stand still for long, and goes on to use the folder.
      if (started !== '') return true;
    }
    const facts = statSync(this.#file, { throwIfNoEntry: false });
    return facts !== undefined && Date.now() - facts.mtimeMs < OWNER_STALE_MS;
  }
}

function ownerOf(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner> | null;
    const whole =
      typeof owner === 'object' &&
      typeof owner?.pid === 'number' &&
      typeof owner.host === 'string' &&
      typeof owner.started === 'string' &&
      typeof owner.token === 'string';
    return whole ? (owner as Owner) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Its process runs, and its number does not belong to a later one. */
function isRunning(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoCode(error) !== 'EPERM') return false;
  }
  const now = startOf(pid);
  return now === '' || started === '' || now === started;
}

/** Clock ticks from the start of the system to that of the process; '' where the system does not say. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which may hold anything.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
