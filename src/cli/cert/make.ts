/** Makes certificates for development: an authority, and a server certificate that it issues. */
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** PEM texts. */
export interface Made {
  readonly cert: string;
  readonly key: string;
}

const DAY = 86_400_000;
export const AUTHORITY_DAYS = 3650;
/** Browsers refuse certificates that are valid for longer than 825 days, also of own authorities. */
export const SERVER_DAYS = 397;

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };

/** An authority. `name`: its common name. */
export async function makeAuthority(name: string, now: number): Promise<Made> {
  const keys = await newKeys();
  const cert = await X509CertificateGenerator.createSelfSigned({
    name: [{ O: ['gw development CA'] }, { CN: [name] }],
    serialNumber: serialNumber(),
    ...validity(now, AUTHORITY_DAYS),
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pemOf(cert), key: keyText(keys.privateKey) };
}

/** A certificate for servers with these host names and IP addresses, at least one. */
export async function makeServer(authority: Made, names: readonly string[], now: number): Promise<Made> {
  const issuer = new X509Certificate(authority.cert);
  const der = createPrivateKey(authority.key).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, ECDSA, false, ['sign']);
  const keys = await newKeys();
  const cert = await X509CertificateGenerator.create({
    subject: [{ O: ['gw development certificate'] }, { CN: [names[0] ?? ''] }],
    issuer: issuer.subjectName,
    serialNumber: serialNumber(),
    ...validity(now, SERVER_DAYS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names.map(generalName)),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pemOf(cert), key: keyText(keys.privateKey) };
}

const generalName = (name: string): JsonGeneralName => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name });

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;

/** Positive, 127 bits. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** From an hour ago: clocks differ. */
const validity = (now: number, days: number): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(now - 3_600_000),
  notAfter: new Date(now + days * DAY),
});

const pemOf = (cert: X509Certificate): string => `${cert.toString('pem').trimEnd()}\n`;

const keyText = (key: webcrypto.CryptoKey): string =>
  KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
