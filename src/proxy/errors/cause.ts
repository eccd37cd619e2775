/**
 * Causes of failures: short phrases for the access log, the event stream and the dashboard. They name hosts, fields and
 * OpenSSL's reasons, so replies to clients never contain them. This code runs only after a failure.
 */
import { errnoCode, messageOf } from '../../reason.js';

/** Longest cause in characters. */
export const MAX_CAUSE = 200;
/** Most names of a certificate that are listed. */
const MAX_NAMES = 5;

/** The log has an error line with the stack. */
export const BUG_CAUSE = 'an exception in the gateway';
export const BAD_REWRITE = 'rewrite, strip_prefix or a policy made a path or a Host that cannot be sent';

export const CLOSED_IN_HANDSHAKE = 'connection closed by the target during the TLS handshake';
export const NO_DESCRIPTOR = 'out of file descriptors for connections to targets';

export const queueFull = (waiting: number, connections: number): string =>
  `queue full: ${waiting} requests wait for ${connections} connections`;

export const handshakesFull = (most: number): string =>
  `${most} handshakes in progress (max_connections and max_queue)`;

/** Cause of a request that has waited for `ms` while `used` of `most` connections were open. */
export const queueTimeout = (ms: number, used: number, most: number): string =>
  `queue timeout (${timeSpan(ms)}): ${used} of ${most} connections in use`;

/** The same for HTTP/2, where `used` requests share `connections` connections. */
export const streamQueueTimeout = (ms: number, used: number, connections: number): string =>
  `queue timeout (${timeSpan(ms)}): ${used} requests in flight on ${connections} connections`;

/** Cause of a client that is `behind` milliseconds late while `waiting` requests wait for its connection. */
export const slowClient = (behind: number, waiting: number): string =>
  `slow client (${timeSpan(behind)} behind) while ${waiting} requests wait for a connection`;

/** Of a client that left; `failure` of its socket, '' for none. `requestDone`: its request has come completely. */
export const abortCause = (failure: string, requestDone: boolean): string =>
  `${failure || 'connection closed'} by the client ${requestDone ? 'before the end of its reply' : 'within its request body'}`;

/** Of an exchange that took as long as its route allows, in milliseconds. `collecting`: its request is not here yet. */
export const timeoutCause = (timeout: number, collecting: boolean): string =>
  `exchange timeout ${collecting ? 'within the request body ' : ''}(${timeSpan(timeout)})`;

/** Of a gRPC call that took as long as its client waits, in milliseconds. */
export const deadlineCause = (timeout: number): string => `deadline of the client (grpc-timeout, ${timeSpan(timeout)})`;

const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** `text` on one line, without control characters, of at most MAX_CAUSE characters. */
export function bounded(text: string): string {
  const clean = text
    .slice(0, MAX_CAUSE * 4)
    .replace(UNPRINTABLE, ' ')
    .trim();
  return clean.length <= MAX_CAUSE ? clean : `${clean.slice(0, MAX_CAUSE - 3)}...`;
}

