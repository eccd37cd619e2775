/** Reads the certificates, keys and revocation lists of a program, and reports what is wrong with them. */
import { resolve } from 'node:path';
import type { AcmeEntry } from '../../bundle/acme-entry.js';
import type {
  ListenerEntry,
  ListenerTls,
  RefString,
  ServiceEntry,
  ServiceTls,
  TlsHostEntry,
  TlsPolicyEntry,
} from '../../bundle/types.js';
import { INPUT_LIMITS, readInputFile } from '../../input-file.js';
import { reasonOf } from '../../reason.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import {
  type Certificate,
  ClientTrust,
  DerError,
  pemOf,
  type RevocationList,
  readCertificates,
  readRevocationLists,
} from '../../x509/index.js';
import { type ControlCode, controlError, controlWarning } from '../codes.js';
import type { Reads } from '../watch/reads.js';
import { coversName, dnsNamesOf, isDer, pairProblem } from './certificates.js';
import { hostTitle } from './uses.js';

interface ReadPem {
  readonly text: string;
  /** Undefined if the setting holds the text itself. */
  readonly path?: string;
  /** The rest of a sentence, and help. */
  readonly problem?: readonly [string, string];
}

/** Reports about one thing: `The certificate of listener main`. */
type Report = (message: string, help: string, pem: ReadPem, warning?: ControlCode) => void;

const NO_FILE: ReadPem = { text: '' };

export class Pems {
  constructor(
    readonly surroundings: { readonly root: string; readonly reads: Reads },
    /** Where the value of a key is written, by its dotted path. */
    readonly spanAt: (key: string, value: RefString) => Span,
    readonly diagnostics: Diagnostic[],
  ) {}

