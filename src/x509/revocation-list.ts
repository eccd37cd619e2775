/**
 * Certificate revocation lists, RFC 5280 section 5: complete lists of one issuer. Lists that leave something out are refused,
 * because a certificate that they do not contain may be revoked nevertheless: delta, indirect and partial ones.
 */
import { constants, verify } from 'node:crypto';
import type { Certificate } from './certificate.js';
import {
  contextTag,
  DerError,
  DerReader,
  readBits,
  readBoolean,
  readOid,
  readSerial,
  readSingle,
  readSmall,
  readTime,
  Tag,
} from './der.js';
import { DistinguishedName } from './names.js';

const DELTA = '2.5.29.27';
const SCOPE = '2.5.29.28';
const REASON = '2.5.29.21';
const OTHER_ISSUER = '2.5.29.29';
/** Extensions of a list or an entry that may be critical: numbers, dates and key identifiers. */
const HARMLESS: ReadonlySet<string> = new Set(['2.5.29.20', '2.5.29.35', '2.5.29.24', REASON]);
/** Reason code of an entry that takes a revocation back: only in delta lists. */
const REMOVE = 8;

export class RevocationList {
  /** DER of the issuer's name. */
  readonly issuer: Buffer;
  readonly issuerName: DistinguishedName;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  /** From then on the list is out of date; undefined: it does not say. */
  readonly nextUpdate: number | undefined;
  /** Serial numbers, as `Certificate.serial`. */
  readonly revoked: ReadonlySet<string>;
  readonly #signed: Buffer;
  readonly #signature: Buffer;
  readonly #scheme: SignatureScheme;

  private constructor(der: Buffer) {
    const outer = new DerReader(readSingle(der).content);
    const signed = outer.next(Tag.Sequence);
    this.#signed = signed.whole;
    const algorithm = outer.next(Tag.Sequence);
    this.#signature = readBits(outer.next(Tag.BitString).content);
    outer.end();
    const body = new DerReader(signed.content);
    const version = body.optional(Tag.Integer);
    if (version !== undefined && readSmall(version.content) !== 1)
      throw new DerError('the version of the list is unknown');
    const isV2 = version !== undefined;
    if (!body.next(Tag.Sequence).whole.equals(algorithm.whole)) throw new DerError('the list names two algorithms');
    this.#scheme = schemeOf(algorithm.content);
    const issuer = body.next(Tag.Sequence);
    this.issuer = issuer.whole;
    this.issuerName = DistinguishedName.read(issuer.content);
    this.thisUpdate = readTime(body.next());
    const hasNext = body.tag === Tag.UtcTime || body.tag === Tag.GeneralizedTime;
    this.nextUpdate = hasNext ? readTime(body.next()) : undefined;
    const entries = body.optional(Tag.Sequence);
    this.revoked = entries === undefined ? new Set() : readEntries(entries.content, isV2);
    const extensions = body.optional(contextTag(0, true));
    body.end();
    if (extensions === undefined) return;
    if (!isV2) throw new DerError('a list of version 1 has extensions');
    eachExtension(readSingle(extensions.content).content, checkListExtension);
  }

  /** Throws DerError if it is not a list that gw accepts; the message says why. */
  static read(der: Buffer): RevocationList {
    return new RevocationList(der);
  }

  /** Whether the key of `issuer` has signed it, and may. */
  isSignedBy(issuer: Certificate): boolean {
    if (!issuer.signsLists || !this.issuer.equals(issuer.subject)) return false;
    try {
      const key = issuer.x509.publicKey;
      return verify(this.#scheme.hash, this.#signed, { key, ...this.#scheme.padding }, this.#signature);
    } catch {
      // A key of another kind.
      return false;
    }
  }
}

function readEntries(content: Buffer, isV2: boolean): Set<string> {
  const revoked = new Set<string>();
  for (const list = new DerReader(content); !list.done; ) {
    const entry = list.enter();
    revoked.add(readSerial(entry.next(Tag.Integer).content));
    readTime(entry.next());
    const extensions = entry.optional(Tag.Sequence);
    entry.end();
    if (extensions === undefined) continue;
    if (!isV2) throw new DerError('a list of version 1 has extensions');
    eachExtension(extensions.content, checkEntryExtension);
  }
  return revoked;
}

function eachExtension(content: Buffer, check: (oid: string, critical: boolean, value: Buffer) => void): void {
  const seen = new Set<string>();
  for (const list = new DerReader(content); !list.done; ) {
    const extension = list.enter();
    const oid = readOid(extension.next(Tag.Oid).content);
    const critical = extension.optional(Tag.Boolean);
    const value = extension.next(Tag.OctetString).content;
    extension.end();
    if (seen.has(oid)) throw new DerError('an extension is repeated');
    seen.add(oid);
    check(oid, critical !== undefined && readBoolean(critical.content), value);
  }
}

function checkListExtension(oid: string, critical: boolean, value: Buffer): void {
  if (oid === DELTA) throw new DerError('it is a delta list, which names only changes');
  if (oid === SCOPE) throw new DerError(scopeOf(value));
  if (critical && !HARMLESS.has(oid)) throw new DerError(`it has an unknown critical extension (${oid})`);
}

function checkEntryExtension(oid: string, critical: boolean, value: Buffer): void {
  if (oid === OTHER_ISSUER) throw new DerError(INDIRECT);
  if (oid === REASON && readSmall(readSingle(value, 0x0a).content) === REMOVE)
    throw new DerError('an entry takes a revocation back, as only delta lists may');
  if (critical && !HARMLESS.has(oid)) throw new DerError(`an entry has an unknown critical extension (${oid})`);
}

const INDIRECT = 'it is an indirect list, which names certificates of several issuers';

/** Why a list with an issuing distribution point is refused, RFC 5280 section 5.2.5. */
function scopeOf(value: Buffer): string {
  for (const scope = new DerReader(readSingle(value).content); !scope.done; ) {
    const { tag, content } = scope.next();
    if (tag === contextTag(4, false) && readBoolean(content)) return INDIRECT;
  }
  return 'it is a partial list, for some of the certificates of its issuer only';
}

interface SignatureScheme {
  /** Undefined: the algorithm has its own. */
  readonly hash: string | undefined;
  readonly padding: { readonly padding?: number; readonly saltLength?: number };
}

const HASHES: { readonly [oid: string]: string } = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

const SCHEMES: { readonly [oid: string]: string | null } = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
};

/** `content`: of an AlgorithmIdentifier. */
function schemeOf(content: Buffer): SignatureScheme {
  const reader = new DerReader(content);
  const oid = readOid(reader.next(Tag.Oid).content);
  if (Object.hasOwn(SCHEMES, oid)) return { hash: SCHEMES[oid] ?? undefined, padding: {} };
  if (oid === '1.2.840.113549.1.1.10') {
    const hash = HASHES[hashOf(reader.enter().enter(contextTag(0, true)))];
    const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: saltLength } = constants;
    if (hash !== undefined) return { hash, padding: { padding, saltLength } };
  }
  throw new DerError(`its signature has an algorithm that is unknown or too weak (${oid})`);
}

const hashOf = (parameters: DerReader): string => readOid(parameters.enter().next(Tag.Oid).content);
