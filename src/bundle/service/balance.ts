/** How a service chooses among its targets. */

export const BALANCE_KINDS = ['round-robin', 'least-request', 'ewma', 'random', 'hash'] as const;
export type BalanceKind = (typeof BALANCE_KINDS)[number];

export const HASH_KEY_KINDS = ['header', 'cookie', 'address', 'consumer', 'param'] as const;
export type HashKeyKind = (typeof HASH_KEY_KINDS)[number];

/** A value of the request that is hashed. */
export interface HashKeyEntry {
  readonly from: HashKeyKind;
  /** Of a header field (lower case), cookie or path parameter; '' for the others. */
  readonly name: string;
}

export interface BalanceEntry {
  readonly kind: BalanceKind;
  /** Of `hash`: the first one that a request has counts. Absent otherwise. */
  readonly keys?: readonly HashKeyEntry[];
  /** Of `hash`: most requests in progress of one target, as a multiple of its share. Absent: no limit. */
  readonly maxLoad?: number;
}
