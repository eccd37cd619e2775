/**
 * What makes a client's certificate valid: the authorities that a listener or a policy trusts, and their revocation lists.
 * OpenSSL verifies each handshake. The same rules apply here to what is verified without one: a certificate of a kept
 * connection after an edit, one that a proxy forwards, one that `gw explain` is given. The stricter of the two decides.
 */
import { Certificate, isWeak } from './certificate.js';
import { DerError } from './der.js';
import { CERTIFICATE_LABELS, LIST_LABELS, pemBlocks } from './pem.js';
import { RevocationList } from './revocation-list.js';

/** Most certificates from the client's to the authority, both included. */
const MAX_PATH = 9;
/** Most signatures that are checked for one certificate: a client chooses what it presents. */
const MAX_CHECKS = 64;

/** The certificates of a PEM text. Throws DerError with the number of the damaged one. */
export function readCertificates(pem: string): Certificate[] {
  return pemBlocks(pem, CERTIFICATE_LABELS).map((der, index) => {
    try {
      if (der === undefined) throw new DerError('its PEM block cannot be decoded');
      return Certificate.read(der);
    } catch (error) {
      if (error instanceof DerError) throw new DerError(`certificate ${index + 1} is damaged: ${error.message}`);
      throw error;
    }
  });
}

/** The revocation lists of a PEM text. Throws DerError with the number of the one that is not accepted. */
export function readRevocationLists(pem: string): RevocationList[] {
  return pemBlocks(pem, LIST_LABELS).map((der, index) => {
    try {
      if (der === undefined) throw new DerError('its PEM block cannot be decoded');
      return RevocationList.read(der);
    } catch (error) {
      if (error instanceof DerError)
        throw new DerError(`revocation list ${index + 1} is not accepted: ${error.message}`);
      throw error;
    }
  });
}

/** The result for one certificate. It holds from `from` to `until` (milliseconds since 1970), both included. */
export interface Verification {
  /** Why it is refused, for logs; undefined: it is valid. */
  readonly cause: string | undefined;
  /** From the client's certificate to the authority; empty if there is no path. */
  readonly path: readonly Certificate[];
  readonly from: number;
  readonly until: number;
}

const NEVER = new Set<string>();
const FOREVER = { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };

export class ClientTrust {
  readonly authorities: readonly Certificate[];
  readonly #anchors: ReadonlySet<string>;
  /** By fingerprint of the authority that signed it; undefined: revocation is not checked. */
  readonly #lists: ReadonlyMap<string, RevocationList> | undefined;

  /**
   * As for OpenSSL, a path must end at a root; other authorities only help to find it. `lists` undefined: revocation is not checked.
   * Otherwise every issuer needs one.
   */
  constructor(authorities: readonly Certificate[], lists?: readonly RevocationList[]) {
    this.authorities = authorities;
    const roots = authorities.filter((one) => one.isSelfIssued && one.isSignedBy(one));
    this.#anchors = new Set(roots.map(({ fingerprint }) => fingerprint));
    this.#lists = lists === undefined ? undefined : listsOf(authorities, lists);
  }

  /** From PEM texts. Throws DerError. */
  static read(authorities: string, lists?: string): ClientTrust {
    return new ClientTrust(readCertificates(authorities), lists === undefined ? undefined : readRevocationLists(lists));
  }

