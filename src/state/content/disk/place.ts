/** The folder of a store: one process and gateway uses it at a time, and a file that is damaged is moved aside before lmdb sees it. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errnoCode } from '../../../reason.js';

const FILE = 'data.mdb';
const OWNER = 'owner.json';
const OPENING = 'opening';

/** Milliseconds after which an owner that does not renew itself is gone, if its process cannot be looked at. */
export const OWNER_STALE_MS = 60_000;
export const OWNER_RENEW_MS = 10_000;

/** Opens that have not ended: their file made the process crash, or it was killed. */
const MAX_OPENINGS = 2;

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts. '' if that cannot be known. */
  readonly started: string;
  /** One for each gateway in a process. */
  readonly token: string;
}

export class StorePlace {
  readonly path: string;
  readonly #me: Owner;

  /** `token`: of the gateway, the same for each thread that it starts. */
  constructor(path: string, token: string) {
    this.path = path;
    this.#me = { pid: process.pid, host: hostname(), started: startOf(process.pid), token };
  }

  /** Takes the folder. Resolves with who has it, if that is another gateway. @throws Error if it cannot be written */
  claim(): string | undefined {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    // Contents do not belong into a repository.
    writeFileSync(join(this.path, '.gitignore'), '*\n', { mode: 0o600 });
    const file = join(this.path, OWNER);
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        writeFileSync(file, `${JSON.stringify(this.#me)}\n`, { flag: 'wx', mode: 0o600 });
        return undefined;
      } catch (error) {
        if (errnoCode(error) !== 'EEXIST') throw error;
      }
      const holder = this.#read();
      if (holder !== undefined && this.#isMe(holder)) return undefined;
      if (holder !== undefined && this.#isAlive(holder)) return `process ${holder.pid} on ${holder.host}`;
      // Renamed, not removed: of two gateways that look at the same time, one gets it.
      try {
        renameSync(file, join(this.path, `${OWNER}.${process.pid}.gone`));
        rmSync(join(this.path, `${OWNER}.${process.pid}.gone`), { force: true });
      } catch (error) {
        if (errnoCode(error) !== 'ENOENT') throw error;
      }
    }
    return 'another gateway that started at the same time';
  }

  /** Says that it is alive. False: another gateway has taken the folder. @throws Error if it cannot be written */
  renew(): boolean {
    const holder = this.#read();
    if (holder === undefined || !this.#isMe(holder)) return false;
    const now = new Date();
    utimesSync(join(this.path, OWNER), now, now);
    return true;
  }

  /** Gives the folder up. */
  release(): void {
    const holder = this.#read();
    if (holder !== undefined && this.#isMe(holder)) rmSync(join(this.path, OWNER), { force: true });
  }

  /**
   * Before lmdb opens the file, which it maps into memory: a damaged one could end the process. Returns why it was moved aside,
   * if it was. @throws Error if the folder cannot be read or written
   */
  begin(): string | undefined {
    const marker = join(this.path, OPENING);
    const openings = existsSync(marker) ? Number(readFileSync(marker, 'utf8')) || 0 : 0;
    const damage = openings >= MAX_OPENINGS ? 'the last opens of it did not end' : damageOf(join(this.path, FILE));
    if (damage !== undefined) this.moveAside();
    writeFileSync(marker, String(damage === undefined ? openings + 1 : 1), { mode: 0o600 });
    return damage;
  }

  /** The file is open and its tables were read. */
  opened(): void {
    rmSync(join(this.path, OPENING), { force: true });
  }

  /** Keeps one damaged file. */
  moveAside(): void {
    const file = join(this.path, FILE);
    if (existsSync(file)) renameSync(file, `${file}.damaged`);
    rmSync(join(this.path, 'lock.mdb'), { force: true });
  }

  #read(): Owner | undefined {
    try {
      const value: unknown = JSON.parse(readFileSync(join(this.path, OWNER), 'utf8'));
      return isOwner(value) ? value : undefined;
    } catch (error) {
      // Empty or cut: its process was killed while it wrote.
      if (errnoCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  #isMe({ pid, host, started, token }: Owner): boolean {
    const me = this.#me;
    return pid === me.pid && host === me.host && started === me.started && token === me.token;
  }

  #isAlive({ pid, host, started }: Owner): boolean {
    if (host === hostname() && !isRunning(pid, started)) return false;
    const facts = statSync(join(this.path, OWNER), { throwIfNoEntry: false });
    return facts !== undefined && Date.now() - facts.mtimeMs < OWNER_STALE_MS;
  }
}

const isOwner = (value: unknown): value is Owner => {
  const owner = value as Partial<Owner> | null;
  return (
    typeof owner === 'object' &&
    typeof owner?.pid === 'number' &&
    typeof owner.host === 'string' &&
    typeof owner.started === 'string' &&
    typeof owner.token === 'string'
  );
};

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

const MAGIC = 0xbeefc0de;
/** Where a file of lmdb says what it holds: twice, in its first two pages. */
const META = { magic: 24, pageSize: 48, lastPage: 144, end: 160 };

/** Why lmdb must not map this file; undefined if it may, or if there is none. @throws Error if it cannot be read */
export function damageOf(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return undefined;
    const head = Buffer.alloc(META.end);
    let at = 0;
    for (let meta = 0; meta < 2; meta++) {
      if (readSync(descriptor, head, 0, META.end, at) < META.end) return 'it is cut';
      if (head.readUInt32LE(META.magic) !== MAGIC) return 'it does not begin like a store';
      const pageSize = head.readUInt32LE(META.pageSize);
      if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return 'its page size is wrong';
      if ((Number(head.readBigUInt64LE(META.lastPage)) + 1) * pageSize > size) return 'it is cut';
      at = pageSize;
    }
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}
