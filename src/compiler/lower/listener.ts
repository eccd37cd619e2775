/** Listeners of the model as entries. */
import type { ListenerEntry } from '../../bundle/types.js';
import type { ListenerModel } from '../../spec/model.js';
import { given } from '../ir.js';

export function lowerListener({ name, config }: ListenerModel): ListenerEntry {
  return {
    address: config.address,
    bodyTimeout: config.body_timeout,
    headerTimeout: config.header_timeout,
    idleTimeout: config.idle_timeout,
    maxBodyBytes: config.max_body,
    maxConnections: config.max_connections,
    ...given('maxConnectionsPerAddress', config.max_connections_per_address),
    maxHeaderBytes: config.max_header,
    maxHeaders: config.max_headers,
    maxRequestsPerConnection: config.max_requests_per_connection,
    maxTargetBytes: config.max_target,
    minBodyRate: config.min_body_rate,
    name,
    ...given('redirect', config.redirect),
    ...given('tls', lowerTls(config.tls)),
    trustedProxies: config.trusted_proxies,
    underscores: config.underscores,
  };
}

function lowerTls(tls: ListenerModel['config']['tls']): ListenerEntry['tls'] {
  if (tls === undefined) return undefined;
  const { cert, key, min_version, ciphers, client_ca: ca, client_certificate: certificate, client_crl: crl } = tls;
  return {
    cert,
    ...given('ciphers', ciphers),
    ...given('client', ca && { ca, certificate: certificate ?? 'required', ...given('crl', crl) }),
    key,
    ...(min_version === '1.2' ? {} : { minVersion: min_version }),
  };
}
