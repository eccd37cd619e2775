/**
 * What unsafe methods have made invalid in this worker of late: a reply that was asked for before such a method and comes after it may
 * be an old one, and is not kept.
 */

/** URLs and tags that are known; of replies that are older than the oldest one, nothing is known. */
const MOST = 1000;

export class Invalidations {
  /** The number of the last invalidation, by URL or tag; the oldest first. */
  readonly #last = new Map<string, number>();
  #count = 0;
  /** The number of the last invalidation that was forgotten. */
  #forgotten = 0;

  /** How many there were: the moment of a request. */
  get count(): number {
    return this.#count;
  }

  note(what: string): void {
    this.#last.delete(what);
    this.#last.set(what, ++this.#count);
    if (this.#last.size <= MOST) return;
    for (const [oldest, number] of this.#last) {
      this.#forgotten = number;
      this.#last.delete(oldest);
      return;
    }
  }

  /** Whether one of the names was made invalid after the moment `since`, as far as is known. */
  concerns(since: number, url: string, tags: readonly string[]): boolean {
    if (since === this.#count) return false;
    return since < this.#forgotten || this.#isLater(url, since) || tags.some((tag) => this.#isLater(tag, since));
  }

  #isLater(what: string, since: number): boolean {
    return (this.#last.get(what) ?? 0) > since;
  }
}
