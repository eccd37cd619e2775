/** mtls at run time: the certificate of the caller, and its consumer. */
import type {
  Absent,
  Authentication,
  AuthProblem,
  ClientCertificate,
  Exchange,
  FoundCredential,
  Identity,
  Json,
  PolicyHost,
  PolicyInstance,
  Refused,
} from '../contract.js';
import { ClientTrust } from '../kits/certificates.js';
import { fieldSafe, runPolicy } from '../run-kit.js';
import { CLIENT_CERT, CLIENT_CERT_CHAIN, writeBytes, writeStrings } from './fields.js';
import { ForwardedCertificates } from './forwarded.js';
import { PROBLEMS } from './problems.js';
import type { Fact, MtlsSettings } from './schema.js';

export const create = runPolicy<MtlsSettings>((settings, host) => new MtlsPolicy(settings, host));

/** A certificate that counts, or why there is none. */
type Presented = ClientCertificate | { readonly fault: string } | undefined;

class MtlsPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly #settings: MtlsSettings;
  readonly #host: PolicyHost;
  readonly #issuers: ReadonlySet<string> | undefined;
  readonly #forwarded: ForwardedCertificates;
  readonly #absent: Absent;
  readonly #invalid: AuthProblem;
  /** What was last found for a certificate of a connection. */
  readonly #known = new WeakMap<ClientCertificate, { readonly version: number; readonly result: Authentication }>();

  constructor(settings: MtlsSettings, host: PolicyHost) {
    const { optional, realm, issuers, ca, crl, fields, clientCert, chain } = settings;
    this.#settings = settings;
    this.#host = host;
    this.#issuers = issuers === undefined ? undefined : new Set(issuers);
    this.#forwarded = new ForwardedCertificates(ca === undefined ? undefined : ClientTrust.read(ca, crl), host.clock);
    this.requestFields = [CLIENT_CERT, CLIENT_CERT_CHAIN, ...Object.keys(fields)];
    const forwarded = [...(clientCert ? [CLIENT_CERT] : []), ...(chain ? [CLIENT_CERT_CHAIN] : [])];
    this.identityFields = [...Object.keys(fields), ...forwarded];
    const challenge = `ClientCertificate realm="${realm}"`;
    this.#invalid = { ...PROBLEMS.invalid, challenge };
    this.#absent = {
      outcome: 'absent',
      pass: optional,
      why: optional ? 'no client certificate; it is optional' : 'no client certificate',
      problem: { ...PROBLEMS.missing, challenge },
    };
  }

  authenticate(exchange: Exchange): Authentication {
    const presented = this.#presented(exchange);
    if (presented === undefined) return this.#absent;
    if ('fault' in presented) return this.#refused(presented.fault);
    const { version } = this.#host.consumers;
    const known = this.#known.get(presented);
    if (known !== undefined && known.version === version) return known.result;
    const result = this.#identify(presented);
    this.#known.set(presented, { version, result });
    return result;
  }

  /** What targets get of a certificate is what gw has verified, and nothing that the client wrote. */
  strip(exchange: Exchange): void {
    for (const name of this.requestFields) exchange.headers.remove(name);
  }

  #presented(exchange: Exchange): Presented {
    const { from } = this.#settings;
    const { trusted } = exchange.connection;
    if (from === 'client-cert' || (from === 'either' && trusted))
      return trusted ? this.#forwarded.find(exchange) : undefined;
    const certificate = exchange.connection.tls?.clientCertificate;
    if (certificate === undefined) return undefined;
    return certificate.verified ? certificate : { fault: 'the client certificate is not verified' };
  }

  #identify(certificate: ClientCertificate): Authentication {
    const issuers = this.#issuers;
    if (issuers !== undefined && !issuers.has(certificate.issuerName))
      return this.#refused(`the issuer ${certificate.issuerName} is not allowed`);
    const { consumer: by } = this.#settings;
    if (by === 'none') return this.#identity(certificate, undefined);
    if (by === 'fingerprint') {
      const found = this.#host.consumers.byCredential('certificate', `sha256:${certificate.fingerprint}`);
      return found === undefined
        ? this.#refused('no consumer has the certificate')
        : this.#identity(certificate, found);
    }
    const consumers = new Set<FoundCredential['consumer']>();
    for (const name of valuesOf(certificate, by)) {
      const consumer = this.#consumerNamed(name);
      if (consumer !== undefined) consumers.add(consumer);
    }
    const [consumer, ...others] = consumers;
    if (consumer === undefined) return this.#refused(`no consumer has the ${by} of the certificate`);
    if (others.length > 0)
      return {
        outcome: 'refused',
        why: `the names of the certificate belong to several consumers: ${[...consumers].map(({ name }) => name).join(', ')}`,
        problem: PROBLEMS.ambiguous,
      };
    return this.#identity(certificate, { consumer });
  }

  #consumerNamed(name: string): FoundCredential['consumer'] | undefined {
    const { names } = this.#settings;
    const to = names === undefined ? name : Object.hasOwn(names, name) ? names[name] : undefined;
    return to === undefined ? undefined : this.#host.consumers.byName(to);
  }

  #identity(certificate: ClientCertificate, found: Partial<FoundCredential> | undefined): Identity {
    const who = found?.consumer === undefined ? certificate.subjectName : found.consumer.name;
    return {
      outcome: 'identity',
      ...found,
      certificate,
      claims: claimsOf(certificate),
      fields: this.#fieldsOf(certificate),
      refusal: this.#invalid,
      why: `client certificate of ${who}`,
    };
  }

  #fieldsOf(certificate: ClientCertificate): (readonly [name: string, value: string])[] {
    const { clientCert, chain, fields } = this.#settings;
    const found: (readonly [string, string])[] = [];
    if (clientCert) found.push([CLIENT_CERT, writeBytes(certificate.raw)]);
    if (chain && certificate.chain.length > 0)
      found.push([CLIENT_CERT_CHAIN, certificate.chain.map(writeBytes).join(', ')]);
    for (const [name, fact] of Object.entries(fields)) {
      const value = textOf(certificate, fact);
      if (value !== '') found.push([name, value]);
    }
    return found;
  }

  #refused(why: string): Refused {
    return { outcome: 'refused', why, problem: this.#invalid };
  }
}

