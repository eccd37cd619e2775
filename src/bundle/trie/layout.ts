/**
 * The layout of a trie in its buffer. Little-endian 32-bit words and bytes; every reference is an offset, so the buffer is
 * used in place (bytes of a file, a SharedArrayBuffer) without parsing.
 *
 *     header      HEADER_WORDS words: magic, format, sizes, and the directory (offset and length in bytes per section)
 *     nodes       words. Word 0 is unused, so that 0 means `none`. A node:
 *                   +0 leaf list   +1 parameter child   +2 tail's leaf list   +3 typed list   +4 mask of the edge table
 *                   +5 edge table: (mask + 1) slots of [hash, child, literal's offset, literal's length], then the
 *                      literals' bytes, each from a whole word on (offsets count bytes of this section);
 *                      mask -1: no literals; mask 0: one literal, compared without hashing; an empty slot has child 0
 *                 leaf list:  count, then per candidate [method, route, condition list, rank, listener list], best first
 *                 typed list: count, then [dfa, child]
 *     hosts       slots of [hash, kind, string, root node]; hashed from the last character to the first, so that one
 *                 scan of a host finds the host itself and all of its suffixes
 *     methods     string indices      listeners   string indices of the names that routes are bound to
 *     strings     [pool offset, byte length]
 *     conditions  [on, name, op, argument, argument count] with strings in `lists`
 *     lists       condition lists (count, condition indices), listener lists (count, listener indices), and the strings
 *                 of one-of; a candidate with listener list 0 is served on every listener
 *     dfas        DFA_WORDS words each, then all transition tables
 *     pool        bytes: strings, byte classes, accepting states
 *
 * Nodes are in depth-first order: a child comes after its parent, and the words that one match reads are close together.
 * With large tables, cache misses dominate the cost of a match.
 */

/** `GWT1`. */
export const TRIE_MAGIC = 0x31545747;
export const TRIE_FORMAT = 2;

export const HEADER_WORDS = 32;
export const H_MAGIC = 0;
export const H_FORMAT = 1;
export const H_BYTES = 2;
export const H_FLAGS = 3;
export const H_ROUTES = 4;
export const H_NODES = 5;
/** Edges from a root to the deepest node. */
export const H_DEPTH = 6;
/** The root for requests of any host; 0: none. */
export const H_ANY_ROOT = 7;
export const H_DIRECTORY = 8;
/** Checksum of all other words: detects changes that keep the structure valid, such as another literal or route. */
export const H_CHECKSUM = 31;

export const SECTIONS = [
  'nodes',
  'hosts',
  'methods',
  'listeners',
  'strings',
  'conditions',
  'lists',
  'dfas',
  'pool',
] as const;
export type SectionName = (typeof SECTIONS)[number];

export const FLAG_IGNORE_TRAILING_SLASH = 1;
/** A node has two typed children: candidates below must be compared by rank. */
export const FLAG_SEVERAL_TYPED = 2;

export const N_LEAF = 0;
export const N_PARAM = 1;
export const N_TAIL = 2;
export const N_TYPED = 3;
export const N_MASK = 4;
export const N_EDGES = 5;
export const EDGE_WORDS = 4;

export const CANDIDATE_WORDS = 5;
/** A candidate for any method. */
export const ANY_METHOD = -1;

export const HOST_WORDS = 4;
export const HOST_EXACT = 1;
export const HOST_WILDCARD = 2;

export const CONDITION_WORDS = 5;
export const ON = ['header', 'query', 'scheme'] as const;
export const OPS = ['present', 'absent', 'equals', 'one-of', 'prefix', 'matches'] as const;

/** [byte classes in the pool, class count, state count, transitions in `dfas`, accepting in the pool, dead, source]. */
export const DFA_WORDS = 7;

export const FNV_OFFSET = 0x811c9dc5 | 0;
export const FNV_PRIME = 0x01000193;

/** Where probing starts in a table of `mask + 1` slots. */
export const slotOf = (hash: number, mask: number): number => (hash ^ (hash >>> 15)) & mask;

/** FNV-1a over all words except the checksum; any change of one word changes the sum. */
export function checksumOf(words: Int32Array): number {
  let sum = FNV_OFFSET;
  for (let i = 0; i < words.length; i++) if (i !== H_CHECKSUM) sum = Math.imul(sum ^ words[i]!, FNV_PRIME);
  return sum;
}

/** A trie that is damaged or of another format. */
export class TrieError extends Error {
  override readonly name = 'TrieError';
}

/** The words of a trie are little-endian, so a big-endian machine cannot read them in place. */
export function requireLittleEndian(): void {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] !== 1) {
    throw new TrieError('A trie is little-endian, and this machine is big-endian.');
  }
}