/** A duration in milliseconds for the end of a cause: `connect timeout (5 s)`. */
export const timeSpan = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`);

const SYSTEM: { readonly [code: string]: string } = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ECONNABORTED: 'connection aborted',
  EPIPE: 'connection closed',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  EHOSTDOWN: 'host is down',
  ENETUNREACH: 'network unreachable',
  ENETDOWN: 'network is down',
  EACCES: 'connection not permitted by the system',
  EPERM: 'connection not permitted by the system',
  EINVAL: 'invalid address',
  EAFNOSUPPORT: 'address family not supported',
  EMFILE: 'out of file descriptors (process limit)',
  ENFILE: 'out of file descriptors (system limit)',
  EADDRNOTAVAIL: 'no local port or address available',
  ENOBUFS: 'out of socket buffers',
  ENOMEM: 'out of memory',
};

const LOOKUPS: { readonly [code: string]: string } = {
  ENOTFOUND: 'unknown host',
  ENODATA: 'no address for host',
  EAI_AGAIN: 'temporary name lookup failure for host',
  EAI_FAIL: 'name lookup failure for host',
  ESERVFAIL: 'name lookup failure for host',
};

const CERTIFICATES: { readonly [code: string]: string } = {
  CERT_HAS_EXPIRED: 'certificate expired',
  CERT_NOT_YET_VALID: 'certificate not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'self-signed certificate in the chain',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown issuer of the certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown issuer of the certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown issuer of the certificate (is an intermediate certificate missing?)',
  CERT_REVOKED: 'certificate revoked',
  CERT_UNTRUSTED: 'certificate not trusted',
  CERT_REJECTED: 'certificate rejected',
  CERT_SIGNATURE_FAILURE: 'invalid signature of the certificate',
  CERT_CHAIN_TOO_LONG: 'certificate chain too long',
  INVALID_CA: 'issuer of the certificate is not a certificate authority',
  INVALID_PURPOSE: 'certificate is not for servers',
  PATH_LENGTH_EXCEEDED: 'certificate chain longer than its issuer allows',
  EE_KEY_TOO_SMALL: 'key of the certificate too small',
  CA_KEY_TOO_SMALL: 'key of the certificate’s issuer too small',
  CA_MD_TOO_WEAK: 'certificate signed with a weak digest',
  HOSTNAME_MISMATCH: 'certificate is for another name',
};

/** OpenSSL’s reasons, without `ERR_SSL_`, the version that an alert belongs to, and `ALERT_`. */
const TLS: { readonly [reason: string]: string } = {
  WRONG_VERSION_NUMBER: 'the target does not speak TLS',
  HTTP_REQUEST: 'the target does not speak TLS',
  PACKET_LENGTH_TOO_LONG: 'the target does not speak TLS',
  RECORD_LAYER_FAILURE: 'the target does not speak TLS',
  UNSUPPORTED_PROTOCOL: 'no TLS version in common',
  PROTOCOL_VERSION: 'no TLS version in common',
  NO_PROTOCOLS_AVAILABLE: 'no TLS version in common',
  INAPPROPRIATE_FALLBACK: 'no TLS version in common',
  NO_SHARED_CIPHER: 'no cipher in common',
  NO_CIPHER_MATCH: 'no cipher in common',
  INSUFFICIENT_SECURITY: 'no cipher that the target accepts as strong enough',
  HANDSHAKE_FAILURE: 'handshake refused by the target (no cipher in common, or it asks for a client certificate)',
  CERTIFICATE_REQUIRED: 'the target requires a client certificate',
  BAD_CERTIFICATE: 'the target requires another client certificate',
  UNRECOGNIZED_NAME: 'the target does not know the server name',
  NO_APPLICATION_PROTOCOL: 'the target does not offer the version of HTTP that the service uses (ALPN)',
  DH_KEY_TOO_SMALL: 'Diffie-Hellman key of the target too small',
  UNEXPECTED_EOF_WHILE_READING: 'connection closed during the handshake',
};

/** The cause of a failed or closed connection, from an error of a socket, the resolver or TLS. */
export function connectionCause(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    // One error per address of a name, usually the same.
    return bounded([...new Set(error.errors.map((one: unknown) => connectionCause(one)))].join('; '));
  }
  const code = opensslCode(error) ?? errnoCode(error) ?? '';
  const lookup = LOOKUPS[code];
  if (lookup !== undefined) return bounded(`${lookup} ${textField(error, 'hostname')}`);
  return bounded(SYSTEM[code] ?? certificateCause(error, code) ?? tlsCause(code) ?? messageOf(error));
}

function certificateCause(error: unknown, code: string): string | undefined {
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return CERTIFICATES[code];
  const names = namesOf(error);
  const host = textField(error, 'host');
  const first = names.slice(0, MAX_NAMES).join(', ');
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  return `certificate name mismatch: ${host} is not among ${first === '' ? 'its names (it has none)' : first + more}`;
}

/** The names that a certificate is for. */
function namesOf(error: unknown): string[] {
  if (!(error instanceof Error) || !('cert' in error) || typeof error.cert !== 'object' || error.cert === null)
    return [];
  const given = 'subjectaltname' in error.cert ? error.cert.subjectaltname : undefined;
  if (typeof given === 'string')
    return given.split(', ').map((name) => name.replace(/^(?:DNS|IP Address|URI|email):/, ''));
  const subject = 'subject' in error.cert ? error.cert.subject : undefined;
  const name = typeof subject === 'object' && subject !== null && 'CN' in subject ? subject.CN : undefined;
  return typeof name === 'string' ? [name] : [];
}

/** If a write failed, Node reports EPROTO with OpenSSL's line as the message. */
function opensslCode(error: unknown): string | undefined {
  if (errnoCode(error) !== 'EPROTO') return undefined;
  const reason = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(messageOf(error))?.[1];
  return reason === undefined ? undefined : `ERR_SSL_${reason.trim().toUpperCase().replaceAll(' ', '_')}`;
}

function tlsCause(code: string): string | undefined {
  if (!code.startsWith('ERR_SSL_')) return undefined;
  const reason = code.slice(8).replace(/^(?:SSLV3|TLSV1|TLSV13|SSL\/TLS|TLSV1_\d)_ALERT_|^TLSV1_(?=UNRECOGNIZED)/, '');
  return `TLS handshake failed: ${TLS[reason] ?? reason.toLowerCase().replaceAll('_', ' ')}`;
}

function textField(error: unknown, name: string): string {
  const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value : '';
}
