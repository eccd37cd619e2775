/**
 * Nonces for proofs, RFC 9449 section 9. A nonce is a period of time and a MAC over it, so nothing is kept for each client. All workers
 * share the key; if it is lost, clients get a new nonce with their next request.
 */
import * as crypto from 'node:crypto';
import type { Json, PolicyHost } from '../../contract.js';

const KEY = 'dpop nonce key';
/** Milliseconds that a key is used. */
const KEY_LIFE = 24 * 3_600_000;
const LEASE = 2000;
/** Bytes of a nonce: the number of the period, then the MAC. */
const PERIOD_BYTES = 6;
const MAC_BYTES = 16;

/** `nonce`: what the client must use from now on; undefined if it may go on with its own. */
export type NonceAnswer =
  | { readonly accepted: true; readonly nonce: string | undefined }
  | { readonly accepted: false; readonly nonce: string };

export class DpopNonces {
  readonly #period: number;
  readonly #host: PolicyHost;

  /** `life`: milliseconds that a nonce is accepted at least half as long, and at most. */
  constructor(life: number, host: PolicyHost) {
    this.#period = Math.max(1, Math.ceil(life / 2));
    this.#host = host;
  }

  /** The nonce of this period and of the one before are accepted. */
  async check(nonce: Json | undefined): Promise<NonceAnswer> {
    const key = await this.#key();
    const period = Math.floor(this.#host.clock.now() / this.#period);
    const current = nonceOf(key, period);
    if (typeof nonce !== 'string') return { accepted: false, nonce: current };
    if (equal(nonce, current)) return { accepted: true, nonce: undefined };
    const accepted = equal(nonce, nonceOf(key, period - 1));
    return { accepted, nonce: current };
  }

  async #key(): Promise<Buffer> {
    const { marks } = this.#host;
    const known = await marks.get(KEY);
    const text =
      known ??
      (await this.#host.once(KEY, LEASE, async () => {
        const other = await marks.get(KEY);
        if (other !== undefined) return other;
        const made = crypto.randomBytes(32).toString('base64url');
        await marks.set(KEY, made, KEY_LIFE);
        return made;
      }));
    return Buffer.from(text, 'base64url');
  }
}

function nonceOf(key: Buffer, period: number): string {
  const bytes = Buffer.alloc(PERIOD_BYTES + MAC_BYTES);
  bytes.writeUIntBE(period, 0, PERIOD_BYTES);
  crypto
    .createHmac('sha256', key)
    .update(bytes.subarray(0, PERIOD_BYTES))
    .digest()
    .copy(bytes, PERIOD_BYTES, 0, MAC_BYTES);
  return bytes.toString('base64url');
}

function equal(one: string, other: string): boolean {
  return (
    one.length === other.length && crypto.timingSafeEqual(Buffer.from(one, 'latin1'), Buffer.from(other, 'latin1'))
  );
}
