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
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoCode } from '../../../reason.js';
import { FolderLock } from '../../folder-lock.js';
import { fileOf } from './tables.js';

const OPENING = 'opening';

/** Opens that have not ended: their file made the process crash, or it was killed. */
const MAX_OPENINGS = 2;

export class StorePlace {
  readonly path: string;
  readonly #lock: FolderLock;

  /** `token`: of the gateway, the same for each thread that it starts. */
  constructor(path: string, token: string) {
    this.path = path;
    this.#lock = new FolderLock(path, token);
  }

  /** Takes the folder. Returns who has it, if that is another gateway. @throws Error if it cannot be written */
  claim(): string | undefined {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    // Contents do not belong into a repository.
    writeFileSync(join(this.path, '.gitignore'), '*\n', { mode: 0o600 });
    return this.#lock.claim();
  }

  /** Says that it is alive. False: another gateway has taken the folder. @throws Error if it cannot be written */
  renew(): boolean {
    return this.#lock.renew();
  }

  /** Gives the folder up. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Before lmdb opens the file, which it maps into memory: a damaged one could end the process. Returns why it was moved aside,
   * if it was. @throws Error if the folder cannot be read or written
   */
  begin(): string | undefined {
    const marker = join(this.path, OPENING);
    const openings = existsSync(marker) ? Number(readFileSync(marker, 'utf8')) || 0 : 0;
    const damage = openings >= MAX_OPENINGS ? 'the last opens of it did not end' : damageOf(fileOf(this.path));
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
    const file = fileOf(this.path);
    if (existsSync(file)) renameSync(file, `${file}.damaged`);
    rmSync(join(this.path, 'lock.mdb'), { force: true });
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
