/** The keys of a policy at run time: which of them may verify a token, prepared once for each algorithm. */
import type { Jose, VerificationKey } from '../jose.js';
import { fits, type PublicJwk } from './keys.js';
import type { TokenHeader } from './token.js';

/** Keys that are tried for one token: several only if the token or the keys have no `kid`. */
const MAX_TRIED = 4;

/** Verifies the signatures of tokens. */
export interface TokenKeys {
  /** Whether a key is there that the token names: then a failure is final. */
  names(header: TokenHeader): boolean;
  /** The payload of a token with a valid signature; undefined for one without. */
  verify(token: string, header: TokenHeader): Promise<Uint8Array | undefined>;
}

export class PublicKeys implements TokenKeys {
  readonly #keys: readonly PublicJwk[];
  readonly #jose: Promise<Jose>;
  readonly #prepared = new Map<PublicJwk, Map<string, Promise<VerificationKey | undefined>>>();

  constructor(keys: readonly PublicJwk[], jose: Promise<Jose>) {
    this.#keys = keys;
    this.#jose = jose;
  }

  names({ alg, kid }: TokenHeader): boolean {
    return kid !== undefined && this.#keys.some((key) => key.kid === kid && fits(key, alg));
  }

  async verify(token: string, header: TokenHeader): Promise<Uint8Array | undefined> {
    const jose = await this.#jose;
    for (const key of this.#candidates(header)) {
      const prepared = await this.#prepare(jose, key, header.alg);
      const payload = prepared === undefined ? undefined : await jose.verify(token, prepared, header.alg);
      if (payload !== undefined) return payload;
    }
    return undefined;
  }

  /** The keys with the token's `kid`; else those without one. All that fit, if the token names none. */
  #candidates({ alg, kid }: TokenHeader): readonly PublicJwk[] {
    const fitting = this.#keys.filter((key) => fits(key, alg));
    if (kid === undefined) return fitting.slice(0, MAX_TRIED);
    const named = fitting.filter((key) => key.kid === kid);
    return (named.length > 0 ? named : fitting.filter((key) => key.kid === undefined)).slice(0, MAX_TRIED);
  }

  /** Undefined if the key turns out to be none, such as a point that is not on its curve. */
  #prepare(jose: Jose, key: PublicJwk, alg: string): Promise<VerificationKey | undefined> {
    const byAlgorithm = this.#prepared.get(key) ?? new Map<string, Promise<VerificationKey | undefined>>();
    this.#prepared.set(key, byAlgorithm);
    // Without its own `alg`, which may be the other name of Ed25519 (RFC 9864); fits() has compared them.
    const prepared = byAlgorithm.get(alg) ?? jose.importKey({ ...key, alg }, alg).catch(() => undefined);
    byAlgorithm.set(alg, prepared);
    return prepared;
  }
}

/** A shared secret. The `kid` of a token does not matter. */
export class SharedSecret implements TokenKeys {
  readonly #secret: Uint8Array;
  readonly #jose: Promise<Jose>;

  /** Throws for a secret that is shorter than its hash, RFC 7518 section 3.2. The message omits it. */
  constructor(secret: string, algorithms: readonly string[], jose: Promise<Jose>) {
    this.#secret = Buffer.from(secret, 'utf8');
    this.#jose = jose;
    const least = Math.max(...algorithms.map((alg) => Number(alg.slice(2)) / 8));
    if (this.#secret.length < least)
      throw new Error(
        `The secret has ${this.#secret.length} bytes; ${algorithms.join(' and ')} needs at least ${least}.`,
      );
  }

  names(): boolean {
    return true;
  }

  async verify(token: string, { alg }: TokenHeader): Promise<Uint8Array | undefined> {
    return (await this.#jose).verify(token, this.#secret, alg);
  }
}
