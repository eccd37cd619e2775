/** What a token is bound to, RFC 7800: a key (DPoP, RFC 9449 section 6) or a client certificate (RFC 8705 section 3). */
import type { Claims, ClientCertificate } from '../../contract.js';

export interface Binding {
  /** SHA-256 thumbprint of the key that must sign a proof. */
  readonly jkt: string | undefined;
  /** SHA-256 of the client certificate. */
  readonly certificate: string | undefined;
  /** Issuer and subject of the token. */
  readonly holder: string;
}

/** 256 bits as base64url. */
const DIGEST = /^[A-Za-z0-9_-]{43}$/;

/** The binding in the claims; undefined for a token that every bearer may use. A text says what is wrong with it. */
export function bindingOf(claims: Claims): Binding | string | undefined {
  const cnf = Object.hasOwn(claims, 'cnf') ? claims['cnf'] : undefined;
  if (cnf === undefined) return undefined;
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) return MALFORMED;
  const { jkt, 'x5t#S256': certificate } = cnf as { readonly [name: string]: unknown };
  for (const digest of [jkt, certificate])
    if (digest !== undefined && !(typeof digest === 'string' && DIGEST.test(digest))) return MALFORMED;
  if (jkt === undefined && certificate === undefined) return 'the token is bound in a way that is not supported';
  const holder = `${textOf(claims, 'iss')} ${textOf(claims, 'sub') || (jkt ?? certificate)}`;
  return { jkt: jkt as string | undefined, certificate: certificate as string | undefined, holder };
}

function textOf(claims: Claims, name: string): string {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return typeof value === 'string' ? value : '';
}

const MALFORMED = 'the confirmation claim of the token is malformed';

/**
 * Whether the connection has the client certificate that a token is bound to. It need not be verified against an authority: the TLS
 * handshake proves that the client has its key, and the token names it (RFC 8705 section 6.2).
 */
export const holdsCertificate = (
  presented: Pick<ClientCertificate, 'fingerprint'> | undefined,
  wanted: string,
): boolean => presented !== undefined && Buffer.from(presented.fingerprint, 'hex').toString('base64url') === wanted;
