/**
 * The one check of consumers and their credentials: for each identity that an authenticator returns, also a kept one, and
 * again for open exchanges when consumers or lists of revoked certificates have changed, or a credential expires.
 */
import type { ConsumerEntry, CredentialEntry } from '../../../bundle/types.js';
import type { AuthProblem, ClientCertificate, Identity, Refused } from '../../../policies/contract.js';
import { CredentialFaults } from '../../../policies/kits/credential-fault.js';
import { credentialIn, type LiveConsumers } from '../../../state/consumers/live.js';
import { ERRORS } from '../../errors/errors.js';

/** The part of an exchange that says who calls. */
export interface CalledExchange {
  readonly remoteAddress: string;
  consumer: ConsumerEntry | undefined;
  credential: CredentialEntry | undefined;
  /** What an authenticator has found. */
  readonly certificate: ClientCertificate | undefined;
  /** The turn in which its caller was checked last. */
  callerTurn: number;
}

/** Why a caller is not accepted, for decisions and logs. `problem`: undefined: that of an unknown credential. */
interface Fault {
  readonly cause: string;
  readonly problem: AuthProblem | undefined;
}

/** Open exchanges that one call of recheck() looks at. */
export const RECHECKED_AT_ONCE = 4096;

export class Callers {
  readonly consumers: LiveConsumers;
  readonly #now: () => number;
  readonly #faults = new CredentialFaults();
  /** Increases when open exchanges must be checked again. */
  #turn = 1;
  /** Version of the consumers in this turn. */
  #version: number;
  /** Milliseconds since 1970; not later than the first expiry of the credential of an open exchange. */
  #nextExpiry = Number.POSITIVE_INFINITY;
  /** Exchanges of this turn are not all checked. */
  #pending = false;

  /** `now`: milliseconds since 1970. */
  constructor(consumers: LiveConsumers, now: () => number) {
    this.consumers = consumers;
    this.#version = consumers.version;
    this.#now = now;
  }

  /** Sets the caller of the exchange to what is known about it now. Returns a refusal if the identity is not accepted. */
  admit(exchange: CalledExchange, found: Identity): Identity | Refused {
    const { certificate, consumer } = found;
    if (certificate !== undefined) {
      exchange.callerTurn = this.#turn;
      this.#expiresAt(certificate.notAfter + 1);
    }
    if (consumer === undefined) return found;
    const current = this.consumers.current(consumer);
    const known = found.credential;
    const credential = known === undefined || current === undefined ? undefined : credentialIn(current, known);
    const fault = this.#fault(consumer, current, known, credential, exchange.remoteAddress);
    if (fault !== undefined) return refused(found, fault);
    exchange.consumer = current;
    exchange.credential = credential;
    exchange.callerTurn = this.#turn;
    if (credential?.expires !== undefined) this.#expiresAt(credential.expires);
    return found;
  }

  /** Costs a few comparisons if nothing has changed. */
  #fault(
    given: ConsumerEntry,
    current: ConsumerEntry | undefined,
    known: CredentialEntry | undefined,
    credential: CredentialEntry | undefined,
    address: string,
  ): Fault | undefined {
    if (current === undefined) return { cause: `consumer ${given.name} was removed`, problem: undefined };
    if (known !== undefined) {
      const fault = credential === undefined ? 'was removed' : this.#faults.of(credential, address, this.#now());
      if (fault !== undefined)
        return { cause: `credential ${known.name} of ${given.name} ${fault}`, problem: undefined };
    }
    return current.disabled === true ? { cause: `consumer ${given.name} is disabled`, problem: DISABLED } : undefined;
  }

  #expiresAt(ms: number): void {
    if (ms < this.#nextExpiry) this.#nextExpiry = ms;
  }

  /** Listeners may trust other certificates: open exchanges must be checked again. */
  certificatesChanged(): void {
    this.#turn++;
    this.#pending = true;
  }

  /** Whether open exchanges must be checked again. */
  get due(): boolean {
    const expired = this.#nextExpiry !== Number.POSITIVE_INFINITY && this.#nextExpiry <= this.#now();
    if (this.#version !== this.consumers.version || expired) {
      this.#version = this.consumers.version;
      this.#nextExpiry = Number.POSITIVE_INFINITY;
      this.#turn++;
      this.#pending = true;
    }
    return this.#pending;
  }

  /**
   * Checks the callers of open exchanges again, at most RECHECKED_AT_ONCE: the next call continues. `end` is called for each
   * one that is not accepted, with the cause.
   */
  recheck<T extends CalledExchange>(open: Iterable<T>, end: (exchange: T, cause: string) => void): void {
    let left = RECHECKED_AT_ONCE;
    this.#pending = false;
    for (const exchange of open) {
      const { certificate, consumer } = exchange;
      if ((consumer ?? certificate) === undefined || exchange.callerTurn === this.#turn) continue;
      if (left-- === 0) {
        this.#pending = true;
        return;
      }
      exchange.callerTurn = this.#turn;
      const cause = consumer === undefined ? undefined : this.#again(exchange, consumer);
      const kept = consumer !== undefined && (this.consumers.current(consumer) ?? consumer).keepStreams === true;
      const fault = cause ?? (certificate === undefined || kept ? undefined : this.#certificateFault(certificate));
      if (fault !== undefined) end(exchange, fault);
    }
  }

  /** Why a certificate is not accepted any more: it has expired, or a list revokes it. */
  #certificateFault(certificate: ClientCertificate): string | undefined {
    if (this.#now() > certificate.notAfter) return 'the client certificate has expired';
    if (!certificate.verified) return 'the client certificate is not accepted any more';
    this.#expiresAt(certificate.notAfter + 1);
    return undefined;
  }

  #again(exchange: CalledExchange, consumer: ConsumerEntry): string | undefined {
    const current = this.consumers.current(consumer);
    if ((current ?? consumer).keepStreams === true) return undefined;
    const known = exchange.credential;
    const credential = known === undefined || current === undefined ? undefined : credentialIn(current, known);
    const fault = this.#fault(consumer, current, known, credential, exchange.remoteAddress);
    if (fault === undefined && credential?.expires !== undefined) this.#expiresAt(credential.expires);
    return fault?.cause;
  }
}

/** Where the authenticator does not say what an unknown credential gets. */
const INVALID: AuthProblem = { code: 'auth/invalid', title: 'Credentials not accepted' };
const DISABLED: AuthProblem = { code: 'auth/disabled', ...ERRORS['auth/disabled'] };

/** A client whose credential is not accepted cannot tell why; one with a valid credential learns that the consumer is disabled. */
function refused({ challenge, refusal, why }: Identity, { cause, problem }: Fault): Refused {
  // RFC 9110 section 15.5.2: a 401 has a challenge.
  const general = refusal ?? (challenge === undefined ? INVALID : { ...INVALID, challenge });
  return { outcome: 'refused', why: `${why}, but ${cause}`, problem: problem ?? general };
}
