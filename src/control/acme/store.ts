/** Where accounts, keys and certificates are kept. On disk now; a store that several machines share implements the same interface. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { After } from '../../proxy/exchange/questions.js';
import { errnoCode } from '../../reason.js';
import { FolderLock, OWNER_RENEW_MS } from '../../state/folder-lock.js';

/** Text by key. A key is a path of names: `acme.example-1a2b3c4d/shop.example.com.pem`. All methods reject if the store cannot be used. */
export interface AcmeStore {
  /** Undefined: there is none. */
  read(key: string): Promise<string | undefined>;
  /** Replaces the text at once: a reader sees the old or the new one. Resolves when it survives a restart. */
  write(key: string, text: string): Promise<void>;
  /** The lock with this name; undefined while another process has it. A lock of a process that has ended is free. */
  lock(name: string): Promise<AcmeLock | undefined>;
}

export interface AcmeLock {
  /** Idempotent. */
  release(): void;
}

/** More is not a key with its certificates. */
const MAX_BYTES = 256 * 1024;

/** A name of a key: it is also the name of a file. */
const NAME = /^[a-z0-9*_-][a-z0-9*._-]*$/;

/** Files of this process's user only: 0600, in folders with 0700. */
export class FolderStore implements AcmeStore {
  readonly #folder: string;
  readonly #token: string;
  readonly #after: After;
  #written = 0;

  /** `token`: of the gateway; two of them in one process exclude each other. */
  constructor(folder: string, token: string, after: After) {
    this.#folder = folder;
    this.#token = token;
    this.#after = after;
  }

  async read(key: string): Promise<string | undefined> {
    try {
      const bytes = readFileSync(this.#path(key));
      if (bytes.length > MAX_BYTES) throw new Error(`${key} is larger than ${MAX_BYTES} bytes`);
      return bytes.toString('utf8');
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async write(key: string, text: string): Promise<void> {
    const path = this.#path(key);
    const folder = this.#open(dirname(path));
    const aside = `${path}.${process.pid}.${this.#token}.${++this.#written}`;
    try {
      // A new file: never through a link, and never with the mode of another one.
      const fd = openSync(aside, 'wx', 0o600);
      try {
        for (let bytes = Buffer.from(text); bytes.length > 0; ) bytes = bytes.subarray(writeSync(fd, bytes));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(aside, path);
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
    syncFolder(folder);
  }

  async lock(name: string): Promise<AcmeLock | undefined> {
    const folder = this.#open(this.#path(`${name}/lock`));
    const lock = new FolderLock(folder, this.#token);
    if (lock.claim() !== undefined) return undefined;
    let cancel = (): void => {};
    const renew = (): void => {
      cancel = this.#after(OWNER_RENEW_MS, () => {
        if (lock.renew()) renew();
      });
    };
    renew();
    return {
      release: () => {
        cancel();
        lock.release();
      },
    };
  }

  #path(key: string): string {
    const names = key.split('/');
    if (!names.every((name) => NAME.test(name))) throw new Error(`${key} is not a key of the store`);
    return join(this.#folder, ...names);
  }

  /** Creates a folder and those above it, up to that of the store. */
  #open(folder: string): string {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(this.#folder, 0o700);
    return folder;
  }
}

/** The name of a file is on disk after this, where folders can be synchronized. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    if (!/^E(INVAL|PERM|ISDIR)$/.test(errnoCode(error) ?? '')) throw error;
  } finally {
    closeSync(fd);
  }
}
