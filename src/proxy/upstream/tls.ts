/** TLS towards targets: the same for all. */
import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { CIPHERS_12, CIPHERS_12_CBC, CIPHERS_13 } from '../../bundle/tls.js';

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
