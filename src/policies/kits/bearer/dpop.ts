/**
 * Proofs of possession, RFC 9449: with each request the client signs a small token with the key that its access token is bound to.
 *
 *     DPoP: <proof>     typ dpop+jwt, alg, jwk   |   jti, htm, htu, iat, ath, nonce
 *
 * The cheap checks come first. A proof is noted only after all other checks, so that only holders of valid tokens fill the memory.
 */
import * as crypto from 'node:crypto';
import type { Exchange, PolicyHost } from '../../contract.js';
import { type Algorithm, fits, type PublicJwk, publicKey, sameName } from '../jose/keys.js';
import { formFault, isTable, type JsonTable, readTable, typeName } from '../jose/token.js';
import type { Jose, VerificationKey } from '../jose.js';
import { ReplayWindow, type Unnoted } from '../replay.js';
import { DpopNonces } from './dpop-nonces.js';
import { PROBLEMS } from './problems.js';

export const DPOP_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
  'EdDSA',
  'Ed25519',
] as const;
export type DpopAlgorithm = (typeof DPOP_ALGORITHMS)[number];

export type DpopSettings = {
  readonly mode: 'required' | 'optional';
  readonly algorithms: readonly DpopAlgorithm[];
  /** Milliseconds: how old a proof may be, and how far its time may lie in the future. */
  readonly window: number;
  /** Milliseconds that a nonce is accepted; absent: proofs need none. */
  readonly nonce?: number;
  /** `https://api.example.com`: what clients see as scheme, host and port. Default: those of the request. */
  readonly origin?: string;
};

export interface ProofFault {
  /** For the client, without quotes. */
  readonly fault: string;
  /** The nonce that the client must use: then the error is `use_dpop_nonce`. */
  readonly nonce?: string;
}

/** `nonce`: a new one for the client, if that of the proof ends soon. */
export type ProofAnswer = ProofFault | Unnoted | { readonly fault?: undefined; readonly nonce: string | undefined };

const MAX_PROOF = 8 * 1024;
const MAX_JTI = 512;
/** Keys of clients that are kept ready, in each worker and policy. */
const MAX_PREPARED = 1000;
/** Milliseconds by which the clocks of workers and of the replay window may differ. */
const CLOCKS = 1000;
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'];

export class DpopProofs {
  readonly #settings: DpopSettings;
  readonly #host: PolicyHost;
  readonly #jose: Promise<Jose>;
  readonly #nonces: DpopNonces | undefined;
  readonly #replays: ReplayWindow;
  /** By algorithm and thumbprint. The oldest leave first. */
  readonly #prepared = new Map<string, Promise<VerificationKey | undefined>>();

  constructor(settings: DpopSettings, host: PolicyHost, jose: Promise<Jose>) {
    this.#settings = settings;
    this.#host = host;
    this.#jose = jose;
    this.#replays = new ReplayWindow(host, PROBLEMS.replay);
    this.#nonces = settings.nonce === undefined ? undefined : new DpopNonces(settings.nonce, host);
  }

