/** Answers that the server has signed, RFC 9701. */
import type { Json, PolicyHost } from '../contract.js';
import { claimsFault } from '../kits/bearer/claims.js';
import { KeySource } from '../kits/jose/key-source.js';
import { isTable, type JsonTable, readClaims, readHeader } from '../kits/jose/token.js';
import type { Jose } from '../kits/jose.js';
import type { SignedSettings } from './schema.js';

const TYPES = ['token-introspection+jwt'];
/** Milliseconds, for clocks that differ. */
const LEEWAY = 60_000;

export class SignedAnswers {
  readonly #settings: SignedSettings;
  readonly #source: KeySource;
  readonly #host: PolicyHost;

  constructor(settings: SignedSettings, host: PolicyHost, jose: Promise<Jose>) {
    this.#settings = settings;
    this.#source = new KeySource(settings.source, settings.algorithms, host, jose);
    this.#host = host;
  }

  take(value: Json): void {
    this.#source.take(value);
  }

  /** The members of an answer; a text says why it cannot be trusted. */
  async read(token: string): Promise<JsonTable | string> {
    const { algorithms, issuer, audience } = this.#settings;
    const header = readHeader(token, { algorithms, types: TYPES });
    if (typeof header === 'string') return `the signed answer: ${header}`;
    const signed = await this.#source.verify(token, header);
    if ('outcome' in signed) return signed.why;
    if ('fault' in signed) return 'the signature of the answer is not valid';
    const claims = readClaims(signed.payload);
    if (typeof claims === 'string') return `the signed answer: ${claims}`;
    const rules = { issuers: [issuer], audiences: [audience], claims: { iat: [] }, leeway: LEEWAY, requireExp: false };
    const fault = claimsFault(claims, rules, this.#host.clock.now());
    if (fault !== undefined) return `the signed answer: ${fault}`;
    const members = claims['token_introspection'];
    return isTable(members) ? members : 'the signed answer says nothing about the token';
  }
}
