/** Certificates, RFC 5280 section 4: what gw needs of them. */
import { createHash, X509Certificate } from 'node:crypto';
import {
  contextTag,
  DerError,
  DerReader,
  readBoolean,
  readOid,
  readSerial,
  readSingle,
  readSmall,
  readTime,
  Tag,
} from './der.js';
import { type AlternativeNames, DistinguishedName, NO_NAMES, readAlternativeNames } from './names.js';

/** More is not a certificate that a client needs. */
const MAX_BYTES = 64 * 1024;
const MAX_EXTENSIONS = 64;

const SIGN_CERTIFICATES = 5;
const SIGN_LISTS = 6;
const DIGITAL_SIGNATURE = 0;

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_PURPOSE = '2.5.29.37.0';

/** Critical extensions that gw understands, or that do not limit what a client's certificate proves. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  '2.5.29.14', // subject key identifier
  '2.5.29.15', // key usage
  '2.5.29.17', // subject alternative name
  '2.5.29.19', // basic constraints
  '2.5.29.30', // name constraints
  '2.5.29.32', // policies: no policy is required
  '2.5.29.35', // authority key identifier
  '2.5.29.37', // extended key usage
]);

export class Certificate {
  /** DER. */
  readonly raw: Buffer;
  readonly x509: X509Certificate;
  /** SHA-256 of the whole certificate, lower-case hex. */
  readonly fingerprint: string;
  /** Hex digits without leading zeros. */
  readonly serial: string;
  /** DER of the names, for comparison. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly issuerName: DistinguishedName;
  readonly subjectName: DistinguishedName;
  /** Milliseconds since 1970; the last one is still valid. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** OID of the algorithm of its signature. */
  readonly algorithm: string;
  names: AlternativeNames = NO_NAMES;
  isCa = false;
  /** Most intermediate certificates below it; undefined: no limit. */
  pathLength: number | undefined = undefined;
  /** It limits the names below it. */
  constrainsNames = false;
  /** The identifier of the key that signed it, as it names it. */
  authorityKeyId: Buffer | undefined = undefined;
  /** A critical extension that gw does not know: RFC 5280 section 4.2 requires to refuse it. */
  unknownCritical: string | undefined = undefined;
  #keyUsage: number | undefined = undefined;
  #purposes: readonly string[] | undefined = undefined;

  private constructor(raw: Buffer) {
    if (raw.length > MAX_BYTES) throw new DerError('the certificate is too large');
    this.raw = raw;
    const outer = new DerReader(readSingle(raw).content);
    const body = outer.enter();
    this.algorithm = readOid(outer.enter().next(Tag.Oid).content);
    outer.next(Tag.BitString);
    outer.end();
    body.optional(contextTag(0, true));
    this.serial = readSerial(body.next(Tag.Integer).content);
    const signed = readOid(body.enter().next(Tag.Oid).content);
    if (signed !== this.algorithm) throw new DerError('the certificate names two algorithms');
    const issuer = body.next(Tag.Sequence);
    this.issuer = issuer.whole;
    this.issuerName = DistinguishedName.read(issuer.content);
    const validity = body.enter();
    this.notBefore = readTime(validity.next());
    // RFC 5280: the last second is part of the validity.
    this.notAfter = readTime(validity.next()) + 999;
    validity.end();
    const subject = body.next(Tag.Sequence);
    this.subject = subject.whole;
    this.subjectName = DistinguishedName.read(subject.content);
    body.next(Tag.Sequence);
    body.optional(contextTag(1, false));
    body.optional(contextTag(2, false));
    const extensions = body.optional(contextTag(3, true));
    body.end();
    if (extensions !== undefined) this.#readExtensions(new DerReader(readSingle(extensions.content).content));
    // OpenSSL is the second reader: it must accept the same bytes.
    this.x509 = openssl(raw);
    this.fingerprint = createHash('sha256').update(raw).digest('hex');
  }

  /** Throws DerError if it is not a certificate. */
  static read(raw: Buffer): Certificate {
    return new Certificate(raw);
  }

  #readExtensions(list: DerReader): void {
    const seen = new Set<string>();
    while (!list.done) {
      const extension = list.enter();
      const oid = readOid(extension.next(Tag.Oid).content);
      const critical = extension.optional(Tag.Boolean);
      const value = extension.next(Tag.OctetString).content;
      extension.end();
      if (seen.has(oid) || seen.size === MAX_EXTENSIONS)
        throw new DerError('an extension is repeated, or there are too many');
      seen.add(oid);
      if (critical !== undefined && readBoolean(critical.content) && !UNDERSTOOD.has(oid)) this.unknownCritical ??= oid;
      this.#readExtension(oid, value);
    }
  }

  #readExtension(oid: string, value: Buffer): void {
    if (oid === '2.5.29.17') this.names = readAlternativeNames(value);
    else if (oid === '2.5.29.30') this.constrainsNames = true;
    else if (oid === '2.5.29.19') {
      const constraints = new DerReader(readSingle(value).content);
      const ca = constraints.optional(Tag.Boolean);
      this.isCa = ca !== undefined && readBoolean(ca.content);
      const length = constraints.optional(Tag.Integer);
      if (length !== undefined) this.pathLength = readSmall(length.content);
      constraints.end();
    } else if (oid === '2.5.29.35') {
      this.authorityKeyId = new DerReader(readSingle(value).content).optional(contextTag(0, false))?.content;
    } else if (oid === '2.5.29.15') {
      const { content } = readSingle(value, Tag.BitString);
      // Bit 0 is the highest one of the first byte after the count of unused bits.
      this.#keyUsage = ((content[1] ?? 0) << 8) | (content[2] ?? 0);
    } else if (oid === '2.5.29.37') {
      const purposes: string[] = [];
      for (const reader = new DerReader(readSingle(value).content); !reader.done; )
        purposes.push(readOid(reader.next(Tag.Oid).content));
      this.#purposes = purposes;
    }
  }

  #may(bit: number): boolean {
    return this.#keyUsage === undefined || (this.#keyUsage & (0x8000 >> bit)) !== 0;
  }

  /** Whether it may sign certificates. */
  get signsCertificates(): boolean {
    return this.isCa && this.#may(SIGN_CERTIFICATES);
  }

  /** Whether it may sign revocation lists. */
  get signsLists(): boolean {
    return this.isCa && this.#may(SIGN_LISTS);
  }

  /** Whether its extended key usage, if it has one, includes clients. Also for issuers: it limits what is below. */
  get isForClients(): boolean {
    return this.#purposes === undefined || this.#purposes.some((one) => one === CLIENT_AUTH || one === ANY_PURPOSE);
  }

  /** Whether its key may sign a TLS handshake. */
  get signsHandshakes(): boolean {
    return this.#may(DIGITAL_SIGNATURE);
  }

  /** Whether the certificate of `issuer` names it, and its key has signed this one. */
  isSignedBy(issuer: Certificate): boolean {
    if (!this.issuer.equals(issuer.subject)) return false;
    try {
      return this.x509.checkIssued(issuer.x509) && this.x509.verify(issuer.x509.publicKey);
    } catch {
      // A kind of key that OpenSSL does not know.
      return false;
    }
  }

  /** Whether it is signed with its own name; its signature is not checked. */
  get isSelfIssued(): boolean {
    return this.issuer.equals(this.subject);
  }
}

function openssl(raw: Buffer): X509Certificate {
  try {
    return new X509Certificate(raw);
  } catch {
    throw new DerError('OpenSSL cannot decode the certificate');
  }
}

/** Algorithms of signatures with SHA-256 or better. */
const STRONG: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.113549.1.1.10', // RSASSA-PSS
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
  '1.3.101.113',
]);

/** Whether a signature by this algorithm, and this key, is strong enough to be relied on. */
export function isWeak({ algorithm, x509 }: Certificate, issuer: Certificate): boolean {
  if (!STRONG.has(algorithm)) return true;
  return (
    isShort(x509.publicKey.asymmetricKeyDetails?.modulusLength) ||
    isShort(issuer.x509.publicKey.asymmetricKeyDetails?.modulusLength)
  );
}

const isShort = (bits: number | undefined): boolean => bits !== undefined && bits < 2048;