  /** A listener with PEM texts. `before`: the same with references. */
  ofListener(listener: ListenerEntry, before: ListenerEntry | undefined): ListenerEntry {
    const { tls, name } = listener;
    if (tls === undefined) return listener;
    const at = `listener.${name}.tls`;
    const of = `of listener \`${name}\``;
    const { hosts, ...own } = tls;
    const whole = this.#ofPolicy(own, before?.tls ?? tls, at, of);
    const taken = new Map<string, string>();
    const named = hosts?.map((host, index): TlsHostEntry => {
      const title = hostTitle(host, index);
      const from = before?.tls?.hosts?.[index] ?? host;
      const place = { at: `${at}.hosts.${index}`, of: `of ${title} ${of}` };
      const { names: written, ...policy } = host;
      // What it has of its listener is reported there.
      const same = host.cert === tls.cert && host.key === tls.key;
      const read = this.#ofPolicy(policy, from, place.at, place.of, same ? whole : undefined);
      const report = this.#reporter(
        `The certificate ${place.of}`,
        'listener/certificate',
        `${place.at}.cert`,
        from.cert ?? '',
      );
      const names = namesFor(read.cert, written, report);
      for (const each of names) {
        const other = taken.get(each);
        if (other === undefined) taken.set(each, title);
        else
          report(
            `has the name ${each}, as that of ${other}: only one policy can be for it`,
            'Set `names` of one of them, without that name.',
            NO_FILE,
          );
      }
      return { ...read, names };
    });
    return { ...listener, tls: { ...whole, ...(named === undefined ? {} : { hosts: named }) } };
  }

  /** `checked`: the same pair, read and reported before. */
  #ofPolicy(
    policy: TlsPolicyEntry,
    from: TlsPolicyEntry,
    at: string,
    of: string,
    checked?: TlsPolicyEntry,
  ): TlsPolicyEntry {
    const { client } = policy;
    const read = client && this.#ofClients(client, from.client ?? client, at, of);
    const pair = checked ?? this.#ofPair(policy, from, at, of);
    if (pair === undefined) return policy;
    const { cert, key } = pair;
    return {
      ...policy,
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
      ...(read === undefined ? {} : { client: read }),
    };
  }

  /** Undefined: it cannot be used. */
  #ofPair({ cert, key }: TlsPolicyEntry, from: TlsPolicyEntry, at: string, of: string): TlsPolicyEntry | undefined {
    if (cert === undefined || key === undefined) return {};
    const read = { cert: this.#read(plain(cert)), key: this.#read(plain(key)) };
    const code = 'listener/certificate';
    const good = this.#checkPair(
      read.cert,
      read.key,
      this.#reporter(`The certificate ${of}`, code, `${at}.cert`, from.cert ?? cert),
      this.#reporter(`The key ${of}`, code, `${at}.key`, from.key ?? key),
      'listener/certificate-dates',
    );
    return good ? { cert: read.cert.text, key: read.key.text } : undefined;
  }

  #ofClients(
    client: NonNullable<ListenerTls['client']>,
    from: NonNullable<ListenerTls['client']>,
    at: string,
    of: string,
  ): ListenerTls['client'] {
    const authorities: Certificate[] = [];
    const lists: RevocationList[] = [];
    const ca = client.ca.map((value, index) => {
      const report = this.#reporter(
        `The client CA ${of}`,
        'listener/client-ca',
        `${at}.client_ca`,
        from.ca[index] ?? value,
      );
      return this.#authorities(plain(value), report, authorities);
    });
    for (const lost of new ClientTrust(authorities).withoutRoot) {
      const report = this.#reporter(`The client CA ${of}`, 'listener/client-ca', `${at}.client_ca`, from.ca[0] ?? '');
      const { subjectName, issuerName } = lost;
      report(
        `contains ${subjectName.text}, but not the root above it: no certificate that it issued would be accepted`,
        `Add the certificate of ${issuerName.text}, up to the root.`,
        { text: '' },
      );
    }
    const crl = client.crl?.map((value, index) => {
      const written = from.crl?.[index] ?? value;
      const report = this.#reporter(`The revocation list ${of}`, 'listener/client-crl', `${at}.client_crl`, written);
      return this.#lists(plain(value), report, authorities, lists);
    });
    if (crl !== undefined && lists.length > 0) {
      const first = from.crl?.[0] ?? '';
      const report = this.#reporter(`The revocation list ${of}`, 'listener/client-crl', `${at}.client_crl`, first);
      for (const authority of new ClientTrust(authorities, lists).withoutList) {
        const message = `is missing for ${authority.subjectName.text}: all certificates that it issued are refused`;
        const help = 'Add a list of that authority to `client_crl`, or remove the authority from `client_ca`.';
        report(message, help, { text: '' }, 'listener/client-crl-missing');
      }
    }
    return { ...client, ca, ...(crl === undefined ? {} : { crl }) };
  }

  #authorities(value: string, report: Report, found: Certificate[]): string {
    const pem = this.#read(value);
    if (pem.problem !== undefined) {
      report(...pem.problem, pem);
      return '';
    }
    const help = 'Use the certificate of the authority that issues the certificates of your clients, in PEM form.';
    const read = attempt(() => readCertificates(pem.text));
    if (typeof read === 'string') report(`cannot be used: ${read}`, help, pem);
    else if (read.length === 0) {
      const isKey = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/.test(pem.text);
      report(isKey ? 'is a private key' : 'contains no certificate', help, pem);
    } else if (!read.some(({ signsCertificates }) => signsCertificates))
      report('contains no certificate of an authority: none may sign certificates', help, pem);
    else {
      const now = Date.now();
      for (const one of read) {
        found.push(one);
        if (one.notAfter < now)
          report(
            `has an expired certificate: ${one.subjectName.text} expired on ${dateOf(one.notAfter)}`,
            'All certificates that it issued are refused. Replace it, or check the clock of this machine.',
            pem,
            'listener/certificate-dates',
          );
      }
    }
    return pem.text;
  }

  #lists(value: string, report: Report, authorities: readonly Certificate[], found: RevocationList[]): string {
    const pem = this.#read(value, 'revocationList');
    if (pem.problem !== undefined) {
      report(...pem.problem, pem);
      return '';
    }
    const read = attempt(() => readRevocationLists(pem.text));
    const help = 'Use a complete list of an authority in `client_ca`: `openssl ca -gencrl`.';
    if (typeof read === 'string') report(`cannot be used: ${read}`, help, pem);
    else if (read.length === 0)
      report('contains no list', 'A list in PEM form begins with `-----BEGIN X509 CRL-----`.', pem);
    else for (const list of read) this.#checkList(list, pem, report, authorities) && found.push(list);
    return pem.text;
  }

  #checkList(list: RevocationList, pem: ReadPem, report: Report, authorities: readonly Certificate[]): boolean {
    const by = list.issuerName.text;
    if (!authorities.some(({ subject }) => subject.equals(list.issuer))) {
      report(
        `is of ${by}, which is not in \`client_ca\``,
        'Add that authority to `client_ca`, or remove the list.',
        pem,
      );
      return false;
    }
    if (!authorities.some((authority) => list.isSignedBy(authority))) {
      const help = 'Get the list again. If the authority has a new key, add its new certificate to `client_ca`.';
      report(`is not signed by ${by}: no certificate of that name in \`client_ca\` verifies it`, help, pem);
      return false;
    }
    if (list.nextUpdate !== undefined && list.nextUpdate < Date.now())
      report(
        `of ${by} is out of date since ${dateOf(list.nextUpdate)}: all its certificates are refused`,
        'Get a new list. gw reads the file again when it changes.',
        pem,
        'listener/client-crl-dates',
      );
    return true;
  }

  /** A service with PEM texts. */
  ofService(service: ServiceEntry, before: ServiceEntry | undefined): ServiceEntry {
    const { tls, name } = service;
    if (tls === undefined) return service;
    const at = `service.${name}.tls`;
    const of = `of service \`${name}\``;
    const from = before?.tls ?? tls;
    const code = 'service/certificate';
    let whole: ServiceTls = tls;
    if (tls.cert !== undefined && tls.key !== undefined) {
      const cert = this.#read(plain(tls.cert));
      const key = this.#read(plain(tls.key));
      const ofCert = this.#reporter(`The certificate ${of}`, code, `${at}.cert`, from.cert ?? tls.cert);
      const ofKey = this.#reporter(`The key ${of}`, code, `${at}.key`, from.key ?? tls.key);
      this.#checkPair(cert, key, ofCert, ofKey, 'service/certificate-dates');
      whole = { ...whole, cert: cert.text, key: key.text };
    }
    if (tls.ca !== undefined) {
      const help = 'Use the certificate of the authority that issued those of the targets, in PEM form.';
      const ca = tls.ca.map((value, index) =>
        this.#issuers(value, help, this.#reporter(`The CA ${of}`, code, `${at}.ca`, from.ca?.[index] ?? value)),
      );
      whole = { ...whole, ca };
    }
    return { ...service, tls: whole };
  }

  /** `[acme]` with PEM texts. */
  ofAcme(acme: AcmeEntry, before: AcmeEntry | undefined): AcmeEntry {
    if (acme.ca === undefined) return acme;
    const help = 'Use the certificate of the authority that issued that of the directory, in PEM form.';
    const ca = acme.ca.map((value, index) => {
      const from = before?.ca?.[index] ?? value;
      return this.#issuers(value, help, this.#reporter('The CA of `[acme]`', 'acme/ca', 'acme.ca', from));
    });
    return { ...acme, ca };
  }

  /** The text of certificates that servers are verified against. */
  #issuers(value: RefString, help: string, report: Report): string {
    const pem = this.#read(plain(value));
    const read = pem.problem === undefined ? attempt(() => readCertificates(pem.text)) : [];
    if (pem.problem !== undefined) report(...pem.problem, pem);
    else if (typeof read === 'string') report(`cannot be used: ${read}`, help, pem);
    else if (read.length === 0) report('contains no certificate', help, pem);
    return pem.text;
  }

  /** Returns whether the pair can be used. */
  #checkPair(cert: ReadPem, key: ReadPem, ofCert: Report, ofKey: Report, dates: ControlCode): boolean {
    if (cert.problem !== undefined) ofCert(...cert.problem, cert);
    if (key.problem !== undefined) ofKey(...key.problem, key);
    if (cert.problem !== undefined || key.problem !== undefined) return false;
    const found = pairProblem(cert.text, key.text, Date.now());
    if (found === undefined) return true;
    const { part, message, help, warning } = found;
    const [report, pem] = part === 'certificate' ? [ofCert, cert] : [ofKey, key];
    report(message, help, pem, warning === true ? dates : undefined);
    return warning === true;
  }

  #reporter(what: string, code: ControlCode, key: string, value: RefString): Report {
    return (message, help, { path }, warning) => {
      const span = this.spanAt(key, value);
      const where = path === undefined ? help : `${help} The file is ${path}.`;
      this.diagnostics.push(
        warning === undefined
          ? controlError(code, span, `${what} ${message}.`, where)
          : controlWarning(warning, span, `${what} ${message}.`, where),
      );
    };
  }

  #read(text: string, kind: 'secret' | 'revocationList' = 'secret'): ReadPem {
    if (text.includes('-----BEGIN')) return { text };
    // Neither PEM nor a path: for example a reference to a binary file.
    if (text === '' || /[\0-\x1f\ufffd]/.test(text)) {
      const message = text === '' ? 'is empty' : 'is neither in PEM form nor a path';
      return { text: '', problem: [message, 'Write the path of a PEM file, or a reference whose value is PEM text.'] };
    }
    const { root, reads } = this.surroundings;
    const path = resolve(root, text);
    reads.note(path);
    try {
      const bytes = readInputFile(path, { maxBytes: INPUT_LIMITS[kind] });
      if (!isDer(bytes)) return { text: bytes.toString('utf8'), path };
      // Authorities publish their lists in this form.
      if (kind === 'revocationList') return { text: pemOf('X509 CRL', bytes), path };
      const help = 'Convert it to PEM: `openssl x509 -inform der -in FILE -out FILE.pem`, for a key `openssl pkey`.';
      return { text: '', path, problem: ['is in DER form (binary), but gw reads PEM', help] };
    } catch (error) {
      return { text: '', path, problem: [`cannot be read: ${reasonOf(error)}`, 'Check the path and its permissions.'] };
    }
  }
}

