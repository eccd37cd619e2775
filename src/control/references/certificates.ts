/** Checks a certificate and its key before a load, so that problems are reported in words. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

export interface PemProblem {
  readonly part: 'certificate' | 'key';
  /** The rest of a sentence whose subject is the part: `is empty`. */
  readonly message: string;
  readonly help: string;
  /** The listener can serve anyway. */
  readonly warning?: true;
}

/** A file in DER form begins with a SEQUENCE whose length has several bytes. */
export const isDer = (bytes: Uint8Array): boolean => bytes[0] === 0x30 && (bytes[1] ?? 0) >= 0x80;

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
const BLOCKS = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** The problem of a pair of PEM texts; undefined if there is none. `now`: milliseconds since the epoch. */
export function pairProblem(cert: string, key: string, now: number): PemProblem | undefined {
  if (PRIVATE_KEY.test(cert) && !CERTIFICATE.test(cert) && CERTIFICATE.test(key) && !PRIVATE_KEY.test(key)) {
    const message = 'is a private key, and the key is a certificate: the two are swapped';
    return {
      part: 'certificate',
      message,
      help: 'Give the certificate as `tls.cert` and the private key as `tls.key`.',
    };
  }
  const leaf = readCertificate(cert);
  if ('part' in leaf) return leaf;
  const own = readKey(key);
  if ('part' in own) return own;
  return mismatch(cert, leaf, own) ?? unusable(cert, key) ?? outdated(leaf, now);
}

function readCertificate(text: string): X509Certificate | PemProblem {
  const problem = (message: string, help: string): PemProblem => ({ part: 'certificate', message, help });
  if (text.trim() === '')
    return problem('is empty', 'Write the PEM certificate of the listener, followed by its chain.');
  if (!CERTIFICATE.test(text)) {
    const help = 'A certificate in PEM form begins with `-----BEGIN CERTIFICATE-----`.';
    if (PRIVATE_KEY.test(text)) return problem('is a private key', `${help} The key is given as \`tls.key\`.`);
    if (/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(text))
      return problem('is a certificate request', 'Use the certificate that the certification authority issued for it.');
    if (/-----BEGIN [A-Z ]*PUBLIC KEY-----/.test(text)) return problem('is a public key', help);
    return problem('is not in PEM form', help);
  }
  try {
    return new X509Certificate(text);
  } catch {
    return problem('is damaged: its PEM block cannot be decoded', 'Copy the file again, or issue a new certificate.');
  }
}

function readKey(text: string): KeyObject | PemProblem {
  const problem = (message: string, help: string): PemProblem => ({ part: 'key', message, help });
  if (text.trim() === '') return problem('is empty', 'Write the PEM private key that belongs to the certificate.');
  const help = 'A private key in PEM form begins with `-----BEGIN PRIVATE KEY-----`.';
  if (!PRIVATE_KEY.test(text)) {
    if (CERTIFICATE.test(text)) return problem('is a certificate', `${help} The certificate is given as \`tls.cert\`.`);
    if (/-----BEGIN [A-Z ]*PUBLIC KEY-----/.test(text)) return problem('is a public key', help);
    return problem('is not in PEM form', help);
  }
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED/.test(text)) {
    const decrypt = 'Decrypt it, `openssl pkey -in key.pem -out plain.pem`, and protect the file by its permissions.';
    return problem('is encrypted, but gw has no passphrase', decrypt);
  }
  if (/-----BEGIN OPENSSH PRIVATE KEY-----/.test(text))
    return problem('is in OpenSSH format', 'Convert a copy of it: `ssh-keygen -p -m PEM -f key.pem`.');
  try {
    return createPrivateKey(text);
  } catch {
    return problem(
      'is damaged: its PEM block cannot be decoded',
      'Copy the file again, or create a new key and certificate.',
    );
  }
}

function mismatch(cert: string, leaf: X509Certificate, key: KeyObject): PemProblem | undefined {
  if (leaf.checkPrivateKey(key)) return undefined;
  const others = (cert.match(BLOCKS) ?? []).slice(1);
  if (others.some((block) => belongs(block, key))) {
    const message = 'has its chain in the wrong order: the key belongs to a later certificate of it';
    const help = 'Put the certificate of the server first, then the one that signed it, and so on.';
    return { part: 'certificate', message, help };
  }
  const help = 'Use the key that the certificate was issued for; after a renewal replace both files.';
  return { part: 'key', message: 'does not belong to the certificate', help };
}

function belongs(block: string, key: KeyObject): boolean {
  try {
    return new X509Certificate(block).checkPrivateKey(key);
  } catch {
    // Damaged.
    return false;
  }
}

/** The DNS names of the first certificate in a PEM text, in lower case. */
export const dnsNamesOf = (cert: string): string[] => {
  const names = new X509Certificate(cert).subjectAltName ?? '';
  return [...names.matchAll(/(?:^|, )DNS:([^,\s"]+)/g)].map(([, name = '']) => name.toLowerCase());
};

/** Whether a certificate is for a name, which may be a wildcard. */
export const coversName = (cert: string, name: string): boolean =>
  name.startsWith('*.')
    ? dnsNamesOf(cert).includes(name)
    : new X509Certificate(cert).checkHost(name, { subject: 'never' }) !== undefined;

/** Problems that OpenSSL reports: a short key, a damaged chain. */
function unusable(cert: string, key: string): PemProblem | undefined {
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    const reason = error instanceof Error && 'reason' in error ? String(error.reason) : '';
    const help = 'Issue a certificate with an RSA key of at least 2048 bits or an EC key, signed with SHA-256.';
    if (/too small/.test(reason)) return { part: 'certificate', message: 'has a key that is too short', help };
    if (/too weak/.test(reason)) return { part: 'certificate', message: 'has a weak signature', help };
    const message = 'cannot be used: a part of its chain is damaged or not a certificate';
    return { part: 'certificate', message, help: 'Copy the file again, with the whole chain in PEM form.' };
  }
}

function outdated({ validFrom, validTo }: X509Certificate, now: number): PemProblem | undefined {
  const help = 'Clients refuse it. Renew the certificate, or check the clock of this machine.';
  if (Date.parse(validTo) < now) return { part: 'certificate', message: `expired on ${validTo}`, help, warning: true };
  if (Date.parse(validFrom) > now)
    return { part: 'certificate', message: `is not valid before ${validFrom}`, help, warning: true };
  return undefined;
}
