/**
 * Checks passwords against hashes, never on the thread of the requests: argon2 and scrypt in the thread pool of libuv, bcrypt in
 * a thread of its own. Package and thread are there from the first hash of their kind on.
 */
import * as crypto from 'node:crypto';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { BcryptAnswer, BcryptQuestion } from './bcrypt-thread.js';
import type { PasswordHash, ScryptHash } from './hash.js';

const scrypt = promisify<crypto.BinaryLike, crypto.BinaryLike, number, crypto.ScryptOptions, Buffer>(crypto.scrypt);

interface Pending {
  readonly resolve: (fits: boolean) => void;
  readonly reject: (error: Error) => void;
}

export class PasswordChecker {
  /** Of the current thread. */
  #pending = new Map<number, Pending>();
  #thread: Worker | undefined;
  #ids = 0;

  /** Whether the password fits the hash. Rejects if that cannot be found out. */
  async check(hash: PasswordHash, password: string): Promise<boolean> {
    switch (hash.kind) {
      case 'bcrypt':
        return this.#askThread(password, hash.text);
      case 'scrypt':
        return checkScrypt(hash, password);
      default:
        return (await import('@node-rs/argon2')).verify(hash.text, password);
    }
  }

  /** Checks in progress reject. */
  close(): void {
    void this.#thread?.terminate();
    this.#thread = undefined;
  }

  #askThread(password: string, hash: string): Promise<boolean> {
    this.#thread ??= this.#start();
    const question: BcryptQuestion = { id: this.#ids++, password, hash };
    return new Promise((resolve, reject) => {
      this.#pending.set(question.id, { resolve, reject });
      this.#thread!.ref();
      this.#thread!.postMessage(question);
    });
  }

  #start(): Worker {
    const thread = new Worker(new URL('./bcrypt-thread.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const pending = new Map<number, Pending>();
    this.#pending = pending;
    thread.on('message', ({ id, fits }: BcryptAnswer) => {
      pending.get(id)?.resolve(fits);
      pending.delete(id);
      if (pending.size === 0) thread.unref();
    });
    const end = (cause: string): void => {
      if (this.#thread === thread) this.#thread = undefined;
      for (const { reject } of pending.values()) reject(new Error(cause));
      pending.clear();
    };
    thread.on('error', ({ message }) => end(`the thread for bcrypt failed: ${message}`));
    thread.on('exit', () => end('the thread for bcrypt ended'));
    return thread;
  }
}

async function checkScrypt({ ln, r, p, salt, hash }: ScryptHash, password: string): Promise<boolean> {
  const expected = Buffer.from(hash, 'base64');
  const N = 2 ** ln;
  // Node counts a little more than the 128 * N * r bytes of RFC 7914.
  const maxmem = 128 * N * r + 128 * r * p + 1024 ** 2;
  const found = await scrypt(password, Buffer.from(salt, 'base64'), expected.length, { N, r, p, maxmem });
  return crypto.timingSafeEqual(found, expected);
}
