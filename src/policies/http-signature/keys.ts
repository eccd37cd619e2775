/** The keys of a policy at run time: those of its config, and those of consumers. */
import * as crypto from 'node:crypto';
import type { ConsumerEntry, CredentialEntry, PolicyHost } from '../contract.js';
import {
  isSignatureAlgorithm,
  openKey,
  type PublicKeyJwk,
  type SignatureAlgorithm,
  type SignatureKey,
} from '../kits/http-signature/index.js';
import type { SecretEncoding } from '../kits/secret-encoding.js';
import { UnknownWork } from '../kits/unknown-work.js';
import type { HttpSignatureSettings } from './schema.js';

/** A key, and whose it is. */
export interface KnownKey {
  readonly key: SignatureKey;
  readonly consumer: ConsumerEntry | undefined;
  readonly credential: CredentialEntry | undefined;
}

/** What a credential for signatures has. */
interface CredentialKey {
  readonly algorithm: string;
  readonly encoding?: SecretEncoding;
  readonly key: PublicKeyJwk | string;
}

/** Prepared keys of consumers in each worker. */
const MAX_PREPARED = 10_000;

export class Keys {
  readonly #host: PolicyHost;
  readonly #consumers: boolean;
  readonly #own = new Map<string, { readonly key: SignatureKey; readonly consumer: string | undefined }>();
  /** Keys of consumers by their id, while the consumers have this version. */
  readonly #prepared = new Map<string, SignatureKey>();
  #version: number | undefined;
  /** By the work that their checks take. */
  readonly #dummies = new Map<string, SignatureKey>();
  readonly #unknown: UnknownWork;

  /** Throws for a key that cannot be used; the message omits it. */
  constructor({ consumers, keys }: HttpSignatureSettings, host: PolicyHost) {
    this.#host = host;
    this.#consumers = consumers;
    for (const { id, algorithm, key, secretEncoding, consumer } of keys) {
      if (typeof key === 'object' && '$ref' in key) throw new TypeError('The secret is an unresolved reference.');
      this.#own.set(id, {
        key: openKey(algorithm, key as PublicKeyJwk | string, secretEncoding, `The key ${id}`),
        consumer,
      });
    }
    const counts: Record<string, number> = {};
    for (const { key } of this.#own.values()) counts[workOfKey(key)] = (counts[workOfKey(key)] ?? 0) + 1;
    const mark = JSON.stringify(keys[0]?.key ?? '');
    this.#unknown = new UnknownWork(host, consumers ? 'signature' : undefined, { counts, mark });
  }

  /** The key of that id; undefined for none. Both places are looked at, so that an unknown id takes no longer than a known one. */
  find(id: string): KnownKey | undefined {
    const ofConsumer = this.#consumers ? this.#ofConsumer(id) : undefined;
    const own = this.#own.get(id);
    if (own !== undefined) {
      const consumer = own.consumer === undefined ? undefined : this.#host.consumers.byName(own.consumer);
      // The consumer is gone: its key is not valid any more.
      if (own.consumer !== undefined && consumer === undefined) return undefined;
      return { key: own.key, consumer, credential: undefined };
    }
    return ofConsumer;
  }

  #ofConsumer(id: string): KnownKey | undefined {
    const { consumers } = this.#host;
    const found = consumers.byCredential('signature', id);
    if (found === undefined) return undefined;
    const { consumer, credential } = found;
    if (this.#version !== consumers.version || this.#prepared.size >= MAX_PREPARED) this.#prepared.clear();
    this.#version = consumers.version;
    const key = this.#prepared.get(id) ?? this.#open(credential);
    if (key === undefined) return undefined;
    this.#prepared.set(id, key);
    return { key, consumer, credential };
  }

  /** Undefined for a key that cannot be used, such as a secret that is too short. */
  #open({ name, data }: CredentialEntry): SignatureKey | undefined {
    const { algorithm, encoding, key } = data as unknown as CredentialKey;
    try {
      return openKey(algorithm, key, encoding);
    } catch (error) {
      const cause = error instanceof Error ? error.message : 'unknown';
      this.#host.logger.error('credential cannot be used', { credential: name, cause });
      return undefined;
    }
  }

  /**
   * A key that verifies nothing: an unknown key id takes as long as a wrong signature. `alg`: what the signature says; it must be that of
   * the key.
   */
  dummy(id: string, alg: string | undefined): SignatureKey {
    const named = isSignatureAlgorithm(alg) ? alg : undefined;
    const work = this.#unknown.of(
      id,
      named === undefined ? isWork : (one) => isWork(one) && algorithmIn(one) === named,
    );
    const chosen = work ?? named ?? USUAL;
    const known = this.#dummies.get(chosen) ?? dummyOf(chosen);
    this.#dummies.set(chosen, known);
    return known;
  }
}

/** If no key is known. */
const USUAL: SignatureAlgorithm = 'ed25519';
/** Bytes of the modulus of an RSA key if no such key is known. */
const USUAL_RSA = 256;

/** In the form of CredentialWork. */
function workOfKey({ algorithm, key }: SignatureKey): string {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  return bits === undefined ? algorithm : `${algorithm} ${Math.ceil(bits / 8)}`;
}

const algorithmIn = (work: string): string => work.split(' ', 1)[0]!;

/** Keys that cannot be used are not known. */
function isWork(work: string): boolean {
  const bytes = Number(work.split(' ')[1] ?? USUAL_RSA);
  return isSignatureAlgorithm(algorithmIn(work)) && bytes >= 256 && bytes <= 1024;
}

function dummyOf(work: string): SignatureKey {
  const algorithm = algorithmIn(work) as SignatureAlgorithm;
  if (algorithm === 'hmac-sha256') return { algorithm, key: crypto.createSecretKey(crypto.randomBytes(32)) };
  if (algorithm === 'ed25519') return { algorithm, key: crypto.generateKeyPairSync('ed25519').publicKey };
  if (algorithm.startsWith('rsa')) {
    // A random modulus: to generate a real one takes too long, and its factors do not matter.
    const modulus = crypto.randomBytes(Number(work.split(' ')[1] ?? USUAL_RSA));
    modulus[0]! |= 0x80;
    modulus[modulus.length - 1]! |= 1;
    const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
    return { algorithm, key: crypto.createPublicKey({ key: jwk, format: 'jwk' }) };
  }
  const namedCurve = algorithm === 'ecdsa-p256-sha256' ? 'P-256' : 'P-384';
  return { algorithm, key: crypto.generateKeyPairSync('ec', { namedCurve }).publicKey };
}
