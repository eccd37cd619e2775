/** The keys of a policy at run time: those of its config, and those of consumers. */
import * as crypto from 'node:crypto';
import type { ConsumerEntry, CredentialEntry, PolicyHost } from '../contract.js';
import {
  isSignatureAlgorithm,
  openKey,
  type PublicKeyJwk,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
  type SignatureKey,
} from '../kits/http-signature/index.js';
import type { HttpSignatureSettings } from './schema.js';

/** A key, and whose it is. */
export interface KnownKey {
  readonly key: SignatureKey;
  readonly consumer: ConsumerEntry | undefined;
  readonly credential: CredentialEntry | undefined;
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
  readonly #dummies = new Map<SignatureAlgorithm, SignatureKey>();
  /** How many keys have an algorithm: those of the config, and those of consumers at compile time. */
  readonly #algorithms: readonly (readonly [algorithm: SignatureAlgorithm, keys: number])[];
  readonly #total: number;
  /** The algorithm of unknown keys if no key is known: that of the consumer that was asked for last. */
  #usual: SignatureAlgorithm = 'ed25519';

  /** Throws for a key that cannot be used; the message omits it. */
  constructor({ algorithms, consumers, keys }: HttpSignatureSettings, host: PolicyHost) {
    this.#host = host;
    this.#consumers = consumers;
    for (const { id, algorithm, key, consumer } of keys) {
      if (typeof key === 'object' && '$ref' in key) throw new TypeError('The secret is an unresolved reference.');
      this.#own.set(id, { key: openKey(algorithm, key as PublicKeyJwk | string), consumer });
    }
    const own = [...this.#own.values()].map(({ key }) => key.algorithm);
    this.#algorithms = SIGNATURE_ALGORITHMS.map((one) => {
      const ofConsumers = Object.hasOwn(algorithms, one) ? algorithms[one]! : 0;
      return [one, own.filter((algorithm) => algorithm === one).length + ofConsumers] as const;
    }).filter(([, count]) => count > 0);
    this.#total = this.#algorithms.reduce((sum, [, count]) => sum + count, 0);
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
    this.#usual = key.algorithm;
    return { key, consumer, credential };
  }

  /** Undefined for a key that cannot be used, such as a secret that is too short. */
  #open({ name, data }: CredentialEntry): SignatureKey | undefined {
    const { algorithm, key } = data as { readonly algorithm: string; readonly key: PublicKeyJwk | string };
    try {
      return openKey(algorithm, key);
    } catch (error) {
      const cause = error instanceof Error ? error.message : 'unknown';
      this.#host.logger.error('credential cannot be used', { credential: name, cause });
      return undefined;
    }
  }

  /** A key that verifies nothing: an unknown key id takes as long as a wrong signature. `alg`: what the signature says. */
  dummy(id: string, alg: string | undefined): SignatureKey {
    const algorithm = isSignatureAlgorithm(alg) ? alg : this.#algorithmFor(id);
    const known = this.#dummies.get(algorithm) ?? dummyOf(algorithm);
    this.#dummies.set(algorithm, known);
    return known;
  }

  /**
   * The algorithm of a key that does not exist. They occur as often as those of real keys, and one id always gets the same: the time of
   * an answer does not tell whether a key exists.
   */
  #algorithmFor(id: string): SignatureAlgorithm {
    if (this.#algorithms.length < 2) return this.#algorithms[0]?.[0] ?? this.#usual;
    const digest = crypto.hash('sha256', `${this.#host.identity} ${id}`, 'buffer');
    let at = digest.readUIntBE(0, 6) % this.#total;
    for (const [algorithm, count] of this.#algorithms) {
      at -= count;
      if (at < 0) return algorithm;
    }
    return this.#usual;
  }
}

function dummyOf(algorithm: SignatureAlgorithm): SignatureKey {
  if (algorithm === 'hmac-sha256') return { algorithm, key: crypto.createSecretKey(crypto.randomBytes(32)) };
  if (algorithm === 'ed25519') return { algorithm, key: crypto.generateKeyPairSync('ed25519').publicKey };
  if (algorithm.startsWith('rsa')) {
    // A random modulus: to generate a real one takes too long, and its factors do not matter.
    const modulus = crypto.randomBytes(256);
    modulus[0]! |= 0x80;
    modulus[255]! |= 1;
    const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' };
    return { algorithm, key: crypto.createPublicKey({ key: jwk, format: 'jwk' }) };
  }
  const namedCurve = algorithm === 'ecdsa-p256-sha256' ? 'P-256' : 'P-384';
  return { algorithm, key: crypto.generateKeyPairSync('ec', { namedCurve }).publicKey };
}
