/** TLS of listeners and services in the program. */

import type { RefString } from './values.js';

/** PEM texts or paths; PEM texts once it is resolved. */
export interface ListenerTls {
  readonly cert: RefString;
  readonly key: RefString;
  /** Absent: 1.2. */
  readonly minVersion?: '1.2' | '1.3';
  /** OpenSSL names. Absent, or without a cipher of a TLS version: the defaults of the data plane. */
  readonly ciphers?: readonly string[];
  /** Absent: clients are not asked for a certificate. */
  readonly client?: ClientCertificateRules;
}

/** Which client certificates a listener accepts. */
export interface ClientCertificateRules {
  readonly certificate: 'optional' | 'required';
  /** PEM texts or paths; PEM texts once it is resolved. */
  readonly ca: readonly RefString[];
  /** The same. Absent: revocation is not checked. */
  readonly crl?: readonly RefString[];
}

/** TLS of a service towards its targets. PEM texts or paths; PEM texts once it is resolved. */
export interface ServiceTls {
  readonly cert?: RefString;
  readonly key?: RefString;
  /** Absent: the public authorities. */
  readonly ca?: readonly RefString[];
  readonly serverName?: string;
  /** Absent: 1.2. */
  readonly minVersion?: '1.3';
}
