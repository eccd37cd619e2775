/**
 * Counters that workers write and control reads, in shared memory. One writer each (a worker owns its own blocks), so
 * no atomics: control sums over workers, and a torn read is at most one request old.
 *
 * A *slot* is the block of one route or one target. Slots are assigned by stable name (`route:get-order`,
 * `target:orders|http://127.0.0.1:4003`) in control and never move; when they run out, control adds a chunk.
 */
export const SLOTS_PER_CHUNK = 512;

/** Offsets within a slot, in Float64 words. */
export const Counter = {
  Requests: 0,
  Status1xx: 1,
  Status2xx: 2,
  Status3xx: 3,
  Status4xx: 4,
  Status5xx: 5,
  InFlight: 6,
  BytesIn: 7,
  BytesOut: 8,
  /** Targets: failed attempts; routes: exchanges cut before their end. */
  Failures: 9,
  /** Targets: milliseconds (host clock) until which it is ejected; 0 when healthy. */
  EjectedUntil: 10,
  /** Targets: open connections. */
  Connections: 11,
  LatencySumMs: 12,
  /** In the slot of unmatched requests: 1 while the worker, short of memory, rejects new connections or closes idle ones. */
  Shedding: 13,
  Shrinking: 14,
  /** Targets: exchanges of slow clients that were shed. */
  Shed: 15,
  /** Targets: how often it was ejected. */
  Ejections: 16,
  /** Targets: 1 while all targets of its service are used, because too few are available. */
  Panic: 17,
  /** Targets: attempts there that were followed by another one, and those that were not because the budget was used up. */
  Repeated: 18,
  RetriesDenied: 19,
  /** Services: requests that wait for a target. */
  Waiting: 20,
  /** Targets: attempts there so slow that another one was begun beside them, and such others that were answered first. */
  Hedged: 21,
  HedgesWon: 22,
  /** Routes: WebSockets that were opened, and that are open; their messages and bytes, from clients and from targets. */
  WebSockets: 24,
  OpenWebSockets: 25,
  WebSocketMessagesIn: 26,
  WebSocketMessagesOut: 27,
  WebSocketBytesIn: 28,
  WebSocketBytesOut: 29,
  /** First of HISTOGRAM_BUCKETS latency counts. */
  Histogram: 32,
  /** Routes: the first of GRPC_WORDS counts of calls, by their status; the last one counts unknown codes. */
  Grpc: 112,
} as const;

/** Log-linear: 4 buckets an octave from 2^-4 ms (62.5 us) to 2^16 ms (65 s). */
export const HISTOGRAM_BUCKETS = 80;
export const GRPC_WORDS = 18;
export const SLOT_WORDS = 136;

/** After a chunk's slots: grows with every write into the chunk, so that control skips unchanged chunks. */
export const CHUNK_ACTIVITY = SLOTS_PER_CHUNK * SLOT_WORDS;
export const CHUNK_BYTES = (CHUNK_ACTIVITY + 8) * 8;

/** Bucket of a latency in milliseconds; the last one also counts longer ones. */
export function bucketOf(ms: number): number {
  // 62.5 us are 4 units, so that the first octave has two sub-bits as well.
  const units = ms * 64;
  if (!(units >= 4)) return 0;
  if (units >= 4 * 2 ** 20) return HISTOGRAM_BUCKETS - 1;
  const whole = units | 0;
  const octave = 31 - Math.clz32(whole);
  return (octave - 2) * 4 + ((whole >> (octave - 2)) & 3);
}

/** Upper bound of a bucket in milliseconds. The last bucket also counts slower values. */
export function bucketBound(bucket: number): number {
  return (2 ** (bucket >> 2) * (5 + (bucket & 3))) / 64;
}
