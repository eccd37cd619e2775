/** The certificate authority of the ACME server: a key, a root certificate, and what it issues. */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { contextTag, DerReader, readOid, readSingle, Tag } from '../../../src/x509/der.js';
import { bits, commonName, der, extension, integer, octets, oid, pem, sequence, time } from './der.js';

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const SAN = '2.5.29.17';

/** A certificate signing request (RFC 2986), its signature verified. */
export interface SigningRequest {
  readonly names: readonly string[];
  /** DER of its SubjectPublicKeyInfo. */
  readonly key: Buffer;
}

export interface Issuance {
  readonly names: readonly string[];
  readonly key: Buffer;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

export interface IssuedCertificate extends Issuance {
  /** The chain, the leaf first. */
  readonly pem: string;
  /** RFC 9773 section 4.1. */
  readonly id: string;
}

const keyIdOf = (spki: Buffer): Buffer => {
  const reader = new DerReader(readSingle(spki).content);
  reader.next(Tag.Sequence);
  return createHash('sha1').update(reader.next(Tag.BitString).content.subarray(1)).digest();
};

/** Signs as an ECDSA key does, over the body of a certificate. */
const signed = (body: Buffer, key: KeyObject): Buffer => sequence(body, ECDSA_SHA256, bits(sign('sha256', body, key)));

export class AcmeAuthority {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #name: Buffer;
  readonly #keyId: Buffer;
  /** PEM of its root certificate. */
  readonly root: string;

  constructor(name = 'gw test authority') {
    this.#name = commonName(name);
    const spki = this.#keys.publicKey.export({ type: 'spki', format: 'der' });
    this.#keyId = keyIdOf(spki);
    const own = {
      subject: this.#name,
      key: spki,
      from: Date.UTC(2020, 0, 1),
      to: Date.UTC(2099, 11, 31),
      serial: randomBytes(16),
      extensions: [
        extension('2.5.29.19', sequence(der(Tag.Boolean, Buffer.from([0xff]))), true),
        extension('2.5.29.15', der(Tag.BitString, Buffer.from([1, 0x06])), true),
        extension('2.5.29.14', octets(this.#keyId)),
      ],
    };
    this.root = pem('CERTIFICATE', this.#certificate(own));
  }

  issue({ names, key, from, to }: Issuance): IssuedCertificate {
    const serial = randomBytes(16);
    // Its first bit is set: the id of the certificate has the byte 0 in front, as its DER.
    serial[0] = (serial[0] ?? 0) | 0x80;
    const alternative = sequence(...names.map((name) => der(contextTag(2, false), Buffer.from(name))));
    const leaf = this.#certificate({
      subject: sequence(),
      key,
      from,
      to,
      serial,
      extensions: [
        extension('2.5.29.15', der(Tag.BitString, Buffer.from([7, 0x80])), true),
        extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))),
        extension('2.5.29.35', sequence(der(contextTag(0, false), this.#keyId))),
        extension(SAN, alternative, true),
      ],
    });
    const number = Buffer.concat([Buffer.from([0]), serial]);
    const id = `${this.#keyId.toString('base64url')}.${number.toString('base64url')}`;
    return { names, key, from, to, pem: pem('CERTIFICATE', leaf) + this.root, id };
  }

  /** A certificate with a new key: for the HTTPS of the server itself. PEM texts. */
  issueNew(names: readonly string[], from: number, to: number): { readonly cert: string; readonly key: string } {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = publicKey.export({ type: 'spki', format: 'der' });
    const { pem: cert } = this.issue({ names, key, from, to });
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  #certificate(of: {
    readonly subject: Buffer;
    readonly key: Buffer;
    readonly from: number;
    readonly to: number;
    readonly serial: Uint8Array;
    readonly extensions: readonly Buffer[];
  }): Buffer {
    const body = sequence(
      der(contextTag(0, true), integer(Buffer.from([2]))),
      integer(of.serial),
      ECDSA_SHA256,
      this.#name,
      sequence(time(of.from), time(of.to)),
      of.subject,
      of.key,
      der(contextTag(3, true), sequence(...of.extensions)),
    );
    return signed(body, this.#keys.privateKey);
  }
}

/** Reads a signing request and verifies its signature. @throws Error if it is not one, or asks for something else than DNS names */
export function readSigningRequest(bytes: Buffer): SigningRequest {
  const outer = new DerReader(readSingle(bytes).content);
  const body = outer.next(Tag.Sequence);
  const algorithm = readOid(outer.enter().next(Tag.Oid).content);
  const signature = outer.next(Tag.BitString).content.subarray(1);
  const fields = new DerReader(body.content);
  fields.next(Tag.Integer);
  fields.next(Tag.Sequence);
  const key = fields.next(Tag.Sequence).whole;
  const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
  const digest = {
    '1.2.840.113549.1.1.11': 'sha256',
    '1.2.840.10045.4.3.2': 'sha256',
    '1.2.840.10045.4.3.3': 'sha384',
  }[algorithm];
  if (digest === undefined || !verify(digest, body.whole, publicKey, signature))
    throw new Error('the signature of the request is not valid');
  const attributes = fields.next(contextTag(0, true)).content;
  return { names: namesIn(attributes), key };
}

function namesIn(attributes: Buffer): string[] {
  const names: string[] = [];
  for (const list = new DerReader(attributes); !list.done; ) {
    const attribute = list.enter();
    if (readOid(attribute.next(Tag.Oid).content) !== '1.2.840.113549.1.9.14') continue;
    const extensions = attribute.enter(Tag.Set).enter();
    while (!extensions.done) {
      const one = extensions.enter();
      const id = readOid(one.next(Tag.Oid).content);
      one.optional(Tag.Boolean);
      const value = one.next(Tag.OctetString).content;
      if (id !== SAN) continue;
      for (const alternative = new DerReader(readSingle(value).content); !alternative.done; )
        names.push(alternative.next(contextTag(2, false)).content.toString('latin1'));
    }
  }
  return names;
}
