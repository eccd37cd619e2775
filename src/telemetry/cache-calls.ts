/** The calls of the admin API about caches: what they take and what they answer. */
import type { CacheCounts, PolicyContents } from './snapshot.js';

export interface CachePolicyStats extends CacheCounts {
  /** Whether replies are stored on disk too. */
  readonly disk: boolean;
  /** What it has in memory. */
  readonly store: Omit<PolicyContents, 'policy'>;
}

/** GET /cache. */
export interface CacheStats {
  readonly version: 1;
  /** Of the contents of all policies. */
  readonly memory: { readonly bytes: number; readonly freeBytes: number };
  /**
   * What all policies have on disk; null while no store is open there. `refused`: what was not written since the start because there was
   * no room.
   */
  readonly disk: {
    readonly entries: number;
    readonly bytes: number;
    readonly limitBytes: number;
    readonly refused: number;
  } | null;
  readonly policies: readonly CachePolicyStats[];
}

/** What a call is about. Absent: none; of `policy`, all caches. */
export interface CacheSelection {
  readonly policy?: string;
  /** Absolute; with a final `*`, a prefix. */
  readonly url?: readonly string[];
  readonly route?: readonly string[];
  readonly tag?: readonly string[];
  readonly all?: boolean;
}

/** POST /cache/list. */
export interface ListInput extends CacheSelection {
  /** Replies that are listed. */
  readonly most?: number;
}

/** Most replies of one list. */
export const MOST_LISTED = 10_000;

/** A variant of a stored reply, or the record that leads to variants. */
export interface StoredReply {
  readonly policy: string;
  readonly url: string;
  readonly route: string;
  readonly tags: readonly string[];
  /** Of its body. */
  readonly bytes: number;
  /** It is validated before its next use. */
  readonly soft: boolean;
  /** Milliseconds since 1970 at which it is removed, fresh or not; null for never. */
  readonly expiresAt: number | null;
}

/** Its answer. */
export interface StoredReplies {
  readonly version: 1;
  /** False: there are more than were asked for. */
  readonly complete: boolean;
  /** By URL. */
  readonly replies: readonly StoredReply[];
}

/** POST /cache/purge. */
export interface PurgeInput extends CacheSelection {
  /** Entries stay and are validated before their next use. */
  readonly soft?: boolean;
}

/** Its answer, when all workers use the change. */
export interface PurgeReport {
  readonly version: 1;
  readonly soft: boolean;
  /** Entries that were removed or marked. */
  readonly purged: number;
  readonly policies: readonly { readonly policy: string; readonly purged: number }[];
}

/** POST /cache/warm. */
export interface WarmInput {
  readonly urls: readonly string[];
  /** Fields of every request. */
  readonly headers?: { readonly [name: string]: string };
  /** Requests at the same time. */
  readonly concurrency?: number;
  /** Milliseconds for one request. */
  readonly timeoutMs?: number;
}

export interface WarmResult {
  readonly url: string;
  /** null: there was no reply; `error` says why. */
  readonly status: number | null;
  /** The field of this name, RFC 9211; null if the reply has none. */
  readonly cacheStatus: string | null;
  readonly bytes: number;
  readonly tookMs: number;
  readonly error?: string;
}

/** Its answer. */
export interface WarmReport {
  readonly version: 1;
  /** In the order of the URLs. */
  readonly results: readonly WarmResult[];
}

/** Most URLs of one call. */
export const MOST_WARM_URLS = 500;

/** Names of caches in a message. */
const MOST_NAMES = 20;

/** That no cache has this name, and which caches there are. The caller makes the names fit to be shown. */
export function unknownCache(name: string, caches: readonly string[]): string {
  const known = caches.length === 0 ? 'The spec has none.' : `Caches: ${caches.slice(0, MOST_NAMES).join(', ')}.`;
  return `There is no cache \`${name}\`. ${known}`;
}
