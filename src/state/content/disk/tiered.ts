/** Contents in memory, and on disk behind it: memory answers at once, the disk later. */
import type { MessagePort } from 'node:worker_threads';
import type { Json } from '../../../bundle/types.js';
import type { Clock } from '../../clock.js';
import type {
  Content,
  ContentFacts,
  ContentNames,
  ContentOptions,
  ContentSelector,
  ContentSpace,
  ContentStore,
  ContentWriter,
  ListedContent,
} from '../types.js';
import type { DiskAnswer, DiskClient } from './client.js';
import { slotsOf } from './memory.js';
import { checksumOf } from './record.js';

export interface TieredOptions {
  readonly memory: ContentSpace;
  readonly disk: DiskClient;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A store on disk is needed: called each time that one is opened. */
  readonly wanted?: () => void;
}

export class TieredContents implements ContentSpace {
  readonly #options: TieredOptions;

  constructor(options: TieredOptions) {
    this.#options = options;
  }

  store<Data = Json>(identity: string, options: ContentOptions): ContentStore<Data> {
    const memory = this.#options.memory.store<Data>(identity, options);
    if (!options.disk) return memory;
    this.#options.wanted?.();
    return new TieredStore(memory, identity, options, this.#options);
  }
}

/**
 * Says once that contents are kept on disk. `connect`: takes each port to a store of them. `unapplied`: the deletes and purges of the
 * thread that no store has applied (Unapplied).
 */
export type WantDisk = (connect: (port: MessagePort) => void, unapplied: SharedArrayBuffer) => void;

/** The contents of a worker: in memory, and on disk if a policy wants that and `wanted` leads to a store. */
export function contentsOf(
  { content, disk }: { readonly content: ContentSpace; readonly disk: DiskClient },
  clock: Clock,
  wanted?: WantDisk,
): ContentSpace {
  if (wanted === undefined) return content;
  let asked = false;
  return new TieredContents({
    memory: content,
    disk,
    now: () => clock.now(),
    wanted: () => {
      if (!asked) wanted((port) => disk.connect(port), disk.unapplied);
      asked = true;
    },
  });
}

/** Memory that no thread shares with a store in another one would be copied on its way there. */
const sharedBytes = (bytes: number): Buffer => Buffer.from(new SharedArrayBuffer(bytes));

class TieredStore<Data> implements ContentStore<Data> {
  readonly #memory: ContentStore<Data>;
  readonly #owner: string;
  readonly #maxEntry: number;
  readonly #keeps: boolean;
  readonly #disk: DiskClient;
  readonly #now: () => number;

  constructor(
    memory: ContentStore<Data>,
    owner: string,
    { maxEntry, keeps = false }: ContentOptions,
    { disk, now }: TieredOptions,
  ) {
    this.#memory = memory;
    this.#owner = owner;
    this.#maxEntry = maxEntry;
    this.#keeps = keeps;
    this.#disk = disk;
    this.#now = now;
  }

