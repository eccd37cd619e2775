import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isDer, pairProblem } from '../../../src/control/references/certificates.js';

const fixture = (name: string): string => readFileSync(join(process.cwd(), 'test/integration/fixtures', name), 'utf8');
const [CERT, KEY] = [fixture('tls-cert.pem'), fixture('tls-key.pem')];
const { validFrom, validTo, raw } = new X509Certificate(CERT);
const VALID = (Date.parse(validFrom) + Date.parse(validTo)) / 2;

const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const pem = { type: 'pkcs8', format: 'pem' } as const;
const encrypted = createPrivateKey(KEY).export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'x' }) as string;
const publicKey = createPublicKey(KEY).export({ type: 'spki', format: 'pem' }) as string;
const block = (name: string): string => `-----BEGIN ${name}-----\nbm8=\n-----END ${name}-----\n`;

const problemText = (cert: string, key: string, now = VALID): string => {
  const found = pairProblem(cert, key, now);
  return found === undefined ? '' : `${found.part} ${found.message}`;
};

test('a valid pair has no problem, also with a chain or both in one file', () => {
  assert.is(problemText(CERT, KEY), '');
  assert.is(problemText(CERT + CERT, KEY), '');
  assert.is(problemText(KEY + CERT, CERT + KEY), '');
  assert.is(problemText(CERT.replaceAll('\n', '\r\n'), KEY), '');
});

test('each problem names the faulty part', () => {
  for (const [cert, key, message] of [
    ['', KEY, 'certificate is empty'],
    ['\n', KEY, 'certificate is empty'],
    [CERT, '', 'key is empty'],
    ['garbage', KEY, 'certificate is not in PEM form'],
    [CERT, 'garbage', 'key is not in PEM form'],
    [block('CERTIFICATE'), KEY, 'certificate is damaged: its PEM block cannot be decoded'],
    [CERT.slice(0, CERT.length / 2), KEY, 'certificate is damaged: its PEM block cannot be decoded'],
    [CERT, block('PRIVATE KEY'), 'key is damaged: its PEM block cannot be decoded'],
    [KEY, CERT, 'certificate is a private key, and the key is a certificate: the two are swapped'],
    [KEY, KEY, 'certificate is a private key'],
    [CERT, CERT, 'key is a certificate'],
    [block('CERTIFICATE REQUEST'), KEY, 'certificate is a certificate request'],
    [publicKey, KEY, 'certificate is a public key'],
    [CERT, publicKey, 'key is a public key'],
    [CERT, encrypted, 'key is encrypted, but gw has no passphrase'],
    [CERT, block('OPENSSH PRIVATE KEY'), 'key is in OpenSSH format'],
    [CERT, other.export(pem) as string, 'key does not belong to the certificate'],
  ] as const) {
    assert.is(problemText(cert, key), message);
    assert.ok(pairProblem(cert, key, VALID)?.help);
  }
});

test('an expired or not yet valid certificate is a warning', () => {
  assert.match(problemText(CERT, KEY, Date.parse(validTo) + 1), /^certificate expired on /);
  assert.match(problemText(CERT, KEY, Date.parse(validFrom) - 1), /^certificate is not valid before /);
  assert.ok(pairProblem(CERT, KEY, Date.parse(validTo) + 1)?.warning);
});

test('DER is distinguished from PEM', () => {
  assert.ok(isDer(raw));
  assert.not(isDer(Buffer.from(CERT)));
  assert.not(isDer(Buffer.from('')));
});

test.run();
