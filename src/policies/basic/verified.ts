/** Credentials that were verified lately: bounded, without any password. */
import * as crypto from 'node:crypto';
import type { Identity } from '../contract.js';
import type { Credentials } from './credentials.js';

export interface Verified {
  /** The hash that the password fits: another one ends the entry. */
  readonly hash: string;
  readonly identity: Identity;
  /** Of the consumers, when the user was looked up. */
  readonly version: number;
  /** Milliseconds of the monotonic clock. */
  readonly until: number;
  /** Networks of clients that are noted as those of the user. */
  readonly networks: Set<string>;
}

const MAX_ENTRIES = 4096;

export class VerifiedCredentials {
  /** Known to this instance alone: its digests say nothing about the passwords. */
  readonly #secret = crypto.randomBytes(32);
  /** In the order of their last use. */
  readonly #entries = new Map<string, Verified>();

  keyOf({ user, password }: Credentials): string {
    return crypto.createHmac('sha256', this.#secret).update(`${user}:${password}`).digest('base64');
  }

  get(key: string, now: number): Verified | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    this.#entries.delete(key);
    if (found.until <= now) return undefined;
    this.#entries.set(key, found);
    return found;
  }

  set(key: string, entry: Verified): void {
    this.#entries.delete(key);
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(key, entry);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
  }
}
