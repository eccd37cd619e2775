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
  /** Undefined if the client presented none. Behind a proxy it is that of the proxy: see `Exchange.clientCertificate`. */
  readonly clientCertificate: ClientCertificate | undefined;
}

export interface ClientCertificate {
  /** Whether it is valid now: issued by an authority that the listener (or policy) trusts, and not revoked. */
  readonly verified: boolean;
  /** Distinguished name as OpenSSL prints it on lines, the widest part first. */
  readonly subject: string;
  readonly issuer: string;
  /** Distinguished name in the form of RFC 4514: `CN=orders,O=Acme`. */
  readonly subjectName: string;
  readonly issuerName: string;
  /** Common names of the subject. */
  readonly commonNames: readonly string[];
  /** `DNS:a.example, IP Address:192.0.2.1`, as Node writes it; undefined for none. To compare names, use `names`. */
  readonly subjectAltName: string | undefined;
  /** The alternative names by kind, exactly as they are encoded. */
  readonly names: CertificateNames;
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
  readonly serialNumber: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** DER. */
  readonly raw: Uint8Array;
  /** DER of the intermediate certificates that came with it, nearest first. */
  readonly chain: readonly Uint8Array[];
}

export interface CertificateNames {
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly email: readonly string[];
  readonly ip: readonly string[];
}
