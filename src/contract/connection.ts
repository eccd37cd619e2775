/** What is known about the connection of a request. */

export interface ConnectionFacts {
  /** Address of the peer: the client, or a proxy in front of gw. */
  readonly address: string;
  /** Whether the listener trusts the peer's forwarding fields. */
  readonly trusted: boolean;
  /** Undefined without TLS. */
  readonly tls: TlsFacts | undefined;
}

export interface TlsFacts {
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly version: string;
  /** OpenSSL name of the cipher suite. */
  readonly cipher: string;
  /** Name that the client asked for (SNI); undefined if it sent none. */
  readonly serverName: string | undefined;
  /** Protocol chosen by ALPN; undefined for none. */
  readonly protocol: string | undefined;
  /** Undefined if the client presented none. */
  readonly clientCertificate: ClientCertificate | undefined;
}

export interface ClientCertificate {
  /** Whether it was verified against the client CA of the listener. */
  readonly verified: boolean;
  /** Distinguished name, RFC 4514 order as OpenSSL prints it on lines. */
  readonly subject: string;
  readonly issuer: string;
  /** `DNS:a.example, IP Address:192.0.2.1`; undefined for none. */
  readonly subjectAltName: string | undefined;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
  readonly serialNumber: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** DER. */
  readonly raw: Uint8Array;
}
