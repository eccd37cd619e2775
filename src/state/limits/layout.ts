/** The layout of a LimitTable's SharedArrayBuffer. Every thread creates its own views. */

/** Slots per group: a key can be in any of them, under one lock. */
export const WAYS = 16;
export const DEFAULT_SLOTS = 65_536;
/** Maximum number of limits with totals; for further ones only the counts of their keys are known. */
export const IDENTITIES = 4096;
/** Bytes of a key kept for display; the first is their number, or says that there were more. */
export const KEY_BYTES = 64;
export const KEY_CUT = 255;

const MAGIC = 0x6c696d31;
const HEADER_WORDS = 16;

/** Words of the header. */
export const Header = {
  Magic: 0,
  Slots: 1,
  SeedLow: 2,
  SeedHigh: 3,
  Evictions: 4,
  TakeOvers: 5,
  IdentityLock: 6,
} as const;

/** Float64 words of a slot. */
export const Slot = { Used: 0, At: 1, Capacity: 2, PeriodMs: 3, Allowed: 4, Refused: 5 } as const;
export const SLOT_FLOATS = 6;

/** Int32 words of an identity's totals; counts are 64 bits, low word first. */
export const Identity = { Low: 0, High: 1, Allowed: 2, Refused: 4, Evicted: 6 } as const;
export const IDENTITY_WORDS = 8;

export interface LimitViews {
  readonly header: Int32Array<ArrayBufferLike>;
  readonly locks: Int32Array<ArrayBufferLike>;
  /** Two words per slot: the hash of identity and key. Both 0: empty. */
  readonly tags: Int32Array<ArrayBufferLike>;
  /** Two words per slot: the hash of the identity. */
  readonly owners: Int32Array<ArrayBufferLike>;
  readonly identities: Int32Array<ArrayBufferLike>;
  readonly numbers: Float64Array<ArrayBufferLike>;
  readonly keys: Uint8Array<ArrayBufferLike>;
  readonly slots: number;
}

const groupsOf = (slots: number): number => slots / WAYS;

/** Sections in order, each a multiple of 8 bytes. */
function sections(slots: number): { readonly bytes: number; readonly starts: readonly number[] } {
  const sizes = [
    HEADER_WORDS * 4,
    Math.ceil(groupsOf(slots) / 2) * 8,
    slots * 8,
    slots * 8,
    IDENTITIES * IDENTITY_WORDS * 4,
    slots * SLOT_FLOATS * 8,
    slots * KEY_BYTES,
  ];
  const starts: number[] = [];
  let bytes = 0;
  for (const size of sizes) {
    starts.push(bytes);
    bytes += size;
  }
  return { bytes, starts };
}

/** A fresh, empty table. `slots` is rounded up to a power of two; `seed` keeps hashes unguessable. */
export function allocateTable(slots: number, seed: readonly [number, number]): SharedArrayBuffer {
  const rounded = 2 ** Math.ceil(Math.log2(Math.max(WAYS, slots)));
  const buffer = new SharedArrayBuffer(sections(rounded).bytes);
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  header[Header.Slots] = rounded;
  header[Header.SeedLow] = seed[0];
  header[Header.SeedHigh] = seed[1];
  header[Header.Magic] = MAGIC;
  return buffer;
}

/** @throws TypeError for a buffer that allocateTable() did not create. */
export function viewTable(buffer: SharedArrayBuffer): LimitViews {
  const header = buffer.byteLength >= HEADER_WORDS * 4 ? new Int32Array(buffer, 0, HEADER_WORDS) : undefined;
  const slots = header?.[Header.Slots] ?? 0;
  if (header?.[Header.Magic] !== MAGIC || sections(slots).bytes !== buffer.byteLength) {
    throw new TypeError('Not the memory of a limit table');
  }
  const [, locks, tags, owners, identities, numbers, keys] = sections(slots).starts;
  return {
    header,
    slots,
    locks: new Int32Array(buffer, locks, groupsOf(slots)),
    tags: new Int32Array(buffer, tags, slots * 2),
    owners: new Int32Array(buffer, owners, slots * 2),
    identities: new Int32Array(buffer, identities, IDENTITIES * IDENTITY_WORDS),
    numbers: new Float64Array(buffer, numbers, slots * SLOT_FLOATS),
    keys: new Uint8Array(buffer, keys, slots * KEY_BYTES),
  };
}
