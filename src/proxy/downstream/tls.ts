/** What gw offers in TLS: to clients as their listener's spec says, to targets always the same. */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { CIPHERS_12, CIPHERS_12_CBC, CIPHERS_13, isOfTls13 } from '../../bundle/tls.js';
import type { ListenerEntry } from '../../bundle/types.js';

/** A peer that negotiates anew costs a handshake each time, as often as it likes; TLS 1.3 has no such thing. */
const NO_RENEGOTIATION = constants.SSL_OP_NO_RENEGOTIATION;

/** For the server of a listener with these settings. */
export function listenerTls({ minVersion, ciphers = [] }: NonNullable<ListenerEntry['tls']>): SecureContextOptions {
  const of13 = ciphers.filter(isOfTls13);
  const of12 = ciphers.filter((cipher) => !isOfTls13(cipher));
  const offered = [...(of13.length > 0 ? of13 : CIPHERS_13), ...(of12.length > 0 ? of12 : CIPHERS_12)];
  return {
    minVersion: minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    ciphers: offered.join(':'),
    honorCipherOrder: true,
    secureOptions: NO_RENEGOTIATION,
    ...(of12.some((cipher) => cipher.startsWith('DHE-')) ? { dhparam: 'auto' } : {}),
  };
}

/** For connections to targets. Old ones may know CBC alone; without forward secrecy there is none. */
export const TARGET_TLS: SecureContextOptions = {
  minVersion: 'TLSv1.2',
  ciphers: [
    ...CIPHERS_13,
    ...CIPHERS_12,
    'DHE-RSA-AES128-GCM-SHA256',
    'DHE-RSA-AES256-GCM-SHA384',
    ...CIPHERS_12_CBC,
  ].join(':'),
  secureOptions: NO_RENEGOTIATION,
};
