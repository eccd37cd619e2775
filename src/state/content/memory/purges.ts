/**
 * When contents were purged, for all workers: purges are numbered, and each raises the number of what it selects. What was asked for
 * before a purge and comes after it may be out of date. Names share numbers by their hash, and a purge by prefix counts for everything
 * of its identity: so a content may look purged that was not, and never the other way round.
 */
import { TextHash } from '../../hash.js';
import type { ContentNames, ContentSelector } from '../types.js';
import { type ContentLayout, PURGES } from './layout.js';

/** Tells the hashes of the kinds apart. */
const Kind = { all: 1, url: 2, route: 3, tag: 4 } as const;

export class Purges {
  /** The first one counts all purges. */
  readonly #numbers: BigInt64Array<ArrayBufferLike>;
  readonly #hash = new TextHash();
  readonly #low: number;
  readonly #high: number;
  readonly #all: number;

  /** `low`, `high`: the hash of an identity. */
  constructor({ purges }: ContentLayout, low: number, high: number) {
    this.#numbers = purges;
    this.#low = low;
    this.#high = high;
    this.#all = this.#placeOf(Kind.all, '');
  }

  get count(): number {
    return this.#at(0);
  }

  /** The number of the last purge that may have selected a content with these names. */
  last({ url, route, tags }: ContentNames): number {
    let last = Math.max(
      this.#at(this.#all),
      this.#at(this.#placeOf(Kind.url, url)),
      this.#at(this.#placeOf(Kind.route, route)),
    );
    for (const tag of tags) last = Math.max(last, this.#at(this.#placeOf(Kind.tag, tag)));
    return last;
  }

  note(selector: ContentSelector): void {
    const numbers = this.#numbers;
    const number = Atomics.add(numbers, 0, 1n) + 1n;
    const place = this.#selected(selector);
    // A later purge may have been faster: the number never falls.
    for (let seen = Atomics.load(numbers, place); seen < number; ) {
      const found = Atomics.compareExchange(numbers, place, seen, number);
      if (found === seen) return;
      seen = found;
    }
  }

  #selected(selector: ContentSelector): number {
    if (selector.by === 'all') return this.#all;
    const { by, value } = selector;
    return by === 'url' && value.endsWith('*') ? this.#all : this.#placeOf(Kind[by], value);
  }

  #at(place: number): number {
    return Number(Atomics.load(this.#numbers, place));
  }

  #placeOf(kind: number, text: string): number {
    const { low } = this.#hash.update(this.#low ^ kind, this.#high, text);
    return 1 + ((low >>> 0) % PURGES);
  }
}
