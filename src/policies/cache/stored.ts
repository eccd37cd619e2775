/** What the cache keeps of a reply, and how it finds the variant that fits a request. */
import * as crypto from 'node:crypto';
import type { Content, ContentFacts, ContentStore } from '../contract.js';
import type { Assessment } from '../kits/http-cache/assess.js';
import { type FieldList, type ReadField, readFrom } from '../kits/http-cache/fields.js';
import { variantKey } from '../kits/http-cache/vary.js';
import { CommonFields } from '../run-kit.js';

/** `data` of the contents of a cache. */
export type CacheData = ReplyData | Variants;

/** `data` of a content that is a reply. */
export interface ReplyData {
  readonly status: number;
  readonly fields: FieldList;
  readonly assessment: Assessment;
}

/** `data` of a content that stands for the variants of a reply; its body is empty. */
export interface Variants {
  /** The lists of field names that replies had in Vary, the newest first. */
  readonly names: readonly (readonly string[])[];
  /** The variants, as variantOf() returns them, the newest first. */
  readonly keys: readonly string[];
  /** Until when one of them is of use, in milliseconds since 1970; null for ever. */
  readonly until: number | null;
}

/** Lists of names that are tried. */
const MOST_LISTS = 4;
/** Variants of one reply; a further one takes the place of the oldest. */
const MOST_VARIANTS = 32;
/** Characters of a variant; longer ones are hashed, since the list of them is stored anew with each. */
const LONGEST_VARIANT = 128;

/** A stored reply as a worker uses it: prepared once for all hits. */
export class StoredReply implements ReplyData {
  readonly status: number;
  readonly fields: FieldList;
  readonly assessment: Assessment;
  readonly read: ReadField;
  readonly headers: CommonFields;
  #softSince: number | undefined = undefined;

  constructor({ status, fields, assessment }: ReplyData) {
    this.status = status;
    this.fields = fields;
    this.assessment = assessment;
    this.read = readFrom(fields);
    this.headers = new CommonFields(fields);
  }

  /** Milliseconds since this worker has seen first that it was purged softly: the store does not say when it was. */
  softFor(soft: boolean, now: number): number {
    if (!soft) return 0;
    this.#softSince ??= now;
    return Math.max(0, now - this.#softSince);
  }
}

export interface Found {
  /** Pinned: to be released. */
  readonly content: Content<CacheData>;
  readonly reply: StoredReply;
}

/** What the store has for a request. */
export interface Lookup {
  readonly found: Found | undefined;
  /** The URL has variants, and none of them fits. */
  readonly variants: Variants | undefined;
}

const NOTHING: Lookup = { found: undefined, variants: undefined };

export class StoredReplies {
  readonly #store: ContentStore<CacheData>;
  readonly #prepared = new WeakMap<ContentFacts<CacheData>, StoredReply>();

  constructor(store: ContentStore<CacheData>) {
    this.#store = store;
  }

  /** The reply for a key and the fields of a request. Never throws or rejects. */
  find(key: string, request: ReadField): Lookup | Promise<Lookup> {
    const content = this.#store.get(key);
    return content instanceof Promise
      ? content.then((late) => this.#select(late, key, request))
      : this.#select(content, key, request);
  }

  #select(content: Content<CacheData> | undefined, key: string, request: ReadField): Lookup | Promise<Lookup> {
    if (content === undefined) return NOTHING;
    const { data } = content.facts;
    if (isReply(data)) return this.#found(content, data, undefined);
    content.release();
    return this.#variant(data, 0, key, request);
  }

  #variant(variants: Variants, at: number, key: string, request: ReadField): Lookup | Promise<Lookup> {
    const names = variants.names[at];
    if (names === undefined) return { found: undefined, variants };
    const content = this.#store.get(keyOfVariant(key, variantOf(names, request)));
    const next = (got: Content<CacheData> | undefined): Lookup | Promise<Lookup> => {
      const data = got?.facts.data;
      if (got !== undefined && data !== undefined && isReply(data)) return this.#found(got, data, variants);
      got?.release();
      return this.#variant(variants, at + 1, key, request);
    };
    return content instanceof Promise ? content.then(next) : next(content);
  }

  #found(content: Content<CacheData>, data: ReplyData, variants: Variants | undefined): Lookup {
    return { found: { content, reply: this.#prepare(content.facts, data) }, variants };
  }

  #prepare(facts: ContentFacts<CacheData>, data: ReplyData): StoredReply {
    let reply = this.#prepared.get(facts);
    if (reply === undefined) {
      reply = new StoredReply(data);
      this.#prepared.set(facts, reply);
    }
    return reply;
  }

  /**
   * The key under which a reply to a request is stored. For one with Vary, the variants under `key` are noted first; the oldest
   * one goes if there are too many. `given`: the variants when the request looked for one.
   */
  keyFor(key: string, facts: ContentFacts<ReplyData>, request: ReadField, given: Variants | undefined): string {
    const { vary } = facts.data.assessment;
    if (vary.length === 0) return key;
    // Other variants may have been stored since the request looked for one.
    const known = this.#variantsNow(key) ?? given;
    const own = variantOf(vary, request);
    const list = vary.join();
    const names = [vary, ...(known?.names.filter((other) => other.join() !== list) ?? [])].slice(0, MOST_LISTS);
    const keys = [own, ...(known?.keys.filter((other) => other !== own) ?? [])];
    for (const oldest of keys.splice(MOST_VARIANTS)) void this.#store.delete(keyOfVariant(key, oldest));
    // Infinity is not JSON.
    const before = known === undefined ? 0 : (known.until ?? Number.POSITIVE_INFINITY);
    const expiresAt = Math.max(facts.expiresAt, before);
    const until = Number.isFinite(expiresAt) ? expiresAt : null;
    this.#store.put(key, { ...facts, expiresAt, data: { names, keys, until } }, 0)?.commit();
    return keyOfVariant(key, own);
  }

  /** The variants of a key, if the store knows them at once. */
  #variantsNow(key: string): Variants | undefined {
    const content = this.#store.get(key);
    if (content instanceof Promise) {
      void content.then((late) => late?.release());
      return undefined;
    }
    const data = content?.facts.data;
    content?.release();
    return data === undefined || isReply(data) ? undefined : data;
  }
}

/** The key under which the reply to a request will be stored, as far as what is stored says it. */
export function expectedKey(key: string, { found, variants }: Lookup, request: ReadField): string {
  if (found !== undefined) return found.content.key;
  const names = variants?.names[0];
  return names === undefined ? key : keyOfVariant(key, variantOf(names, request));
}

const isReply = (data: CacheData): data is ReplyData => 'status' in data;

function variantOf(names: readonly string[], request: ReadField): string {
  const text = variantKey(names, request);
  return text.length > LONGEST_VARIANT ? crypto.hash('sha256', text, 'base64url') : text;
}

const keyOfVariant = (key: string, variant: string): string => `${key}\n\n${variant}`;