type NamedBy = Exclude<MtlsSettings['consumer'], 'fingerprint' | 'none'>;

/** The names of one kind in a certificate. */
function valuesOf({ names, commonNames, subjectName }: ClientCertificate, by: NamedBy): readonly string[] {
  switch (by) {
    case 'san.dns':
      return names.dns;
    case 'san.uri':
      return names.uri;
    case 'san.email':
      return names.email;
    case 'subject.cn':
      return commonNames;
    case 'subject':
      return [subjectName];
  }
}

/** The value of a field for the target: a list of strings for names, of which there may be several. */
function textOf(certificate: ClientCertificate, fact: Fact): string {
  switch (fact) {
    case 'subject':
      return fieldSafe(certificate.subjectName);
    case 'issuer':
      return fieldSafe(certificate.issuerName);
    case 'serial':
      return certificate.serialNumber.toLowerCase();
    case 'fingerprint':
      return certificate.fingerprint;
    case 'subject.cn':
      return writeStrings(certificate.commonNames.map(fieldSafe));
    default:
      return writeStrings(valuesOf(certificate, fact));
  }
}

const claimsOf = (certificate: ClientCertificate): { readonly [name: string]: Json } => ({
  subject: certificate.subjectName,
  issuer: certificate.issuerName,
  serial: certificate.serialNumber.toLowerCase(),
  fingerprint: certificate.fingerprint,
  common_names: certificate.commonNames,
  dns: certificate.names.dns,
  uri: certificate.names.uri,
  email: certificate.names.email,
  ip: certificate.names.ip,
});
