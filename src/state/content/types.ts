/**
 * Contents with bodies, such as whole replies, that all workers share. Memory answers at once; a tier on disk or over a network
 * answers with a promise. No method throws or rejects: an error of a store is a miss, and is counted.
 */
import type { Json } from '../../bundle/types.js';

/** What is known about a content besides its bytes. `Data`: what JSON can carry. */
export interface ContentFacts<Data = Json> {
  /** Milliseconds since 1970 at which it is of no more use to its owner; Infinity for never. */
  readonly expiresAt: number;
  /** Absolute URL that it belongs to, for purges; '' for none. */
  readonly url: string;
  /** Name of the route that stored it, for purges. */
  readonly route: string;
  /** For purges by tag. */
  readonly tags: readonly string[];
  /** What the owner keeps: status and fields of a reply. */
  readonly data: Data;
}

/** A content that a store holds. It is pinned: its bytes stay valid until release(). */
export interface Content<Data = Json> {
  readonly key: string;
  /** The same object for all readers of a worker: not to be changed. */
  readonly facts: ContentFacts<Data>;
  /** The body, in one piece if the store could place it so: views of shared memory, not copies. Empty for no body. */
  readonly parts: readonly Buffer[];
  /** Bytes of the body. */
  readonly length: number;
  /** A soft purge has marked it: it must be validated before its use. */
  readonly soft: boolean;
  /** The bytes are not read any more. Idempotent. */
  release(): void;
}

/** Takes the body of a new content. Nothing of it can be read before commit(). */
export interface ContentWriter {
  /** Copies a part of the body. Returns false if the content does not fit: it is given up, and further calls do nothing. */
  write(bytes: Uint8Array): boolean;
  /** The body is complete: the content takes the place of an older one with its key. No effect after a purge that it belongs to. */
  commit(): void;
  /** Idempotent; no effect after commit(). */
  abort(): void;
}

/** What a purge or a list is about. */
export type ContentSelector =
  | { readonly by: 'all' }
  /** `value`: exact URL, or with a final `*` all that begin with it. */
  | { readonly by: 'url' | 'route' | 'tag'; readonly value: string };

/** What purges select a content by. */
export type ContentNames = Pick<ContentFacts, 'url' | 'route' | 'tags'>;

/** What a store says of a content without its bytes, for operators. */
export interface ListedContent {
  readonly key: string;
  readonly url: string;
  readonly route: string;
  readonly tags: readonly string[];
  /** As in ContentFacts. */
  readonly expiresAt: number;
  /** Bytes of the body. */
  readonly length: number;
  /** As in Content. */
  readonly soft: boolean;
}

/**
 * The contents of one owner, whose facts all have data of one type. What is asked for before a purge and comes after it may be out of
 * date, in any worker:
 *
 *     since = moment()           when it is asked for
 *     put()                      when it comes
 *     purgedAt() > since         a purge may have come in between: abort(). One that comes later spoils the writer itself
 */
export interface ContentStore<Data = Json> {
  /** Undefined: there is none. */
  get(key: string): Content<Data> | undefined | Promise<Content<Data> | undefined>;
  /** Whether what get() did not find is missing: false while a tier behind memory does not answer. Absent: memory alone is asked. */
  answers?(): boolean;
  /**
   * Begins a new content. `length`: bytes of its body, -1 if unknown. `copy`: of one in another tier, which takes the place of none that
   * is there. Undefined: it is not admitted, too large, or there is no room.
   */
  put(key: string, facts: ContentFacts<Data>, length: number, copy?: boolean): ContentWriter | undefined;
  /**
   * Replaces the facts of a content that is still stored; its body stays. No effect if a purge of it may have come after `since`,
   * the moment at which the new facts were asked for.
   */
  refresh(content: Content<Data>, facts: ContentFacts<Data>, since: number): void | Promise<void>;
  delete(key: string): void | Promise<void>;
  /** Removes contents or, if `soft`, marks them. Resolves with their number. Contents that are being written are included. */
  purge(selector: ContentSelector, soft: boolean): number | Promise<number>;
  /** The number of purges that have begun, in all workers. */
  moment(): number;
  /** The number of the last purge that may have selected a content with these names: some others count too. 0 for none. */
  purgedAt(names: ContentNames): number;
  /** The first step of a purge, for all workers: purgedAt() of what it selects rises. */
  announce(selector: ContentSelector): void;
  /** What a purge by the selector would be about, at most `most` contents. A tier that does not answer leaves its own out. */
  list(selector: ContentSelector, most: number): readonly ListedContent[] | Promise<readonly ListedContent[]>;
}

/** Bounds and tiers of the contents of one owner. */
export interface ContentOptions {
  /** Largest body in bytes. */
  readonly maxEntry: number;
  /**
   * With full memory, a content is stored only if its key was asked for twice of late: what is asked for once displaces nothing.
   * One without a body is stored in any case. Absent: every content is stored.
   */
  readonly admission?: boolean;
  /** Keep contents on disk too, so that they survive a restart. */
  readonly disk: boolean;
  /**
   * On disk, no content makes room for others before its time: without room in the part of the disk that is for such contents, it is in
   * memory only. A key is put once.
   */
  readonly keeps?: boolean;
}

/** All contents of a gateway, across workers and generations: an identity keeps its contents. */
export interface ContentSpace {
  /** `Data`: what the owner keeps under this identity; one that keeps data of another form takes another identity. */
  store<Data = Json>(identity: string, options: ContentOptions): ContentStore<Data>;
}
