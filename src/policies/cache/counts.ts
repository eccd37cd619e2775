/** What a worker counts of a cache. */
export class Counts {
  hits = 0;
  /** Stale replies that were sent: while they were fetched anew, or because the origin failed. */
  stale = 0;
  misses = 0;
  /** Stored replies that the origin has confirmed. */
  validated = 0;
  /** Requests that got the reply to another one. */
  collapsed = 0;
  /** Requests that are not for the cache. */
  bypassed = 0;
  stored = 0;
  /** URLs and groups that unsafe methods made invalid. */
  invalidated = 0;
}