/** The value of a setting as PEM, for commands: a file is relative to `root`. Throws the system's error if it cannot be read. */
export function pemText(value: string, root: string, kind: 'secret' | 'revocationList'): string {
  if (value.includes('-----BEGIN')) return value;
  const bytes = readInputFile(resolve(root, value), { maxBytes: INPUT_LIMITS[kind] });
  return isDer(bytes) && kind === 'revocationList' ? pemOf('X509 CRL', bytes) : bytes.toString('utf8');
}

/** The string of a resolved RefString. */
export function plain(value: RefString): string {
  if (typeof value === 'string') return value;
  throw new Error('A reference was not resolved before its use.');
}

/** The names of a host: those written, or those of its certificate. */
function namesFor(
  cert: RefString | undefined,
  written: readonly string[] | undefined,
  report: Report,
): readonly string[] {
  if (typeof cert !== 'string' || !cert.includes('-----BEGIN')) return written ?? [];
  if (written === undefined) {
    const names = dnsNamesOf(cert);
    if (names.length === 0) report('has no DNS names', 'Set `names`, or use a certificate with them.', NO_FILE);
    return names;
  }
  for (const name of written)
    if (!coversName(cert, name))
      report(
        `is not for ${name}: clients refuse it`,
        'Use a certificate with that name, or remove the name from `names`.',
        NO_FILE,
        'listener/certificate-names',
      );
  return written;
}

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** The result, or why the input is not valid. */
function attempt<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof DerError) return error.message;
    throw error;
  }
}
