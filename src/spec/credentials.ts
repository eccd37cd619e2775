/** The credentials of a consumer as entries: names and ids explicit, public keys read. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { CredentialEntry, CredentialKind, Json, RefString } from '../bundle/types.js';
import type { PolicyFile } from '../policies/contract.js';
import { reasonOf } from '../reason.js';
import type { ConfigPath } from '../schema/decoder.js';
import type { ConsumerConfig, CredentialConfig } from './consumer.js';

/** A credential of a consumer, and the place of its id in the config. */
export interface CredentialModel {
  readonly entry: CredentialEntry;
  readonly at: ConfigPath;
}

interface CredentialProblem {
  readonly at: ConfigPath;
  readonly message: string;
  readonly help?: string;
}

export interface Credentials {
  readonly credentials: readonly CredentialModel[];
  readonly problems: readonly CredentialProblem[];
}

/** The credentials of a config: those of `api_keys` first. `readFile` reads files with public keys. */
export function credentialsOf(config: ConsumerConfig, readFile: (path: string) => PolicyFile): Credentials {
  const names = new Names();
  const credentials: CredentialModel[] = config.api_keys.map((id, index) => ({
    entry: { id, kind: 'key', name: names.next('key') },
    at: ['api_keys', index],
  }));
  const problems: CredentialProblem[] = [];
  for (const [index, credential] of config.credentials.entries()) {
    const [kind, key, id] = kindOf(credential);
    const name = credential.name ?? names.next(kind);
    const data = dataOf(credential, readFile);
    if (typeof data === 'object' && data !== null && 'problem' in data) {
      problems.push({ at: ['credentials', index, 'public_key'], ...(data as Unusable).problem });
      continue;
    }
    const { addresses, disabled, expires } = credential;
    // Keys in the order of the canonical text.
    const entry: CredentialEntry = {
      ...(addresses.length === 0 ? {} : { addresses }),
      ...(data === undefined ? {} : { data }),
      ...(disabled ? { disabled } : {}),
      ...(expires === undefined ? {} : { expires }),
      id,
      kind,
      name,
    };
    credentials.push({ entry, at: ['credentials', index, key] });
  }
  return { credentials, problems };
}

/** Names of credentials that have none: `key-1`, `key-2`, `password-1`. */
class Names {
  readonly #counts = new Map<CredentialKind, number>();

  next(kind: CredentialKind): string {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return `${kind}-${count}`;
  }
}

function kindOf({
  certificate,
  key,
  key_id,
  username,
}: CredentialConfig): readonly [kind: CredentialKind, key: string, id: RefString] {
  if (key !== undefined) return ['key', 'key', key];
  if (certificate !== undefined) return ['certificate', 'certificate', certificate];
  if (username !== undefined) return ['password', 'username', username];
  return ['signature', 'key_id', key_id ?? ''];
}

interface Unusable {
  readonly problem: { readonly message: string; readonly help?: string };
}

function dataOf(
  { algorithm, password, public_key, secret, secret_encoding = 'text' }: CredentialConfig,
  readFile: (path: string) => PolicyFile,
): Json | undefined | Unusable {
  if (password !== undefined) return password;
  if (algorithm === undefined) return undefined;
  if (public_key === undefined) {
    const encoding = secret_encoding === 'text' ? {} : { encoding: secret_encoding };
    return { algorithm, ...encoding, key: secret ?? '' };
  }
  const key = publicKey(public_key, algorithm, readFile);
  return 'problem' in key ? key : { algorithm, key: key.jwk };
}

const HOW = 'Write the path of a PEM file with a public key; `openssl pkey -in private.pem -pubout` prints it.';

function publicKey(
  written: string,
  algorithm: string,
  readFile: (path: string) => PolicyFile,
): Unusable | { readonly jwk: { readonly [name: string]: string } } {
  const refuse = (message: string): Unusable => ({ problem: { message, help: HOW } });
  const inline = written.includes('-----BEGIN ');
  const file = inline ? { text: written } : readFile(written);
  if (file.text === undefined) return refuse(`The public key \`${written}\` cannot be read: ${file.cause}.`);
  const what = inline ? 'The public key' : `The file \`${written}\``;
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(file.text))
    return refuse(`${what} contains a private key, which only the partner should have.`);
  let key: KeyObject;
  try {
    key = createPublicKey(file.text);
  } catch (error) {
    return refuse(`${what} is not a public key in PEM: ${reasonOf(error)}.`);
  }
  const fit = KEY_OF[algorithm]?.(key) ?? `cannot be used with \`${algorithm}\``;
  if (fit !== true) return refuse(`${what} ${fit}.`);
  const { kty, crv, x, y, n, e } = key.export({ format: 'jwk' });
  const jwk = Object.entries({ crv, e, kty, n, x, y }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  return { jwk: Object.fromEntries(jwk) };
}

/** Whether a key fits an algorithm: true, or why not, as a phrase. */
const KEY_OF: { readonly [algorithm: string]: (key: KeyObject) => true | string } = {
  ed25519: ({ asymmetricKeyType }) => asymmetricKeyType === 'ed25519' || 'is not an Ed25519 key',
  'ecdsa-p256-sha256': (key) => onCurve(key, 'prime256v1') || 'is not an ECDSA key on the curve P-256',
  'ecdsa-p384-sha384': (key) => onCurve(key, 'secp384r1') || 'is not an ECDSA key on the curve P-384',
  'rsa-pss-sha512': (key) => rsaFit(key),
  'rsa-v1_5-sha256': (key) => rsaFit(key),
};

const onCurve = (key: KeyObject, curve: string): boolean =>
  key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve;

function rsaFit(key: KeyObject): true | string {
  if (key.asymmetricKeyType !== 'rsa') return 'is not an RSA key';
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return bits >= 2048 || `is an RSA key of ${bits} bits; it needs at least 2048`;
}
