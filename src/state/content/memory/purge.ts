/** Which contents a purge is about. */
import type { TextHash } from '../../hash.js';
import type { ContentSelector } from '../types.js';
import { hasTag, urlBytes } from './facts.js';
import { type ContentLayout, Entry, Header } from './layout.js';

/** A test of entries by the word at which they begin, under the lock. `hash`: is used at once. */
export function matcherOf(layout: ContentLayout, hash: TextHash, selector: ContentSelector): (at: number) => boolean {
  if (selector.by === 'all') return () => true;
  const { words } = layout;
  const { by, value } = selector;
  const factsOf = (at: number): number => layout.byteAt(words[at + Entry.Facts]!);
  if (by === 'tag') return (at) => hasTag(layout.bytes, factsOf(at), value);
  if (by === 'url' && value.endsWith('*')) {
    const prefix = Buffer.from(value.slice(0, -1));
    return (at) => urlBytes(layout.bytes, factsOf(at)).subarray(0, prefix.length).equals(prefix);
  }
  const { low, high } = hash.update(words[Header.SeedLow]!, words[Header.SeedHigh]!, value);
  const field = by === 'url' ? Entry.UrlLow : Entry.RouteLow;
  return (at) => words[at + field] === low && words[at + field + 1] === high;
}
