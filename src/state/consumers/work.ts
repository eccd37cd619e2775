/** What it takes to check the credentials of consumers, so that a check of an unknown one can take the same. */
import type { ConsumerEntry, CredentialEntry } from '../../bundle/types.js';
import type { CredentialWork, CredentialWorks, WorkKind } from '../types.js';

/**
 * The work of a check, such as `$2b$10$`, `$argon2id$v=19$m=19456,t=2,p=1`, `ed25519` or `rsa-pss-sha512 256`, where the number is
 * that of the bytes of the modulus. Undefined for a credential whose check takes none.
 */
function workOf({ kind, data }: CredentialEntry): string | undefined {
  if (kind === 'password') return typeof data === 'string' ? workOfHash(data) : undefined;
  if (kind !== 'signature' || typeof data !== 'object' || data === null) return undefined;
  const { algorithm, key } = data as { readonly [member: string]: unknown };
  if (typeof algorithm !== 'string') return undefined;
  const modulus = typeof key === 'object' && key !== null && 'n' in key ? key['n'] : undefined;
  return typeof modulus === 'string' ? `${algorithm} ${Buffer.byteLength(modulus, 'base64url')}` : algorithm;
}

/** Kind and parameters of the hash: without salt and digest. */
function workOfHash(hash: string): string | undefined {
  const bcrypt = /^\$2[aby](\$\d\d\$)/.exec(hash);
  return bcrypt === null ? /^(\$[^$]+\$.+)\$[^$]*\$[^$]*$/.exec(hash)?.[1] : `$2b${bcrypt[1]}`;
}

interface Sum {
  readonly counts: Map<string, number>;
  mark: string | undefined;
}

/** Counts credentials as consumers are added and removed. */
export class WorkCounter {
  readonly #sums = new Map<WorkKind, Sum>();

  constructor(before: CredentialWorks = {}) {
    for (const [kind, { counts, mark }] of Object.entries(before) as [WorkKind, CredentialWork][])
      this.#sums.set(kind, { counts: new Map(Object.entries(counts)), mark });
  }

  add({ credentials }: ConsumerEntry): void {
    for (const credential of credentials) this.#count(credential, 1);
  }

  remove({ credentials }: ConsumerEntry): void {
    for (const credential of credentials) this.#count(credential, -1);
  }

  #count(credential: CredentialEntry, by: 1 | -1): void {
    const { kind, data } = credential;
    if (kind !== 'password' && kind !== 'signature') return;
    const work = workOf(credential);
    if (work === undefined) return;
    const sum = this.#sums.get(kind) ?? { counts: new Map<string, number>(), mark: undefined };
    this.#sums.set(kind, sum);
    const count = (sum.counts.get(work) ?? 0) + by;
    if (count > 0) sum.counts.set(work, count);
    else sum.counts.delete(work);
    // The first one stays: with another mark, unknown names would change their work, which those of consumers do not.
    if (by > 0) sum.mark ??= typeof data === 'string' ? data : JSON.stringify(data);
  }

  /** Undefined for none. */
  works(): CredentialWorks | undefined {
    if (this.#sums.size === 0) return undefined;
    return Object.fromEntries(
      [...this.#sums].map(([kind, { counts, mark = '' }]) => [kind, { counts: Object.fromEntries(counts), mark }]),
    );
  }
}
