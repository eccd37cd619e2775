/** Requests that were accepted lately, over all workers: a copy of one is refused. */
import type { PolicyHost } from '../contract.js';

export class Replays {
  readonly #host: Pick<PolicyHost, 'marks' | 'holds'>;
  readonly #remember: number;

  constructor(host: Pick<PolicyHost, 'marks' | 'holds'>, remember: number) {
    this.#host = host;
    this.#remember = remember;
  }

  /** Notes a request, by the digest of what is signed. False if it is noted already, or at the same time by another caller. */
  async note(digest: string): Promise<boolean> {
    // The memory cannot compare and set at once: the hold keeps other workers from doing so in between.
    const hold = await this.#host.holds.acquire(digest, 1);
    if (hold === undefined) return false;
    try {
      if ((await this.#host.marks.get(digest)) !== undefined) return false;
      await this.#host.marks.set(digest, '1', this.#remember);
      return true;
    } finally {
      hold.release();
    }
  }

  /** The request had no success: its sender may send it again. */
  forget(digest: string): void {
    void Promise.resolve(this.#host.marks.delete(digest)).catch(() => undefined);
  }
}
