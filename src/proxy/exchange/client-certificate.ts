/**
 * The certificate of a client's connection, and whether it is accepted. OpenSSL verifies the handshake, once. Whether the
 * certificate is still accepted is asked for each request: it may be revoked, it may expire, and a reload may trust others.
 */
import type { ClientCertificate } from '../../contract/index.js';
import { Certificate, type ClientTrust, certificateFacts, constrainingIn, DerError } from '../../x509/index.js';

/** Which client certificates a listener accepts. */
export interface ClientRules {
  readonly required: boolean;
  readonly trust: ClientTrust;
  /** The authorities as a text: equal for two rules that trust the same ones. */
  readonly authorities: string;
  /** The revocation lists as a text. */
  readonly lists: string | undefined;
}

/** What a handshake has found. */
export interface Handshake {
  /** Of the rules that OpenSSL verified by; undefined: it was not asked to. */
  readonly authorities: string | undefined;
  /** Why OpenSSL does not accept the certificate; undefined: it does. */
  readonly cause: string | undefined;
}

/** Fields that tell a target about the certificate of a client, RFC 9440. */
export const CLIENT_CERT_FIELDS: readonly string[] = ['client-cert', 'client-cert-chain'];

const NOT_VERIFIED: Handshake = { authorities: undefined, cause: undefined };
/** Most certificates that are read of what a client presents. */
const MAX_CHAIN = 16;

export class PresentedCertificate {
  readonly facts: ClientCertificate | undefined;
  readonly #leaf: Certificate | undefined;
  readonly #chain: readonly Certificate[];
  readonly #handshake: Handshake;
  /** Why the certificate cannot be read. */
  readonly #fault: string | undefined;
  #rules: ClientRules | undefined = undefined;
  #cause: string | undefined = undefined;
  #fields: { readonly cert: string; readonly chain: string | undefined } | undefined = undefined;
  #from = 0;
  #until = 0;

  /** `ders`: the certificate, then what came with it; empty for none. `rules` and `now` say whether it is verified. */
  constructor(
    ders: readonly Buffer[],
    rules: () => ClientRules | undefined,
    now: () => number,
    handshake: Handshake = NOT_VERIFIED,
  ) {
    this.#handshake = handshake;
    const [leaf, ...chain] = readAll(ders);
    this.#fault = typeof leaf === 'string' ? leaf : undefined;
    this.#leaf = typeof leaf === 'string' ? undefined : leaf;
    this.#chain = chain.filter((one) => typeof one !== 'string');
    const verified = (): boolean => {
      const present = rules();
      return present !== undefined && this.refusal(present, now()) === undefined;
    };
    const sent = this.#chain.filter(({ isSelfIssued }) => !isSelfIssued);
    this.facts = this.#leaf === undefined ? undefined : certificateFacts(this.#leaf, sent, verified);
  }

  /** The certificate and its chain as fields for targets, RFC 9440 section 2. Undefined: the client presented none. */
  get fields(): { readonly cert: string; readonly chain: string | undefined } | undefined {
    if (this.facts === undefined) return undefined;
    const { raw, chain } = this.facts;
    this.#fields ??= { cert: binary(raw), chain: chain.length === 0 ? undefined : chain.map(binary).join(', ') };
    return this.#fields;
  }

  /** Why a request of the connection is refused at `now` (milliseconds since 1970), for logs; undefined: it is not. */
  refusal(rules: ClientRules, now: number): string | undefined {
    if (this.#leaf === undefined) return this.#fault ?? (rules.required ? NO_CERTIFICATE : undefined);
    if (this.#rules !== rules || now < this.#from || now > this.#until) this.#verify(this.#leaf, rules, now);
    return this.#cause;
  }

  #verify(leaf: Certificate, rules: ClientRules, now: number): void {
    const { authorities, cause } = this.#handshake;
    const byOpenssl = authorities === rules.authorities;
    this.#rules = rules;
    this.#from = Number.NEGATIVE_INFINITY;
    this.#until = Number.POSITIVE_INFINITY;
    this.#cause = byOpenssl ? cause : undefined;
    // What OpenSSL has refused stays refused by the same authorities.
    if (this.#cause !== undefined) return;
    const constrained = byOpenssl ? new Set(constrainingIn([...rules.trust.authorities, ...this.#chain])) : undefined;
    const found = rules.trust.verify(leaf, this.#chain, now, constrained);
    this.#cause = found.cause;
    this.#from = found.from;
    this.#until = found.until;
  }
}

const NO_CERTIFICATE = 'no client certificate';

/** A byte sequence, RFC 8941 section 3.3.5. */
const binary = (der: Uint8Array): string => `:${Buffer.from(der).toString('base64')}:`;

/** Each certificate, or why it cannot be read. */
function readAll(ders: readonly Buffer[]): (Certificate | string)[] {
  return ders.slice(0, MAX_CHAIN).map((der) => {
    try {
      return Certificate.read(der);
    } catch (error) {
      if (error instanceof DerError) return `the client certificate cannot be read: ${error.message}`;
      throw error;
    }
  });
}