  /** Authorities without a root above them here: what they issued is refused. */
  get withoutRoot(): readonly Certificate[] {
    return this.authorities.filter((one) => {
      const search = new PathSearch(this.authorities, this.#anchors, [], new Set(constrainingIn(this.authorities)), 0);
      return search.from(one) === undefined;
    });
  }

  /** Authorities that have no valid revocation list: what they issued is refused. */
  get withoutList(): readonly Certificate[] {
    const lists = this.#lists;
    if (lists === undefined) return [];
    return this.authorities.filter((one) => one.signsCertificates && !lists.has(one.fingerprint));
  }

  /**
   * Verifies a certificate at `now` with the intermediates that came with it. `constrained`: fingerprints of authorities whose name
   * constraints OpenSSL has applied to it; those of others cannot be checked here.
   */
  verify(
    leaf: Certificate,
    intermediates: readonly Certificate[],
    now: number,
    constrained: ReadonlySet<string> = NEVER,
  ): Verification {
    const refused = (cause: string): Verification => ({ cause, path: [], ...FOREVER });
    if (leaf.unknownCritical !== undefined)
      return refused(`the client certificate has an unknown critical extension (${leaf.unknownCritical})`);
    if (!leaf.isForClients || !leaf.signsHandshakes) return refused('the client certificate is not for clients');
    const search = new PathSearch(this.authorities, this.#anchors, intermediates, constrained, now);
    const path = search.from(leaf);
    if (path === undefined) return refused(search.cause);
    return this.#judge(path, now);
  }

  /** Dates and revocation of a path, whose signatures are valid. */
  #judge(path: readonly Certificate[], now: number): Verification {
    let from = Number.NEGATIVE_INFINITY;
    let until = Number.POSITIVE_INFINITY;
    let cause: string | undefined;
    for (const [index, certificate] of path.entries()) {
      from = Math.max(from, certificate.notBefore);
      until = Math.min(until, certificate.notAfter);
      cause ??= datesCause(certificate, index === 0, now);
      const issuer = path[index + 1];
      if (issuer === undefined || this.#lists === undefined) continue;
      const list = this.#lists.get(issuer.fingerprint);
      if (list?.nextUpdate !== undefined) until = Math.min(until, list.nextUpdate);
      cause ??= revocationCause(certificate, issuer, list, index === 0, now);
    }
    // A refusal holds as long as nothing changes: dates are judged again.
    if (cause !== undefined) return { cause, path, from: now, until: now };
    return { cause, path, from, until };
  }
}

/** Fingerprints of those that limit the names below them. */
export const constrainingIn = (certificates: readonly Certificate[]): string[] =>
  certificates.filter(({ constrainsNames }) => constrainsNames).map(({ fingerprint }) => fingerprint);

/** Each authority with its newest list. */
function listsOf(authorities: readonly Certificate[], lists: readonly RevocationList[]): Map<string, RevocationList> {
  const found = new Map<string, RevocationList>();
  for (const list of lists) {
    for (const authority of authorities) {
      const known = found.get(authority.fingerprint);
      if (known !== undefined && known.thisUpdate >= list.thisUpdate) continue;
      if (list.isSignedBy(authority)) found.set(authority.fingerprint, list);
    }
  }
  return found;
}

const dateOf = (time: number): string => new Date(time).toISOString().slice(0, 19).concat('Z');

function datesCause(
  { notBefore, notAfter, subjectName }: Certificate,
  isLeaf: boolean,
  now: number,
): string | undefined {
  const what = isLeaf ? 'the client certificate' : `the authority ${subjectName.text}`;
  if (now > notAfter) return `${what} expired on ${dateOf(notAfter)}`;
  if (now < notBefore) return `${what} is not valid before ${dateOf(notBefore)}`;
  return undefined;
}

function revocationCause(
  certificate: Certificate,
  issuer: Certificate,
  list: RevocationList | undefined,
  isLeaf: boolean,
  now: number,
): string | undefined {
  const by = issuer.subjectName.text;
  if (list === undefined) return `there is no revocation list of ${by}`;
  if (list.revoked.has(certificate.serial)) {
    const what = isLeaf ? 'the client certificate' : `the authority ${certificate.subjectName.text}`;
    return `${what} is revoked (serial number ${certificate.serial})`;
  }
  if (list.nextUpdate !== undefined && now > list.nextUpdate)
    return `the revocation list of ${by} is out of date since ${dateOf(list.nextUpdate)}`;
  return undefined;
}

/** Finds a path from a certificate to an authority, RFC 5280 section 6, by depth first within a bound. */
class PathSearch {
  cause = 'unknown issuer of the client certificate';
  #checks = 0;

  constructor(
    readonly authorities: readonly Certificate[],
    readonly anchors: ReadonlySet<string>,
    readonly intermediates: readonly Certificate[],
    readonly constrained: ReadonlySet<string>,
    readonly now: number,
  ) {}

  from(leaf: Certificate): Certificate[] | undefined {
    return this.anchors.has(leaf.fingerprint) ? [leaf] : this.#extend([leaf]);
  }

  #extend(path: Certificate[]): Certificate[] | undefined {
    if (path.length === MAX_PATH) return undefined;
    const last = path[path.length - 1]!;
    let expired: Certificate[] | undefined;
    for (const issuer of [...this.authorities, ...this.intermediates]) {
      if (path.some(({ fingerprint }) => fingerprint === issuer.fingerprint)) continue;
      if (!last.issuer.equals(issuer.subject) || ++this.#checks > MAX_CHECKS || !last.isSignedBy(issuer)) continue;
      const fault = this.#faultOf(path, last, issuer);
      if (fault !== undefined) {
        this.cause = fault;
        continue;
      }
      const longer = [...path, issuer];
      const found = this.anchors.has(issuer.fingerprint) ? longer : this.#extend(longer);
      if (found === undefined) continue;
      // An authority may have been renewed with the same key: prefer the path that is valid now.
      if (found.every(({ notBefore, notAfter }) => notBefore <= this.now && this.now <= notAfter)) return found;
      expired ??= found;
    }
    return expired;
  }

  /** Why `issuer`, which has signed the last certificate of the path, must not have. */
  #faultOf(path: readonly Certificate[], last: Certificate, issuer: Certificate): string | undefined {
    const name = issuer.subjectName.text;
    if (!issuer.signsCertificates) return `the issuer ${name} is not a certificate authority`;
    if (isWeak(last, issuer)) return 'a certificate has a weak signature or a short key';
    if (issuer.unknownCritical !== undefined)
      return `the authority ${name} has an unknown critical extension (${issuer.unknownCritical})`;
    if (!issuer.isForClients) return `the authority ${name} is not for clients`;
    // Self-issued certificates do not count, RFC 5280 section 6.1.4 (l).
    const between = path.slice(1).filter(({ isSelfIssued }) => !isSelfIssued).length;
    if (issuer.pathLength !== undefined && between > issuer.pathLength)
      return `the authority ${name} does not allow that many certificates below it`;
    if (issuer.constrainsNames && !this.constrained.has(issuer.fingerprint))
      return `the authority ${name} has name constraints, which only a TLS handshake checks`;
    return undefined;
  }
}
