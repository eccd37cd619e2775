/** TLS towards targets. */
import { constants, createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, type SecureContextOptions } from 'node:tls';
import { resolvedText } from '../../bundle/references.js';
import { CIPHERS_12, CIPHERS_12_CBC, CIPHERS_13 } from '../../bundle/tls.js';
import type { ServiceTls } from '../../bundle/types.js';

/** For connections to targets. Old targets may support CBC only; ciphers without forward secrecy are not offered. */
export const TARGET_TLS: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  ciphers: [
    ...CIPHERS_13,
    ...CIPHERS_12,
    'DHE-RSA-AES128-GCM-SHA256',
    'DHE-RSA-AES256-GCM-SHA384',
    ...CIPHERS_12_CBC,
  ].join(':'),
  // Each renegotiation costs a handshake, and a peer can repeat it without limit. TLS 1.3 has none.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
};

/** For connections to a target with this host, by the settings of its service. Throws if a certificate or key is not valid. */
export function targetTls(host: string, settings: ServiceTls | undefined): ConnectionOptions {
  const name = settings?.serverName ?? (isIP(host) ? undefined : host);
  return { ...contextOf(settings), ...(name === undefined ? {} : { servername: name }) };
}

function contextOf(settings: ServiceTls | undefined): ConnectionOptions {
  if (settings === undefined) return TARGET_TLS;
  const { cert, key, ca, minVersion } = settings;
  const options: SecureContextOptions = {
    ...TARGET_TLS,
    ...(minVersion === '1.3' ? { minVersion: 'TLSv1.3' } : {}),
    ...(cert === undefined ? {} : { cert: resolvedText(cert) }),
    ...(key === undefined ? {} : { key: resolvedText(key) }),
    // Each authority that the spec names is trusted, also one that is not a root.
    ...(ca === undefined ? {} : { ca: ca.map(resolvedText), allowPartialTrustChain: true }),
  };
  return {
    ...TARGET_TLS,
    ...(minVersion === '1.3' ? { minVersion: 'TLSv1.3' } : {}),
    secureContext: createSecureContext(options),
  };
}

/** Equal for settings with which connections are the same. */
export const tlsKey = (settings: ServiceTls | undefined): string =>
  settings === undefined ? '' : createHash('sha256').update(JSON.stringify(settings)).digest('base64');
