/** TLS towards targets. */
import { constants, createHash } from 'node:crypto';
import { connect as connectPlain, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContextOptions,
  type TLSSocket,
} from 'node:tls';
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

/** What a TLS connection needs of its target. */
export interface SecureTarget {
  readonly tls: ConnectionOptions;
  readonly host: string;
  /** The IP address of the host to connect to; undefined: the host is looked up. */
  readonly address: string | undefined;
  readonly port: number;
  /** Of its last connection. It was verified as `tls` says, and so are those that resume it. */
  session: Buffer | undefined;
}

/** Connects to a target; `protocols` are offered by ALPN. `header` goes before the handshake. */
export function openTls(target: SecureTarget, lookup: LookupFunction, protocols: string[], header?: Buffer): TLSSocket {
  const { address, host, port, tls, session } = target;
  const resumed = session === undefined ? {} : { session };
  const place = { host: address ?? host, port, lookup };
  // Also with a socket, a certificate of an address is compared with `host`; without it, with `localhost`.
  const below = header === undefined ? place : { host: place.host, socket: withHeader(place, header) };
  const socket = connect({ ...below, ...tls, ...resumed, ALPNProtocols: protocols });
  socket.setNoDelay(true);
  socket.on('session', (next) => {
    target.session = next;
  });
  // Should a target fail because of it, the next connection has a full handshake.
  if (session !== undefined)
    socket.once('error', () => {
      if (target.session === session) target.session = undefined;
    });
  return socket;
}

function withHeader(place: TcpNetConnectOpts, header: Buffer): Socket {
  const socket = connectPlain(place);
  socket.write(header);
  return socket;
}

function contextOf(settings: ServiceTls | undefined): ConnectionOptions {
  if (settings === undefined) return TARGET_TLS;
  const { cert, key, ca, minVersion, verify } = settings;
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
    ...(verify === false ? { rejectUnauthorized: false } : {}),
  };
}

/** Equal for settings with which connections are the same. */
export const tlsKey = (settings: ServiceTls | undefined): string =>
  settings === undefined ? '' : createHash('sha256').update(JSON.stringify(settings)).digest('base64');
