/** A service whose targets speak HTTP/2. */
export interface Http2Entry {
  /** Requests in flight on one connection; the target may permit fewer. */
  readonly maxStreams: number;
}
