/** TLS towards clients, as the spec of their listener says. */
import { constants } from 'node:crypto';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { resolvedText } from '../../../bundle/references.js';
import { CIPHERS_12, CIPHERS_13, isOfTls13 } from '../../../bundle/tls.js';
import type { ClientCertificateRules, ListenerTls, TlsPolicyEntry } from '../../../bundle/tls-entry.js';
import type { RefString } from '../../../bundle/values.js';
import { INPUT_LIMITS, readInputText } from '../../../input-file.js';
import { errnoCode } from '../../../reason.js';
import { ClientTrust } from '../../../x509/index.js';
import { connectionCause } from '../../errors/cause.js';
import type { ClientRules } from '../../exchange/client-certificate.js';

/** With PEM texts instead of paths. Throws if a file cannot be read. */
export function withTexts({ hosts, ...own }: ListenerTls): ListenerTls {
  const named = hosts?.map(({ names, ...host }) => ({
    ...policyTexts(host),
    ...(names === undefined ? {} : { names }),
  }));
  return { ...policyTexts(own), ...(named === undefined ? {} : { hosts: named }) };
}

function policyTexts(policy: TlsPolicyEntry): TlsPolicyEntry {
  const { cert, key, client } = policy;
  const texts = client && { ca: client.ca.map(pem), ...(client.crl === undefined ? {} : { crl: client.crl.map(pem) }) };
  return {
    ...policy,
    ...(cert === undefined || key === undefined ? {} : { cert: pem(cert), key: pem(key) }),
    ...(client === undefined ? {} : { client: { ...client, ...texts } }),
  };
}

/** PEM text itself, or the content of the file with that path. */
function pem(value: RefString): string {
  const text = resolvedText(value);
  return text.includes('-----BEGIN') ? text : readInputText(text, { maxBytes: INPUT_LIMITS.secret });
}

/** For TLS servers of a policy with PEM texts, apart from the certificate. */
export function policyOptions(policy: TlsPolicyEntry): TlsOptions {
  const { client } = policy;
  const common = versionsAndCiphers(policy);
  if (client === undefined) return common;
  return {
    ...common,
    // A ticket holds the result of an earlier handshake, and no intermediate certificates: each connection is verified anew.
    secureOptions: (common.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET,
    ca: client.ca.map(resolvedText),
    requestCert: true,
    // Node then demands a certificate in the handshake. Of those that are not valid it only reports why.
    rejectUnauthorized: client.certificate === 'required',
  };
}

/** Certificate and key of a policy with PEM texts; undefined if it has none of its own. */
export const pairOf = ({ cert, key }: TlsPolicyEntry): { cert: string; key: string } | undefined =>
  cert === undefined || key === undefined ? undefined : { cert: resolvedText(cert), key: resolvedText(key) };

function versionsAndCiphers({ minVersion, ciphers = [] }: TlsPolicyEntry): TlsOptions {
  const of13 = ciphers.filter(isOfTls13);
  const of12 = ciphers.filter((cipher) => !isOfTls13(cipher));
  const offered = [...(of13.length > 0 ? of13 : CIPHERS_13), ...(of12.length > 0 ? of12 : CIPHERS_12)];
  return {
    minVersion: minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    ciphers: offered.join(':'),
    honorCipherOrder: true,
    // Each renegotiation costs a handshake, and a peer can repeat it without limit. TLS 1.3 has none.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(of12.some((cipher) => cipher.startsWith('DHE-')) ? { dhparam: 'auto' } : {}),
  };
}

/**
 * Which client certificates a policy with PEM texts accepts. One of `known` if its texts are the same: a revocation list may be long. Throws
 * DerError if a text is not valid.
 */
export function clientRules(client: ClientCertificateRules, known: readonly ClientRules[] = []): ClientRules {
  const required = client.certificate === 'required';
  const authorities = client.ca.map(resolvedText).join('\n');
  const lists = client.crl?.map(resolvedText).join('\n');
  return (
    known.find((one) => one.required === required && one.authorities === authorities && one.lists === lists) ?? {
      required,
      authorities,
      lists,
      trust: ClientTrust.read(authorities, lists),
    }
  );
}

/** Why a handshake failed, if the client's certificate is the reason; undefined if it is not. */
export function certificateCause(error: Error, socket: TLSSocket): string | undefined {
  if (errnoCode(error) === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'no client certificate';
  // Node has a code or null here, not an error as its types say.
  const code: unknown = socket.authorizationError;
  return typeof code === 'string' ? connectionCause(Object.assign(new Error(code), { code })) : undefined;
}
