/** The contents of one identity in shared memory, as one worker uses them. */
import type { Json } from '../../../bundle/types.js';
import { TextHash } from '../../hash.js';
import type {
  Content,
  ContentFacts,
  ContentNames,
  ContentOptions,
  ContentSelector,
  ContentStore,
  ContentWriter,
  ListedContent,
} from '../types.js';
import { AskedKeys } from './asked.js';
import { type KnownContent, MemoryContent } from './content.js';
import { decodeFacts, encodeFacts, type FactTexts, factTexts, keyOf } from './facts.js';
import { KnownContents } from './known.js';
import { Count, Entry, Flag, Header, STATE_MASK, State, UNIT } from './layout.js';
import { Purges } from './purges.js';
import type { Room } from './room.js';
import { matcherOf, type Selection, visitSelected } from './select.js';
import type { ContentTable, HashedKey } from './table.js';
import { MemoryWriter } from './writer.js';

/** Facts of one content take at most this part of the arena. */
const MAX_FACTS_SHARE = 16;
/** A body takes at most this part of the arena. */
const MAX_BODY_SHARE = 2;

/** The parts of a table that its stores use. */
export interface StoreParts {
  readonly table: ContentTable;
  readonly room: Room;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class MemoryStore<Data = Json> implements ContentStore<Data> {
  readonly #table: ContentTable;
  readonly #room: Room;
  readonly #now: () => number;
  readonly #identity: string;
  readonly #ownerLow: number;
  readonly #ownerHigh: number;
  readonly #maxEntry: number;
  readonly #admission: boolean;
  readonly #asked: AskedKeys;
  readonly #purges: Purges;
  readonly #hash = new TextHash();
  readonly #known = new KnownContents<KnownContent<Data>>();
  #owner = -1;

  constructor({ table, room, now }: StoreParts, identity: string, { maxEntry, admission = false }: ContentOptions) {
    this.#table = table;
    this.#room = room;
    this.#now = now;
    this.#identity = identity;
    const { low, high } = this.#seeded(identity);
    this.#ownerLow = low;
    this.#ownerHigh = high;
    this.#maxEntry = Math.min(maxEntry, Math.floor((table.layout.units * UNIT) / MAX_BODY_SHARE));
    this.#admission = admission;
    this.#asked = new AskedKeys(table.layout);
    this.#purges = new Purges(table.layout, low, high);
    this.#place();
  }

  get(key: string): MemoryContent<Data> | undefined {
    const table = this.#table;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.pin(known.entry);
      if (Atomics.load(table.words, table.layout.entryAt(known.entry)) === known.word) return this.#hit(key, known);
      this.unpin(known.entry);
      this.#known.delete(key);
    }
    const { low, high } = this.#hash.update(this.#ownerLow, this.#ownerHigh, key);
    // Most misses need no lock.
    const found = table.mayHave(this.#hash) ? this.#look(key, low, high) : undefined;
    if (found !== undefined) return this.#hit(key, found);
    this.#asked.miss(low, high);
    this.#count(Count.Misses);
    return undefined;
  }

  /** The content is pinned. */
  #hit(key: string, known: KnownContent<Data>): MemoryContent<Data> | undefined {
    const { words, layout } = this.#table;
    if (known.facts.expiresAt <= this.#now()) {
      this.unpin(known.entry);
      this.#expire(key);
      this.#count(Count.Misses);
      return undefined;
    }
    const at = layout.entryAt(known.entry);
    // Written only if needed, so that processors can share the line.
    if (words[at + Entry.Visited] === 0) words[at + Entry.Visited] = 1;
    this.#count(Count.Hits);
    return new MemoryContent(key, known, (words[at + Entry.Flags]! & Flag.Soft) !== 0, this);
  }

