/** The status that a client gets in place of the target's. */
import type { Reply } from '../../contract.js';

export class StatusMap {
  /** By status; 0: it stays. */
  readonly #to = new Uint16Array(600);

  /** `404` counts more than `4XX`. A class has no statuses whose body is of another kind. */
  constructor(entries: readonly (readonly [from: string, to: number])[]) {
    for (const [from, to] of entries) {
      if (!from.endsWith('XX')) continue;
      const first = Number(from[0]) * 100;
      for (let status = first; status < first + 100; status++) if (!SPECIAL.has(status)) this.#to[status] = to;
    }
    for (const [from, to] of entries) if (!from.endsWith('XX')) this.#to[Number(from)] = to;
  }

  apply(reply: Reply): void {
    const to = this.#to[reply.status] ?? 0;
    if (to === 0) return;
    reply.status = to;
    if (to === 204) reply.body = null;
  }
}

const SPECIAL: ReadonlySet<number> = new Set([204, 205, 206, 304]);
