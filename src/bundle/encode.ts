/**
 * A bundle as bytes. All numbers little-endian:
 *
 *      0  "GWB1"                         20  length of the signature: 0 or 64
 *      4  format version                 24  sha256 of everything except itself and the signature
 *      8  length of the code             56  zeros to 64
 *     12  length of the program          64  program (canonical JSON), zeros to a multiple of 8, trie, code, signature
 *     16  length of the trie
 *
 * The code is the UTF-8 text of each module in `program.code`, in that order.
 *
 * The signature is ed25519 over `gw bundle 1\n` and the sha256, so one bundle has one hash, signed or not.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from './canonical.js';
import { checkProgram } from './program-check.js';
import { Trie, TrieError } from './trie/trie.js';
import { BUNDLE_FORMAT, type Bundle, type CodeEntry, type CodeTexts, type Program } from './types.js';

/** Bytes that are not a valid bundle for this gw. The message gives the reason. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
}

const MAGIC = 'GWB1';
const HASH_AT = 24;
const HASH_LENGTH = 32;
const HEAD_LENGTH = 64;
const SIGNATURE_LENGTH = 64;
const SIGNED_WORDS = Buffer.from('gw bundle 1\n');

export type BundleContent = Pick<Bundle, 'program' | 'trie' | 'code'>;

export interface DecodeOptions {
  /** PEM. The bundle must then be signed with the private half. */
  readonly publicKey?: string;
  /** Puts the trie into a SharedArrayBuffer, for worker threads. */
  readonly shared?: boolean;
}

/** Whether bytes begin like a bundle; needs the first four bytes. */
export const isBundle = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && Buffer.from(bytes.subarray(0, 4)).toString('latin1') === MAGIC;

/** Whether a valid bundle has a signature; does not verify it. */
export const isSigned = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32LE(20) !== 0;

/** The hash of a bundle with this content, as encodeBundle writes it, and the size of its program in bytes. */
export function sealBundle(content: BundleContent): { sha256: string; programBytes: number } {
  const { head, parts } = layOut(content);
  return { sha256: digest(head, parts).toString('hex'), programBytes: parts[0].length };
}

/**
 * The bytes of a bundle; the same content gives the same bytes.
 * @param privateKey PEM (PKCS8) of an ed25519 key to sign with.
 * @throws BundleError for a key that cannot sign.
 */
export function encodeBundle(bundle: BundleContent, privateKey?: string): Uint8Array {
  const { head, parts } = layOut(bundle);
  const hash = digest(head, parts);
  const signature = privateKey === undefined ? Buffer.alloc(0) : signHash(hash, privateKey);
  head.writeUInt32LE(signature.length, 20);
  hash.copy(head, HASH_AT);
  return Buffer.concat([head, ...parts, signature]);
}

/**
 * Decodes a bundle from untrusted bytes: verifies magic, version, lengths, hash, signature (if a key is given), the shape
 * of the program, the bounds of the trie and the hashes of the code. Runs no code.
 * @throws BundleError with the reason.
 */
export function decodeBundle(bytes: Uint8Array, options: DecodeOptions = {}): Bundle {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { programLength, trieLength, codeLength, signatureLength } = readHead(data);
  const programEnd = HEAD_LENGTH + programLength;
  const trieAt = align(programEnd);
  const trieEnd = trieAt + trieLength;
  const codeEnd = trieEnd + codeLength;
  if (data.length !== codeEnd + signatureLength) {
    throw new BundleError(
      `The bundle is truncated or too long: expected ${codeEnd + signatureLength} bytes, found ${data.length}.`,
    );
  }
  const hash = digest(unsignedHead(data), [data.subarray(HEAD_LENGTH, codeEnd)]);
  if (!hash.equals(data.subarray(HASH_AT, HASH_AT + HASH_LENGTH))) {
    throw new BundleError('The bundle is damaged: its content does not match its sha256.');
  }
  if (options.publicKey !== undefined) verifySignature(hash, data.subarray(codeEnd), options.publicKey);
  const program = readProgram(data.subarray(HEAD_LENGTH, programEnd));
  const trie = options.shared ? new SharedArrayBuffer(trieLength) : new ArrayBuffer(trieLength);
  new Uint8Array(trie).set(data.subarray(trieAt, trieEnd));
  openTrie(trie, program);
  const code = readCode(data.subarray(trieEnd, codeEnd), program.code ?? []);
  return { format: BUNDLE_FORMAT, sha256: hash.toString('hex'), program, trie, ...(code.size === 0 ? {} : { code }) };
}

