/** Certificates that control supplies while gw runs, for policies without one of their own. Plain data. */

export interface SuppliedCertificate {
  /** In lower case; `*.example.com` for one label more. */
  readonly names: readonly string[];
  /** PEM: the certificate, then its chain. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
}

export interface SuppliedCertificates {
  /** Higher than those of earlier ones. */
  readonly version: number;
  readonly certificates: readonly SuppliedCertificate[];
  /** For the ACME challenge TLS-ALPN-01 (RFC 8737) only. */
  readonly challenges: readonly SuppliedCertificate[];
  /** Answers to the ACME challenge HTTP-01 (RFC 8555 section 8.3). Absent: none. */
  readonly tokens?: readonly { readonly token: string; readonly answer: string }[];
}

/** By name: an exact one wins over a wildcard. */
export class NameMap<T> {
  readonly #exact = new Map<string, T>();
  readonly #wildcards = new Map<string, T>();

  /** Of the same name, the first counts. */
  add(name: string, value: T): void {
    const [map, key] = name.startsWith('*.') ? [this.#wildcards, name.slice(2)] : [this.#exact, name];
    if (!map.has(key)) map.set(key, value);
  }

  /** `name` in lower case. A wildcard stands for one label (RFC 6125 section 6.4.3). */
  get(name: string): T | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined || this.#wildcards.size === 0) return exact;
    const dot = name.indexOf('.');
    return dot > 0 ? this.#wildcards.get(name.slice(dot + 1)) : undefined;
  }
}

/** The supplied certificates of a data plane, for all its listeners. */
export class CertificateStore {
  #version = 0;
  #all: readonly SuppliedCertificate[] = [];
  #certificates = new NameMap<SuppliedCertificate>();
  #challenges = new NameMap<SuppliedCertificate>();

  /** Ignores what is older than what it has; returns whether it is newer. */
  replace({ version, certificates, challenges }: SuppliedCertificates): boolean {
    if (version <= this.#version) return false;
    this.#version = version;
    // The TLS servers of a certificate are kept with its object.
    const known = new Map(this.#all.map((one) => [one.cert, one]));
    const kept = (one: SuppliedCertificate): SuppliedCertificate => {
      const before = known.get(one.cert);
      return before?.key === one.key && before.names.join() === one.names.join() ? before : one;
    };
    this.#all = [...certificates, ...challenges].map(kept);
    this.#certificates = mapOf(this.#all.slice(0, certificates.length));
    this.#challenges = mapOf(this.#all.slice(certificates.length));
    return true;
  }

  certificate(name: string): SuppliedCertificate | undefined {
    return this.#certificates.get(name);
  }

  challenge(name: string): SuppliedCertificate | undefined {
    return this.#challenges.get(name);
  }
}

function mapOf(certificates: readonly SuppliedCertificate[]): NameMap<SuppliedCertificate> {
  const map = new NameMap<SuppliedCertificate>();
  for (const one of certificates) for (const name of one.names) map.add(name, one);
  return map;
}
