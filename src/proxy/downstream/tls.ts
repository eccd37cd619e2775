/** TLS towards clients, as the spec of their listener says. */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { CIPHERS_12, CIPHERS_13, isOfTls13 } from '../../bundle/tls.js';
import type { ListenerEntry } from '../../bundle/types.js';

/** For the TLS server of a listener with these settings. */
export function listenerTls({ minVersion, ciphers = [] }: NonNullable<ListenerEntry['tls']>): SecureContextOptions {
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
