/**
 * Sets of addresses and CIDR blocks, for thousands of them: the blocks as sorted arrays of numbers, none inside of another.
 * A lookup is a binary search and allocates nothing.
 */

/** The encoded form, for settings and published values: base64. 5 bytes for an IPv4 block, 17 for an IPv6 block. */
export type AddressSetEntry = { readonly v4: string; readonly v6: string };

/** One block: the words of its first address (1 for IPv4, 4 for IPv6), and the bits of its prefix. */
export interface AddressBlock {
  readonly words: readonly number[];
  readonly bits: number;
}

/** The words of the address that was read last. Scratch memory. */
const read = new Uint32Array(4);
const WORDS_V6 = 4;
/** Bits of an IPv6 address before the IPv4 address that it maps, RFC 4291 section 2.5.5.2. */
const MAPPED_BITS = 96;
const BYTES_V4 = 5;
const BYTES_V6 = 17;

/** Reads an address into `read`. Returns 4 or 6, or 0 for text that is none. `::ffff:192.0.2.1` is the IPv4 address. */
function readAddress(text: string, from: number, to: number): 0 | 4 | 6 {
  let colons = false;
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === 0x3a) colons = true;
  if (!colons) {
    const value = readV4(text, from, to);
    if (value < 0) return 0;
    read[0] = value;
    return 4;
  }
  if (!readV6(text, from, to)) return 0;
  if (read[0] !== 0 || read[1] !== 0 || read[2] !== 0xffff) return 6;
  read[0] = read[3]!;
  return 4;
}

/** The number of a dotted address; -1 for other text. */
function readV4(text: string, from: number, to: number): number {
  let value = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2e) {
      if (digits === 0 || ++dots > 3) return -1;
      value = value * 256 + part;
      part = 0;
      digits = 0;
    } else if (code >= 0x30 && code <= 0x39) {
      // A leading zero is octal to some readers.
      if (digits > 0 && part === 0) return -1;
      part = part * 10 + code - 0x30;
      digits++;
      if (part > 255) return -1;
    } else return -1;
  }
  return dots === 3 && digits > 0 ? value * 256 + part : -1;
}

/** The groups of an IPv6 address. Scratch memory. */
const groups = new Uint16Array(8);

function readV6(text: string, from: number, to: number): boolean {
  let count = 0;
  /** Number of groups before `::`; -1 without. */
  let gap = -1;
  let at = from;
  if (text.charCodeAt(at) === 0x3a) {
    if (text.charCodeAt(at + 1) !== 0x3a) return false;
    gap = 0;
    at += 2;
  }
  while (at < to) {
    if (count === 8) return false;
    let end = at;
    let value = 0;
    for (; end < to; end++) {
      const digit = hexDigit(text.charCodeAt(end));
      if (digit < 0) break;
      value = value * 16 + digit;
    }
    if (text.charCodeAt(end) === 0x2e && end < to) {
      const tail = readV4(text, at, to);
      if (tail < 0 || count > 6) return false;
      groups[count++] = tail >>> 16;
      groups[count++] = tail & 0xffff;
      at = to;
      break;
    }
    if (end === at || end - at > 4) return false;
    groups[count++] = value;
    at = end;
    if (at === to) break;
    if (text.charCodeAt(at) !== 0x3a) return false;
    at++;
    if (at === to) return false;
    if (text.charCodeAt(at) === 0x3a) {
      if (gap >= 0) return false;
      gap = count;
      at++;
    }
  }
  return spread(count, gap);
}

/** Puts the groups into `read`, with zeros in place of `::`. */
function spread(count: number, gap: number): boolean {
  if (gap < 0 ? count !== 8 : count > 7) return false;
  const zeros = gap < 0 ? 0 : 8 - count;
  for (let word = 0; word < WORDS_V6; word++) {
    const high = groupAt(word * 2, gap, zeros);
    read[word] = high * 0x10000 + groupAt(word * 2 + 1, gap, zeros);
  }
  return true;
}

