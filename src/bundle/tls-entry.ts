/** TLS of listeners and services in the program. */

import type { RefString } from './values.js';

/** How connections are secured. PEM texts or paths; PEM texts once it is resolved. */
export interface TlsPolicyEntry {
  /** Absent, with `key`: a certificate that is supplied while gw runs, or none. */
  readonly cert?: RefString;
  readonly key?: RefString;
  /** Absent: 1.2. */
  readonly minVersion?: '1.2' | '1.3';
  /** OpenSSL names. Absent, or without a cipher of a TLS version: the defaults of the data plane. */
  readonly ciphers?: readonly string[];
  /** Absent: clients are not asked for a certificate. */
  readonly client?: ClientCertificateRules;
}

/** For clients that ask for one of its names (SNI). */
export interface TlsHostEntry extends TlsPolicyEntry {
  /** In lower case; `*.example.com` for one label more. Absent only before it is resolved: those of its certificate. */
  readonly names?: readonly string[];
}

/** For all other clients, unless it has `hosts` and no certificate: then they are refused. */
export interface ListenerTls extends TlsPolicyEntry {
  readonly hosts?: readonly TlsHostEntry[];
}

/** Which client certificates a listener accepts. */
export interface ClientCertificateRules {
  readonly certificate: 'optional' | 'required';
  /** PEM texts or paths; PEM texts once it is resolved. */
  readonly ca: readonly RefString[];
  /** The same. Absent: revocation is not checked. */
  readonly crl?: readonly RefString[];
  /** Targets get the certificate, RFC 9440. */
  readonly forward?: true;
}

/** TLS of a service towards its targets. PEM texts or paths; PEM texts once it is resolved. */
export interface ServiceTls {
  readonly cert?: RefString;
  readonly key?: RefString;
  /** Absent: the public authorities. */
  readonly ca?: readonly RefString[];
  readonly serverName?: string;
  /** The certificate of a target is not verified. */
  readonly verify?: false;
  /** Absent: 1.2. */
  readonly minVersion?: '1.3';
}
