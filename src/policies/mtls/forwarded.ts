/** Certificates that a trusted proxy forwards in the fields of RFC 9440. */
import type { ClientCertificate, Clock, Exchange } from '../contract.js';
import { Certificate, type ClientTrust, certificateFacts, DerError } from '../kits/certificates.js';
import { CLIENT_CERT, CLIENT_CERT_CHAIN, readClientCert, readClientCertChain } from './fields.js';

/** Certificates that are kept: reading one costs more than a request. The oldest go first. */
const MOST_KEPT = 512;

interface Forwarded {
  readonly certificate: Certificate;
  readonly chain: readonly Certificate[];
  readonly facts: ClientCertificate;
  /** The result of the last verification, and when it holds. */
  cause: string | undefined;
  from: number;
  until: number;
}

export class ForwardedCertificates {
  readonly #trust: ClientTrust | undefined;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Forwarded | string>();

  /** `trust` undefined: what the proxy says counts, except for the dates. */
  constructor(trust: ClientTrust | undefined, clock: Clock) {
    this.#trust = trust;
    this.#clock = clock;
  }

  /** The certificate in the fields of a request from a trusted proxy; undefined if it has none. */
  find({ headers }: Exchange): ClientCertificate | { readonly fault: string } | undefined {
    const text = headers.get(CLIENT_CERT);
    const chain = headers.get(CLIENT_CERT_CHAIN);
    if (text === undefined)
      return chain === undefined ? undefined : { fault: `${CLIENT_CERT_CHAIN} without ${CLIENT_CERT}` };
    const found = this.#read(text, chain);
    if (typeof found === 'string') return { fault: found };
    const now = this.#clock.now();
    if (now < found.from || now > found.until) this.#verify(found, now);
    return found.cause === undefined ? found.facts : { fault: found.cause };
  }

  #verify(found: Forwarded, now: number): void {
    const { certificate, chain } = found;
    const { notBefore, notAfter } = certificate;
    const dates =
      now < notBefore || now > notAfter ? 'the client certificate has expired or is not valid yet' : undefined;
    const result =
      this.#trust === undefined
        ? { cause: dates, from: notBefore, until: notAfter }
        : this.#trust.verify(certificate, chain, now);
    found.cause = result.cause;
    // A refusal is judged again with the next request.
    found.from = result.cause === undefined ? result.from : Number.POSITIVE_INFINITY;
    found.until = result.until;
  }

  #read(text: string, chain: string | undefined): Forwarded | string {
    const key = `${text}\n${chain ?? ''}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const found = read(text, chain);
    if (this.#kept.size >= MOST_KEPT) for (const oldest of this.#kept.keys()) if (this.#kept.delete(oldest)) break;
    this.#kept.set(key, found);
    return found;
  }
}

/** The certificate, or why it is not accepted. */
function read(text: string, chainText: string | undefined): Forwarded | string {
  const raw = readClientCert(text);
  if (raw === undefined) return `${CLIENT_CERT} is not one byte sequence (RFC 9440 section 2.2)`;
  const raws = chainText === undefined ? [] : readClientCertChain(chainText);
  if (raws === undefined) return `${CLIENT_CERT_CHAIN} is not a list of byte sequences (RFC 9440 section 2.3)`;
  try {
    const certificate = Certificate.read(raw);
    const chain = raws.map((one) => Certificate.read(one));
    const facts = certificateFacts(certificate, chain, () => true);
    return { certificate, chain, facts, cause: undefined, from: Number.POSITIVE_INFINITY, until: 0 };
  } catch (error) {
    if (error instanceof DerError) return `the certificate in ${CLIENT_CERT} cannot be read: ${error.message}`;
    throw error;
  }
}
