/** Tokens that were verified, so that they are not verified again. Bounded in number and in size. */
import type { Authentication, Claims } from '../../contract.js';
import type { Binding } from './binding.js';

/** Of each worker and policy. */
const MAX_TOKENS = 10_000;
/** Sum of the lengths of the tokens; their claims take a multiple of it. */
const MAX_SIZE = 8 * 1024 * 1024;

export interface Verified {
  readonly claims: Claims;
  /** What authenticate() returns, once the sender is known to hold what the token is bound to. */
  readonly result: Authentication;
  readonly binding: Binding | undefined;
  /** Where the keys are from; the token counts while they do. */
  readonly source: { readonly usable: boolean };
  /** Of the consumers, when `result` was made. */
  readonly consumers: number;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** Length of the token. */
  readonly size: number;
}

/** By SHA-256 of the token. The oldest leave first. */
export class VerifiedTokens {
  readonly #tokens = new Map<string, Verified>();
  #size = 0;

  get count(): number {
    return this.#tokens.size;
  }

  get(digest: string): Verified | undefined {
    return this.#tokens.get(digest);
  }

  set(digest: string, verified: Verified): void {
    this.delete(digest);
    this.#tokens.set(digest, verified);
    this.#size += verified.size;
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_TOKENS && this.#size <= MAX_SIZE) return;
      this.delete(oldest);
    }
  }

  delete(digest: string): void {
    const known = this.#tokens.get(digest);
    if (known === undefined) return;
    this.#tokens.delete(digest);
    this.#size -= known.size;
  }

  /** Forgets the tokens whose claims the test names. */
  forget(test: (claims: Claims) => boolean): void {
    for (const [digest, { claims }] of this.#tokens) if (test(claims)) this.delete(digest);
  }

  clear(): void {
    this.#tokens.clear();
    this.#size = 0;
  }
}
