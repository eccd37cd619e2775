/** A certificate with its key, as it is kept: PEM texts one after the other. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Certificate } from '../../x509/index.js';

export interface HeldCertificate {
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** RFC 9773 section 4.1; undefined if the certificate does not name the key of its authority. */
  readonly renewalId: string | undefined;
}

const BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----/g;

/** `host`: the certificate must be for it. @throws Error with a phrase if the texts are not a certificate and its key */
export function holdCertificate(chain: string, key: string, host: string): HeldCertificate {
  const leaf = new X509Certificate(chain);
  if (leaf.checkHost(host, { subject: 'never' }) === undefined) throw new Error(`the certificate is not for ${host}`);
  if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error('the certificate is for another key');
  const { notBefore, notAfter, authorityKeyId, serial } = Certificate.read(leaf.raw);
  return {
    chain,
    key,
    notBefore,
    notAfter,
    renewalId: authorityKeyId && `${authorityKeyId.toString('base64url')}.${contentOf(serial).toString('base64url')}`,
  };
}

/** The content of a serial number as DER: with a zero byte in front if it would be negative. */
function contentOf(serial: string): Buffer {
  const digits = serial.length % 2 === 0 ? serial : `0${serial}`;
  return Buffer.from(Number.parseInt(digits.slice(0, 2), 16) < 0x80 ? digits : `00${digits}`, 'hex');
}

/** The text of a certificate for the store. */
export const storedText = ({ chain, key }: HeldCertificate): string => `${key.trim()}\n${chain.trim()}\n`;

/** Reads what storedText() has written. @throws Error as holdCertificate() */
export function readStored(text: string, host: string): HeldCertificate {
  const blocks = [...text.matchAll(BLOCK)];
  const key = blocks.find(([, label = '']) => label.endsWith('PRIVATE KEY'))?.[0];
  const chain = blocks.filter(([, label]) => label === 'CERTIFICATE').map(([block]) => block);
  if (key === undefined || chain.length === 0) throw new Error('the file has no key and certificate');
  return holdCertificate(`${chain.join('\n')}\n`, `${key}\n`, host);
}