  /** Checks the proof of a request for a token that is bound to the key with the thumbprint `jkt`. `holder`: of the token. */
  async check(exchange: Exchange, token: string, jkt: string, holder: string): Promise<ProofAnswer> {
    const proof = exchange.headers.get('dpop');
    if (proof === undefined) return { fault: 'the DPoP proof is missing' };
    if (proof.includes(',')) return { fault: 'the request has more than one DPoP proof' };
    if (proof.length > MAX_PROOF || formFault(proof) !== undefined) return { fault: 'the DPoP proof is malformed' };
    const head = this.#readHead(proof);
    if (typeof head === 'string') return { fault: head };
    if (head.thumbprint !== jkt) return { fault: 'the DPoP proof has another key than the token' };
    const key = await this.#prepare(head);
    const payload = key === undefined ? undefined : await (await this.#jose).verify(proof, key, head.alg);
    if (payload === undefined) return { fault: 'the signature of the DPoP proof is not valid' };
    const claims = readTable(payload);
    if (typeof claims === 'string') return { fault: `the payload of the DPoP proof ${claims}` };
    const fault = this.#claimsFault(claims, exchange, token);
    if (fault !== undefined) return { fault };
    const answer = await this.#nonces?.check(claims['nonce']);
    if (answer?.accepted === false)
      return { fault: 'the DPoP proof needs a nonce of this server', nonce: answer.nonce };
    const { jti, iat } = claims as { readonly jti: string; readonly iat: number };
    const left = iat * 1000 + this.#settings.window + CLOCKS - this.#host.clock.now();
    const first = await this.#replays.isFirstUse([jkt, jti], left, holder);
    if (first === false) return { fault: 'the DPoP proof was used before' };
    return first === true ? { nonce: answer?.nonce } : first;
  }

  #readHead(proof: string): ProofHead | string {
    const header = readTable(Buffer.from(proof.slice(0, proof.indexOf('.')), 'base64url'));
    if (typeof header === 'string') return `the header of the DPoP proof ${header}`;
    const { typ, alg, jwk, crit, b64 } = header;
    if (typeof typ !== 'string' || typeName(typ) !== 'dpop+jwt') return 'the type of the DPoP proof is not dpop+jwt';
    const known = this.#settings.algorithms.some((one) => typeof alg === 'string' && sameName(one) === sameName(alg));
    if (!known) return 'the algorithm of the DPoP proof is not accepted';
    if (crit !== undefined || b64 !== undefined) return 'the DPoP proof has critical header parameters';
    if (!isTable(jwk)) return 'the DPoP proof has no key';
    if (PRIVATE.some((name) => Object.hasOwn(jwk, name))) return 'the DPoP proof has a private key';
    const key = publicKey(jwk);
    if (typeof key === 'string' || !fits(key, alg as Algorithm)) return 'the key of the DPoP proof is not usable';
    return { alg: alg as Algorithm, key, thumbprint: thumbprint(key) };
  }

  #prepare({ alg, key, thumbprint }: ProofHead): Promise<VerificationKey | undefined> {
    const id = `${alg} ${thumbprint}`;
    const known = this.#prepared.get(id);
    if (known !== undefined) return known;
    // Undefined for a point that is not on its curve.
    const prepared = this.#jose.then((jose) => jose.importKey({ ...key, alg }, alg).catch(() => undefined));
    this.#prepared.set(id, prepared);
    if (this.#prepared.size > MAX_PREPARED) this.#prepared.delete(this.#prepared.keys().next().value!);
    return prepared;
  }

  #claimsFault(claims: JsonTable, exchange: Exchange, token: string): string | undefined {
    const { jti, htm, htu, iat, ath } = claims;
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI) return 'the DPoP proof has no usable jti';
    if (htm !== exchange.method) return 'the DPoP proof is for another method';
    const url = typeof htu === 'string' ? comparable(htu) : undefined;
    if (url === undefined || url !== this.#urlOf(exchange)) return 'the DPoP proof is for another URL';
    if (typeof iat !== 'number' || !Number.isFinite(iat)) return 'the DPoP proof has no time';
    const age = this.#host.clock.now() - iat * 1000;
    if (age > this.#settings.window) return 'the DPoP proof is too old';
    if (age < -this.#settings.window) return 'the DPoP proof was made in the future';
    return ath === crypto.hash('sha256', token, 'base64url') ? undefined : 'the DPoP proof is for another token';
  }

  #urlOf(exchange: Exchange): string | undefined {
    const { scheme, host, headers, path } = exchange;
    const origin = this.#settings.origin ?? `${scheme}://${headers.get('host') ?? host}`;
    return comparable(`${origin}${path}`);
  }
}

interface ProofHead {
  readonly alg: Algorithm;
  readonly key: PublicJwk;
  readonly thumbprint: string;
}

/** RFC 7638: the required members in alphabetical order. */
export function thumbprint({ kty, n, e, crv, x, y }: PublicJwk): string {
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return crypto.hash('sha256', JSON.stringify(members), 'base64url');
}

/**
 * A URL without query and fragment, normalised by syntax and scheme (RFC 9449 section 4.3, RFC 3986 section 6.2), as paths of requests
 * are: escapes of unreserved characters are decoded, others in capitals, double slashes merged. Undefined for what is no URL.
 */
export function comparable(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, pathname, username, password } = new URL(text);
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '') return undefined;
  const path = pathname.replace(/%[0-9A-Fa-f]{2}/g, (octet) => {
    const char = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(char) ? char : octet.toUpperCase();
  });
  return `${origin}${path.replace(/\/{2,}/g, '/')}`;
}
