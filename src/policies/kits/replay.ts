/** A replay window: whether a value (a nonce, the id of a proof) is used for the first time, over all workers. */
import * as crypto from 'node:crypto';
import type { PolicyHost } from '../contract.js';

/** Milliseconds that another worker waits for this one. */
const LEASE = 1000;

/**
 * Notes that `parts` are used, for `ttlMs` milliseconds. Resolves with true for the first caller alone. The memory is that
 * of marks, which is bounded: an entry beyond its size is forgotten early, the oldest first. Rejects if the store does not answer.
 */
export async function isFirstUse(
  host: Pick<PolicyHost, 'marks' | 'once'>,
  parts: readonly string[],
  ttlMs: number,
): Promise<boolean> {
  // A digest: the store bounds keys, and the values come from clients.
  const key = `used ${crypto.hash('sha256', JSON.stringify(parts), 'base64url')}`;
  let mine = false;
  // Callers at the same time get the result of one of them.
  const first = await host.once(key, LEASE, async () => {
    mine = true;
    if ((await host.marks.get(key)) !== undefined) return false;
    await host.marks.set(key, '1', Math.max(1, Math.ceil(ttlMs)));
    return true;
  });
  return first && mine;
}