  /** Finds a content under the lock and pins it. */
  #look(key: string, low: number, high: number): KnownContent<Data> | undefined {
    const table = this.#table;
    const { words, layout } = table;
    const hashed = this.#hashed(low, high);
    let texts: FactTexts | undefined;
    const known = table.locked(() => {
      const entry = table.find(hashed, key);
      if (entry < 0) return undefined;
      this.pin(entry);
      const at = layout.entryAt(entry);
      texts = factTexts(layout.bytes, layout.byteAt(words[at + Entry.Facts]!));
      return {
        entry,
        word: words[at]!,
        born: words[at + Entry.Born]!,
        parts: this.#partsOf(at),
        length: words[at + Entry.Length]!,
        expiresAt: layout.expiresAt(at),
      };
    });
    if (known === undefined || texts === undefined) return undefined;
    const { expiresAt, ...rest } = known;
    const facts = decodeFacts<Data>(texts, expiresAt);
    if (facts === undefined) {
      this.unpin(known.entry);
      this.delete(key);
      return undefined;
    }
    const content = { ...rest, facts };
    this.#known.set(key, content, key.length + texts.url.length + texts.tags.length + texts.rest.length);
    return content;
  }

  #partsOf(at: number): Buffer[] {
    const { words, layout } = this.#table;
    let left = words[at + Entry.Length]!;
    const parts: Buffer[] = [];
    for (let extent = 0; extent < words[at + Entry.Extents]!; extent++) {
      const where = at + Entry.FirstExtent + extent * 2;
      const size = Math.min(left, words[where + 1]! * UNIT);
      parts.push(Buffer.from(layout.memory as unknown as ArrayBuffer, layout.byteAt(words[where]!), size));
      left -= size;
    }
    return parts;
  }

  /** Removes a content of this key if its time is over. */
  #expire(key: string): void {
    const table = this.#table;
    const { low, high } = this.#hash.update(this.#ownerLow, this.#ownerHigh, key);
    table.locked(() => {
      const entry = table.find(this.#hashed(low, high), key);
      if (entry < 0 || table.layout.expiresAt(table.layout.entryAt(entry)) > this.#now()) return;
      this.#count(Count.Expired);
      table.remove(entry);
    });
    this.#asked.miss(low, high, true);
    this.#known.delete(key);
  }

  put(key: string, facts: ContentFacts<Data>, length: number, copy = false): ContentWriter | undefined {
    const table = this.#table;
    const bytes = encodeFacts(key, facts);
    const owner = this.#place();
    if (length > this.#maxEntry || bytes.length > (table.layout.units * UNIT) / MAX_FACTS_SHARE) {
      this.#count(Count.TooLarge);
      return undefined;
    }
    const { low, high } = this.#hash.update(this.#ownerLow, this.#ownerHigh, key);
    const hashed = this.#hashed(low, high);
    return owner < 0
      ? undefined
      : table.locked(() => {
          if (!this.#admits(key, hashed, length, bytes.length)) {
            this.#count(Count.NotAdmitted);
            return undefined;
          }
          const writer = this.#room.hasPlace(hashed) ? this.#begin(key, hashed, facts, bytes, length, copy) : undefined;
          if (writer === undefined) this.#count(Count.NoRoom);
          return writer;
        });
  }

  /**
   * Whether a content may displace others, if it has to. A newer version of one that is stored always may, and one without a
   * body, which may lead to others.
   */
  #admits(key: string, hashed: HashedKey, length: number, factsLength: number): boolean {
    if (!this.#admission || length === 0 || this.#room.fits(factsLength + Math.max(0, length))) return true;
    if (this.#asked.twice(hashed.low, hashed.high)) return true;
    return this.#table.find(hashed, key) >= 0;
  }

  #begin(
    key: string,
    hashed: HashedKey,
    facts: ContentFacts<Data>,
    bytes: Buffer,
    length: number,
    copy: boolean,
  ): ContentWriter | undefined {
    const table = this.#table;
    const { words, layout } = table;
    const entry = this.#room.begin(this.#owner);
    if (entry < 0) return undefined;
    const at = layout.entryAt(entry);
    words[at + Entry.HashLow] = hashed.low;
    words[at + Entry.HashHigh] = hashed.high;
    words[at + Entry.OwnerLow] = hashed.ownerLow;
    words[at + Entry.OwnerHigh] = hashed.ownerHigh;
    const writer = new MemoryWriter({
      table,
      room: this.#room,
      entry,
      key,
      owner: this.#owner,
      length,
      max: this.#maxEntry,
      copy,
    });
    if (this.#writeFacts(entry, facts, bytes) && writer.begin()) return writer;
    table.abandon(entry);
    return undefined;
  }

  /** False if there is no room. Needs the lock. */
  #writeFacts(entry: number, facts: ContentFacts<Data>, bytes: Buffer): boolean {
    const at = this.#table.layout.entryAt(entry);
    const units = Math.ceil(bytes.length / UNIT);
    const start = this.#room.take(units, entry);
    if (start < 0) return false;
    this.#setFacts(at, start, units, facts, bytes);
    return true;
  }

  #setFacts(
    at: number,
    start: number,
    units: number,
    { url, route, expiresAt }: ContentFacts<Data>,
    bytes: Buffer,
  ): void {
    const { words, layout } = this.#table;
    layout.bytes.set(bytes, layout.byteAt(start));
    const { low, high } = this.#seeded(url);
    words[at + Entry.UrlLow] = low;
    words[at + Entry.UrlHigh] = high;
    this.#seeded(route);
    words[at + Entry.RouteLow] = this.#hash.low;
    words[at + Entry.RouteHigh] = this.#hash.high;
    layout.numbers[(at + Entry.ExpiresAt) / 2] = expiresAt;
    words[at + Entry.Facts] = start;
    words[at + Entry.FactsUnits] = units;
  }

  refresh(content: Content<Data>, facts: ContentFacts<Data>, since: number): void {
    if (!(content instanceof MemoryContent)) return;
    const table = this.#table;
    const { words, layout } = table;
    const { entry, born } = content.known;
    const bytes = encodeFacts(content.key, facts);
    const at = layout.entryAt(entry);
    const stored = (): boolean => table.stateOf(entry) === State.Live && words[at + Entry.Born] === born;
    table.locked(() => {
      // A purge that is announced from now on finds what is written here.
      if (!stored() || this.purgedAt(content.facts) > since || this.purgedAt(facts) > since) return;
      const units = Math.ceil(bytes.length / UNIT);
      const start = this.#room.take(units, entry);
      if (start < 0) return;
      // Unless it is pinned, it may itself have been evicted to make room.
      if (!stored()) return table.units.give(start, units);
      const owner = words[at + Entry.Owner]!;
      table.owners.add(owner, 'Units', units - words[at + Entry.FactsUnits]!);
      // If this thread ends here, the entry is a removed one.
      table.setState(at, State.Removed);
      table.dropFacts(at);
      this.#setFacts(at, start, units, facts, bytes);
      words[at + Entry.Flags]! &= ~Flag.Soft;
      table.setState(at, State.Live);
    });
  }

  delete(key: string): void {
    const table = this.#table;
    const { low, high } = this.#hash.update(this.#ownerLow, this.#ownerHigh, key);
    const hashed = this.#hashed(low, high);
    table.locked(() => {
      table.spoil(hashed);
      const entry = table.find(hashed, key);
      if (entry >= 0) table.remove(entry);
    });
    this.#known.delete(key);
  }

  moment(): number {
    return this.#purges.count;
  }

  purgedAt(names: ContentNames): number {
    return this.#purges.last(names);
  }

  announce(selector: ContentSelector): void {
    this.#purges.note(selector);
  }

  purge(selector: ContentSelector, soft: boolean): number {
    const table = this.#table;
    this.announce(selector);
    const { words } = table;
    let purged = 0;
    visitSelected(table, this.#selection(selector), (entry, at, state) => {
      purged++;
      if (soft) words[at + Entry.Flags]! |= Flag.Soft;
      else if (state === State.Live) table.remove(entry);
      else words[at + Entry.Flags]! |= Flag.Purged;
      return true;
    });
    this.#count(Count.Purged, purged);
    return purged;
  }

  list(selector: ContentSelector, most: number): ListedContent[] {
    const { words, layout } = this.#table;
    const now = this.#now();
    const found: (Omit<ListedContent, 'url' | 'route' | 'tags'> & { readonly texts: FactTexts })[] = [];
    visitSelected(this.#table, this.#selection(selector), (_, at, state) => {
      const expiresAt = layout.expiresAt(at);
      if (state !== State.Live || expiresAt <= now) return true;
      const begin = layout.byteAt(words[at + Entry.Facts]!);
      found.push({
        key: keyOf(layout.bytes, begin),
        expiresAt,
        length: words[at + Entry.Length]!,
        soft: (words[at + Entry.Flags]! & Flag.Soft) !== 0,
        texts: factTexts(layout.bytes, begin),
      });
      return found.length < most;
    });
    return found.flatMap(({ texts, ...one }) => {
      const facts = decodeFacts<Data>(texts, one.expiresAt);
      return facts === undefined ? [] : [{ ...one, url: facts.url, route: facts.route, tags: facts.tags }];
    });
  }

  #selection(selector: ContentSelector): Selection {
    const matches = matcherOf(this.#table.layout, this.#hash, selector);
    return { ownerLow: this.#ownerLow, ownerHigh: this.#ownerHigh, matches };
  }

  pin(entry: number): void {
    const table = this.#table;
    Atomics.add(table.words, table.layout.pinAt(table.worker, entry), 1);
  }

  unpin(entry: number): void {
    const table = this.#table;
    const { words, layout } = table;
    const left = Atomics.sub(words, layout.pinAt(table.worker, entry), 1);
    if (left === 1 && (Atomics.load(words, layout.entryAt(entry)) & STATE_MASK) === State.Removed)
      table.locked(() => table.reap(entry));
  }

  #hashed(low: number, high: number): HashedKey {
    return { ownerLow: this.#ownerLow, ownerHigh: this.#ownerHigh, low, high };
  }

  #seeded(text: string): TextHash {
    const { words } = this.#table;
    return this.#hash.update(words[Header.SeedLow]!, words[Header.SeedHigh]!, text);
  }

  /** The place of the identity, which it loses to another one while it has no contents. */
  #place(): number {
    const { owners } = this.#table;
    if (this.#owner >= 0 && owners.has(this.#owner, this.#ownerLow, this.#ownerHigh)) return this.#owner;
    this.#owner = this.#table.locked(() => owners.open(this.#identity, this.#ownerLow, this.#ownerHigh));
    return this.#owner;
  }

  #count(count: (typeof Count)[keyof typeof Count], by = 1): void {
    if (this.#owner >= 0) this.#table.owners.count(this.#owner, count, by);
  }
}