  get(key: string): Content<Data> | undefined | Promise<Content<Data> | undefined> {
    const held = this.#memory.get(key);
    if (held instanceof Promise) return held.then((content) => content ?? this.#fromDisk(key));
    return held ?? this.#fromDisk(key);
  }

  answers(): boolean {
    return this.#disk.answers;
  }

  #fromDisk(key: string): Promise<Content<Data> | undefined> | undefined {
    return this.#disk.get(this.#owner, key)?.then((answer) => {
      const content = answer && this.#take(key, answer);
      this.#disk.memory.count(content === undefined ? 'misses' : 'hits');
      return content;
    });
  }

  /** A content that the store has read, unless it was deleted or purged meanwhile. It goes into memory if there is room. */
  #take(key: string, { found, noted }: DiskAnswer): Content<Data> | undefined {
    const { soft, body } = found;
    // What the store has under this owner is what the owner has put.
    const facts = found.facts as ContentFacts<Data>;
    if (facts.expiresAt <= this.#now()) return undefined;
    const slots = slotsOf(this.#owner, key, facts);
    // Begun before the check: a purge after the check finds it in memory as one that is being written.
    const writer = soft ? undefined : this.#memory.put(key, facts, body.length, true);
    const fits = writer !== undefined && (body.length === 0 || writer.write(body));
    if (!this.#disk.memory.usable(noted, slots)) {
      writer?.abort();
      return undefined;
    }
    if (fits) {
      writer.commit();
      // It may be a newer one, which another thread has put meanwhile.
      const held = this.#memory.get(key);
      if (held !== undefined && !(held instanceof Promise)) return held;
    }
    const bytes = Buffer.from(body.buffer);
    const parts = bytes.length === 0 ? [] : [bytes];
    return { key, facts, parts, length: bytes.length, soft, release: () => {} };
  }

  put(key: string, facts: ContentFacts<Data>, length: number): ContentWriter | undefined {
    const stamp = this.#disk.memory.stamp(slotsOf(this.#owner, key, facts));
    const writer = this.#memory.put(key, facts, length);
    if (writer !== undefined) return this.#through(writer, key, stamp);
    if (length > this.#maxEntry) return undefined;
    return this.#direct(key, facts, stamp, length);
  }

  /** To memory; from there to the disk. */
  #through(writer: ContentWriter, key: string, stamp: number): ContentWriter {
    let ended = false;
    return {
      write: (bytes) => writer.write(bytes),
      commit: () => {
        writer.commit();
        if (ended) return;
        ended = true;
        const content = this.#memory.get(key);
        if (content !== undefined && !(content instanceof Promise)) this.#write(content, stamp);
      },
      abort: () => {
        ended = true;
        writer.abort();
      },
    };
  }

  /** Its bytes stay pinned until they are written. */
  #write(content: Content<Data>, stamp: number): void {
    const { key, facts, parts, length, soft } = content;
    const done = (): void => content.release();
    // A purge has marked it meanwhile: the stamp is outrun.
    const of = { owner: this.#owner, keeps: this.#keeps };
    if (soft) done();
    else this.#disk.put({ ...of, key, facts, stamp, parts, length, crc: checksumOf(parts), done });
  }

  /** What memory does not take goes to the disk alone. */
  #direct(key: string, facts: ContentFacts<Data>, stamp: number, length: number): ContentWriter | undefined {
    if (!this.#disk.hasRoom(Math.max(length, 0), this.#keeps)) return undefined;
    const parts: Buffer[] = [];
    let written = 0;
    let open = true;
    const give = (): void => {
      open = false;
      parts.length = 0;
      this.#disk.unreserve(written);
    };
    return {
      write: (bytes) => {
        if (!open) return false;
        const most = length < 0 ? this.#maxEntry : length;
        if (written + bytes.length > most || !this.#disk.reserve(bytes.length, this.#keeps)) {
          give();
          return false;
        }
        const part = sharedBytes(bytes.length);
        part.set(bytes);
        parts.push(part);
        written += bytes.length;
        return true;
      },
      commit: () => {
        if (!open) return;
        const body = [...parts];
        give();
        if (length >= 0 && written !== length) return;
        const crc = checksumOf(body);
        // An older one in memory would hide it.
        void this.#memory.delete(key);
        const of = { owner: this.#owner, keeps: this.#keeps };
        this.#disk.put({ ...of, key, facts, stamp, parts: body, length: written, crc, done: () => {} });
      },
      abort: () => {
        if (open) give();
      },
    };
  }

  async refresh(content: Content<Data>, facts: ContentFacts<Data>, since: number): Promise<void> {
    const { key, parts, length } = content;
    // Also those by which the present content is purged.
    const slots = [...slotsOf(this.#owner, key, facts), ...slotsOf(this.#owner, key, content.facts)];
    // First: a purge that is announced after the comparison outruns the stamp.
    const stamp = this.#disk.memory.stamp(slots);
    if (this.purgedAt(content.facts) > since || this.purgedAt(facts) > since) return;
    const crc = checksumOf(parts);
    const onDisk = this.#disk.refresh({ owner: this.#owner, key, facts, stamp, slots, length, crc });
    await this.#memory.refresh(content, facts, since);
    await onDisk;
  }

  moment(): number {
    return this.#memory.moment();
  }

  purgedAt(names: ContentNames): number {
    return this.#memory.purgedAt(names);
  }

  announce(selector: ContentSelector): void {
    this.#memory.announce(selector);
  }

  async delete(key: string): Promise<void> {
    const change = this.#disk.beginDelete(this.#owner, key, this.#keeps);
    await this.#memory.delete(key);
    await this.#disk.end(change);
  }

  /** Contents that both tiers have are counted once, as those on disk. */
  async purge(selector: ContentSelector, soft: boolean): Promise<number> {
    // First: a content that was put without a look at it is found by the purge of its tier.
    this.announce(selector);
    const change = this.#disk.beginPurge(this.#owner, selector, soft, this.#keeps);
    const inMemory = await this.#memory.purge(selector, soft);
    return Math.max(inMemory, await this.#disk.end(change));
  }

  /** Contents that both tiers have are listed once. */
  async list(selector: ContentSelector, most: number): Promise<readonly ListedContent[]> {
    const onDisk = this.#disk.list(this.#owner, selector, most);
    const found = new Map<string, ListedContent>();
    for (const one of await this.#memory.list(selector, most)) found.set(one.key, one);
    for (const one of await onDisk) if (found.size < most && !found.has(one.key)) found.set(one.key, one);
    return [...found.values()];
  }
}
