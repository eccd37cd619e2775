/** The issuer as a worker knows it: its endpoints, its keys, and the answers of its token endpoint. */
import type { Claims, Json, PolicyHost, Unavailable } from '../contract.js';
import { KeySource, type TokenFault } from '../kits/jose/key-source.js';
import type { Algorithm } from '../kits/jose/keys.js';
import { type HeaderRules, isTable, readClaims, readHeader } from '../kits/jose/token.js';
import { openJose } from '../kits/jose.js';
import { type Endpoints, endpointsIn, type IssuerFault, type IssuerQuestion } from './endpoints.js';
import type { OidcSettings } from './schema.js';

/** A token whose signature is valid. */
export interface SignedToken {
  readonly claims: Claims;
  readonly alg: Algorithm;
}

export class Issuer {
  readonly #host: PolicyHost;
  readonly #source: KeySource;
  #endpoints: Endpoints | undefined;

  constructor({ algorithms, keys }: OidcSettings, host: PolicyHost) {
    this.#host = host;
    this.#source = new KeySource(keys, algorithms, host, openJose());
  }

  /** A value of the duty. Returns whether the keys have changed. */
  take(value: Json): boolean {
    const changed = this.#source.take(value);
    this.#endpoints = endpointsIn(value) ?? this.#endpoints;
    return changed;
  }

  get keysUsable(): boolean {
    return this.#source.usable;
  }

  /** The endpoints; if they are not known yet, the duty is asked once more. */
  async endpoints(): Promise<Endpoints | Unavailable> {
    if (this.#endpoints === undefined) await this.#source.refresh();
    return this.#endpoints ?? unavailable(this.#source.usable ? 'no metadata of the issuer' : this.#source.whyUnusable);
  }

  /** The endpoints if they are known now. */
  get known(): Endpoints | undefined {
    return this.#endpoints;
  }

  /** Verifies the signature of a token, with a new key of the issuer if need be. */
  async verify(token: string, rules: HeaderRules): Promise<SignedToken | TokenFault | Unavailable> {
    const header = readHeader(token, rules);
    if (typeof header === 'string') return { fault: header };
    const signed = await this.#source.verify(token, header);
    if (!('payload' in signed)) return signed;
    const claims = readClaims(signed.payload);
    return typeof claims === 'string' ? { fault: claims } : { claims, alg: header.alg };
  }

  /** Sends a request to the issuer, by the duty. */
  async request<T>(question: IssuerQuestion): Promise<T | IssuerFault> {
    try {
      const answer = await this.#host.ask(question as Json);
      if (isTable(answer)) return answer as T;
      return { fault: 'outage', cause: 'the duty gave no answer' };
    } catch (error) {
      return { fault: 'outage', cause: error instanceof Error ? error.message : String(error) };
    }
  }
}

export const isFault = (answer: object): answer is IssuerFault => 'fault' in answer;

const unavailable = (why: string): Unavailable => ({ outcome: 'unavailable', why });
