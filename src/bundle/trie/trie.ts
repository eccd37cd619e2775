/** Opens a trie in place, over the bytes of a file or shared memory. */
import * as layout from './layout.js';
import { type TrieSections, verifyTrie } from './verify.js';

export { buildTrie } from './build.js';
export { TrieError } from './layout.js';

export interface TrieOptions {
  /** This process has already verified the same bytes (shared by another thread): skip the check. */
  readonly verified?: boolean;
}

export class Trie implements TrieSections {
  readonly header: Int32Array;
  readonly nodes: Int32Array;
  /** The nodes section as bytes, for its literals. */
  readonly nodeBytes: Uint8Array;
  readonly hosts: Int32Array;
  readonly methods: Int32Array;
  readonly listeners: Int32Array;
  readonly strings: Int32Array;
  readonly conditions: Int32Array;
  readonly lists: Int32Array;
  readonly dfas: Int32Array;
  readonly pool: Uint8Array;
  readonly dfaCount: number;

  /**
   * Creates views of `buffer`. Verifies that every match ends and stays within the buffer, so untrusted bytes are safe.
   * @throws TrieError for bytes that are not a trie, have another format, or are damaged; and on a big-endian machine.
   */
  static open(buffer: ArrayBufferLike, options: TrieOptions = {}): Trie {
    layout.requireLittleEndian();
    const trie = new Trie(buffer);
    if (!options.verified) verifyTrie(trie);
    return trie;
  }

  private constructor(readonly buffer: ArrayBufferLike) {
    const size = layout.HEADER_WORDS * 4;
    if (buffer.byteLength < size) throw new layout.TrieError('The trie is truncated: it has no header.');
    this.header = new Int32Array(buffer, 0, layout.HEADER_WORDS);
    if (this.header[layout.H_MAGIC] !== layout.TRIE_MAGIC) throw new layout.TrieError('These bytes are not a trie.');
    const format = this.header[layout.H_FORMAT];
    if (format !== layout.TRIE_FORMAT) {
      throw new layout.TrieError(`The trie has format ${format}; this gw reads format ${layout.TRIE_FORMAT}.`);
    }
    if (this.header[layout.H_BYTES] !== buffer.byteLength) {
      throw new layout.TrieError(
        `The trie is truncated: ${buffer.byteLength} bytes of ${this.header[layout.H_BYTES]}.`,
      );
    }
    this.nodes = this.#words('nodes');
    this.nodeBytes = new Uint8Array(buffer, this.nodes.byteOffset, this.nodes.byteLength);
    this.hosts = this.#words('hosts');
    this.methods = this.#words('methods');
    this.listeners = this.#words('listeners');
    this.strings = this.#words('strings');
    this.conditions = this.#words('conditions');
    this.lists = this.#words('lists');
    this.dfas = this.#words('dfas');
    const { at, length } = this.#section('pool');
    this.pool = new Uint8Array(buffer, at, length);
    this.dfaCount = countDfas(this.dfas);
  }

  /** One more than the greatest route index. */
  get routeCount(): number {
    return this.header[layout.H_ROUTES]!;
  }

  get nodeCount(): number {
    return this.header[layout.H_NODES]!;
  }

  /** Number of segments of the longest route, without its tail. */
  get depth(): number {
    return this.header[layout.H_DEPTH]!;
  }

  /** A string of the string table, by index. */
  string(index: number): string {
    const at = this.strings[index * 2]!;
    return decode(this.pool, at, this.strings[index * 2 + 1]!);
  }

  /** The literal of an edge, as bytes of the nodes section. */
  literal(at: number, length: number): string {
    return decode(this.nodeBytes, at, length);
  }

  #words(name: layout.SectionName): Int32Array {
    const { at, length } = this.#section(name);
    if (at % 4 !== 0 || length % 4 !== 0)
      throw new layout.TrieError(`The trie is damaged: section ${name} is incomplete.`);
    return new Int32Array(this.buffer, at, length / 4);
  }

  #section(name: layout.SectionName): { at: number; length: number } {
    const entry = layout.H_DIRECTORY + layout.SECTIONS.indexOf(name) * 2;
    const at = this.header[entry]!;
    const length = this.header[entry + 1]!;
    if (at < layout.HEADER_WORDS * 4 || length < 0 || at > this.buffer.byteLength - length) {
      throw new layout.TrieError(`The trie is damaged: section ${name} is out of bounds.`);
    }
    return { at, length };
  }
}

/** The records end where the transitions of the first automaton begin. */
function countDfas(dfas: Int32Array): number {
  if (dfas.length < layout.DFA_WORDS) return 0;
  const first = dfas[3]!;
  if (first < layout.DFA_WORDS || first > dfas.length || first % layout.DFA_WORDS !== 0) {
    throw new layout.TrieError('The trie is damaged: its automata are out of bounds.');
  }
  return first / layout.DFA_WORDS;
}

/** slice() copies, because a text decoder cannot read shared memory. */
const decode = (bytes: Uint8Array, at: number, length: number): string =>
  new TextDecoder().decode(bytes.slice(at, at + length));