/** The modules in the code section. Each must have the length and the hash that the program states. */
function readCode(section: Buffer, entries: readonly CodeEntry[]): CodeTexts {
  const texts = new Map<string, string>();
  let at = 0;
  for (const { use, sha256, bytes } of entries) {
    const part = section.subarray(at, at + bytes);
    at += bytes;
    if (part.length !== bytes || createHash('sha256').update(part).digest('hex') !== sha256) {
      throw new BundleError(`The bundle is damaged: the code of ${use} does not match its sha256.`);
    }
    texts.set(sha256, part.toString('utf8'));
  }
  if (at !== section.length)
    throw new BundleError('The bundle is damaged: it has code that its program does not list.');
  return texts;
}

const align = (length: number): number => (length + 7) & ~7;

/** The head before hash and signature are known, and what follows it: program, zeros, trie, code. */
function layOut({ program, trie, code }: BundleContent): { head: Buffer; parts: [Buffer, Buffer, Uint8Array, Buffer] } {
  const text = Buffer.from(canonicalJson(program));
  const head = Buffer.alloc(HEAD_LENGTH);
  head.write(MAGIC, 0, 'latin1');
  head.writeUInt32LE(BUNDLE_FORMAT, 4);
  head.writeUInt32LE(text.length, 12);
  head.writeUInt32LE(trie.byteLength, 16);
  const modules = Buffer.concat(
    code === undefined ? [] : (program.code ?? []).map(({ sha256 }) => Buffer.from(code.get(sha256) ?? '')),
  );
  head.writeUInt32LE(modules.length, 8);
  const programEnd = HEAD_LENGTH + text.length;
  return { head, parts: [text, Buffer.alloc(align(programEnd) - programEnd), new Uint8Array(trie), modules] };
}

function digest(head: Buffer, parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(head);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The head as it was hashed: before hash and signature were known. */
function unsignedHead(data: Buffer): Buffer {
  const head = Buffer.from(data.subarray(0, HEAD_LENGTH));
  head.fill(0, 20, HASH_AT + HASH_LENGTH);
  return head;
}

interface Lengths {
  readonly programLength: number;
  readonly trieLength: number;
  readonly codeLength: number;
  readonly signatureLength: number;
}

function readHead(data: Buffer): Lengths {
  if (data.length < HEAD_LENGTH || !isBundle(data)) {
    throw new BundleError('This file is not a gw bundle. `gw compile` writes bundles.');
  }
  const format = data.readUInt32LE(4);
  if (format !== BUNDLE_FORMAT) {
    throw new BundleError(
      `The bundle has format ${format}; this gw reads format ${BUNDLE_FORMAT}. Compile the spec again with this gw.`,
    );
  }
  const signatureLength = data.readUInt32LE(20);
  if (signatureLength !== 0 && signatureLength !== SIGNATURE_LENGTH) {
    throw new BundleError('The bundle is damaged: its signature has the wrong length.');
  }
  const [codeLength, programLength, trieLength] = [8, 12, 16].map((at) => data.readUInt32LE(at)) as [
    number,
    number,
    number,
  ];
  return { programLength, trieLength, codeLength, signatureLength };
}

function readProgram(text: Buffer): Program {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch {
    throw new BundleError('The bundle is damaged: its program is not JSON.');
  }
  const problem = checkProgram(value);
  if (problem !== undefined) throw new BundleError(`The bundle is damaged: ${problem}.`);
  return value as Program;
}

function openTrie(buffer: ArrayBufferLike, program: Program): void {
  try {
    const trie = Trie.open(buffer);
    if (trie.routeCount > program.routes.length)
      throw new TrieError('The trie has routes that the program does not have.');
    const listeners = new Set(program.listeners.map(({ name }) => name));
    for (const name of trie.listeners)
      if (!listeners.has(trie.string(name)))
        throw new TrieError('The trie has a listener that the program does not have.');
  } catch (error) {
    if (error instanceof TrieError) throw new BundleError(error.message);
    throw error;
  }
}

function signHash(hash: Buffer, privateKey: string): Buffer {
  return sign(null, Buffer.concat([SIGNED_WORDS, hash]), readKey(privateKey, createPrivateKey, 'private'));
}

function verifySignature(hash: Buffer, signature: Buffer, publicKey: string): void {
  const key = readKey(publicKey, createPublicKey, 'public');
  if (signature.length === 0) throw new BundleError('The bundle is not signed, but a signature is required.');
  if (!verify(null, Buffer.concat([SIGNED_WORDS, hash]), key, signature)) {
    throw new BundleError('The signature of the bundle does not match this public key.');
  }
}

function readKey(pem: string, read: (pem: string) => KeyObject, half: 'private' | 'public'): KeyObject {
  let key: KeyObject;
  try {
    key = read(pem);
  } catch {
    throw new BundleError(`The ${half} key cannot be read: expected a PEM file with an ed25519 key.`);
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new BundleError(`The ${half} key is of type ${key.asymmetricKeyType}; bundles are signed with ed25519.`);
  }
  return key;
}