function groupAt(index: number, gap: number, zeros: number): number {
  if (zeros === 0 || index < gap) return groups[index]!;
  return index < gap + zeros ? 0 : groups[index - zeros]!;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Reads an address or a CIDR block; undefined for other text. Bits behind the prefix are dropped. */
export function parseBlock(text: string): AddressBlock | undefined {
  const slash = text.indexOf('/');
  const end = slash < 0 ? text.length : slash;
  const family = readAddress(text, 0, end);
  if (family === 0) return undefined;
  const mapped = family === 4 && text.includes(':');
  const written = slash < 0 ? undefined : text.slice(slash + 1);
  if (written !== undefined && !/^(0|[1-9]\d{0,2})$/.test(written)) return undefined;
  const address = family === 4 ? [read[0]!] : [...read];
  if (written === undefined) return { words: address, bits: address.length * 32 };
  const bits = Number(written);
  if (!mapped) return bits > address.length * 32 ? undefined : blockOf(address, bits);
  if (bits > 128) return undefined;
  // The prefix of a mapped block counts from the beginning of the IPv6 address.
  return bits >= MAPPED_BITS ? blockOf(address, bits - MAPPED_BITS) : blockOf([0, 0, 0xffff, ...address], bits);
}

const blockOf = (words: readonly number[], bits: number): AddressBlock => ({
  words: words.map((word, index) => masked(word, bits - index * 32)),
  bits,
});

/** The first `bits` bits of a word. */
const masked = (word: number, bits: number): number =>
  bits >= 32 ? word : bits <= 0 ? 0 : (word & (-1 << (32 - bits))) >>> 0;

/** The compact form of blocks, each once; blocks inside of another one are dropped. */
export function encodeBlocks(blocks: Iterable<AddressBlock>): AddressSetEntry {
  const v4: AddressBlock[] = [];
  const v6: AddressBlock[] = [];
  for (const block of blocks) (block.words.length === 1 ? v4 : v6).push(block);
  return { v4: encoded(v4, BYTES_V4), v6: encoded(v6, BYTES_V6) };
}

function encoded(blocks: AddressBlock[], size: number): string {
  blocks.sort(inOrder);
  const bytes = Buffer.alloc(blocks.length * size);
  let at = 0;
  let last: AddressBlock | undefined;
  for (const block of blocks) {
    if (last !== undefined && contains(last, block)) continue;
    for (const word of block.words) at = bytes.writeUInt32BE(word, at);
    at = bytes.writeUInt8(block.bits, at);
    last = block;
  }
  return bytes.toString('base64', 0, at);
}

/** By the first address; the larger one of two blocks with the same first address precedes. */
function inOrder(a: AddressBlock, b: AddressBlock): number {
  for (let word = 0; word < a.words.length; word++)
    if (a.words[word] !== b.words[word]) return a.words[word]! - b.words[word]!;
  return a.bits - b.bits;
}

const contains = (outer: AddressBlock, inner: AddressBlock): boolean =>
  outer.bits <= inner.bits &&
  outer.words.every((word, index) => word === masked(inner.words[index]!, outer.bits - index * 32));

/** Blocks of one family: their first addresses in order, and the bits of each. */
class Blocks {
  readonly size: number;
  readonly #words: Uint32Array;
  readonly #bits: Uint8Array;
  readonly #width: number;

  constructor(base64: string, width: number) {
    const bytes = Buffer.from(base64, 'base64');
    const each = width * 4 + 1;
    this.size = Math.floor(bytes.length / each);
    this.#width = width;
    this.#words = new Uint32Array(this.size * width);
    this.#bits = new Uint8Array(this.size);
    for (let index = 0; index < this.size; index++) {
      for (let word = 0; word < width; word++)
        this.#words[index * width + word] = bytes.readUInt32BE(index * each + word * 4);
      this.#bits[index] = bytes[index * each + width * 4]!;
    }
  }

  /** Whether a block contains the address in `read`: only the last one that does not begin after it can. */
  hasRead(): boolean {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#beginsAfter(middle)) high = middle;
      else low = middle + 1;
    }
    return low > 0 && this.#contains(low - 1);
  }

  #beginsAfter(index: number): boolean {
    for (let word = 0; word < this.#width; word++) {
      const mine = this.#words[index * this.#width + word]!;
      if (mine !== read[word]) return mine > read[word]!;
    }
    return false;
  }

  #contains(index: number): boolean {
    const bits = this.#bits[index]!;
    for (let word = 0; word < this.#width; word++)
      if (masked(read[word]!, bits - word * 32) !== this.#words[index * this.#width + word]) return false;
    return true;
  }
}

export class AddressSet {
  readonly #v4: Blocks;
  readonly #v6: Blocks;

  constructor({ v4, v6 }: AddressSetEntry) {
    this.#v4 = new Blocks(v4, 1);
    this.#v6 = new Blocks(v6, WORDS_V6);
  }

  /** Number of blocks. */
  get size(): number {
    return this.#v4.size + this.#v6.size;
  }

  /** Whether a block contains the address. False for text that is no address; a zone (`%eth0`) is ignored. */
  has(address: string): boolean {
    const zone = address.indexOf('%');
    const family = readAddress(address, 0, zone < 0 ? address.length : zone);
    if (family === 0) return false;
    return family === 4 ? this.#v4.hasRead() : this.#v6.hasRead();
  }
}

/** What is wrong with an address or CIDR block of a config; undefined if it is valid. */
export const blockProblem = (text: string): string | undefined =>
  parseBlock(text) === undefined
    ? `Expected an IP address or a CIDR block such as \`"10.0.0.0/8"\`, found \`${text}\`.`
    : undefined;

/** The compact form of valid texts. */
export const encodeAddresses = (texts: readonly string[]): AddressSetEntry =>
  encodeBlocks(texts.flatMap((text) => parseBlock(text) ?? []));
