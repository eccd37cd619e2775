/** Listeners of the model as entries. */
import type { ListenerEntry, TlsHostEntry, TlsPolicyEntry } from '../../bundle/types.js';
import type { ListenerModel } from '../../spec/model.js';
import { given } from '../ir.js';

export function lowerListener({ name, config }: ListenerModel): ListenerEntry {
  return {
    address: config.address,
    bodyTimeout: config.body_timeout,
    ...given('forceHttp2', config.force_http2),
    headerTimeout: config.header_timeout,
    idleTimeout: config.idle_timeout,
    maxBodyBytes: config.max_body,
    maxConnections: config.max_connections,
    ...given('maxConnectionsPerAddress', config.max_connections_per_address),
    maxHeaderBytes: config.max_header,
    maxHeaders: config.max_headers,
    maxRequestsPerConnection: config.max_requests_per_connection,
    ...given('maxStreams', config.max_streams),
    maxTargetBytes: config.max_target,
    minBodyRate: config.min_body_rate,
    name,
    ...(config.proxy_protocol ? { proxyProtocol: true } : {}),
    ...given('redirect', config.redirect),
    ...given('protocols', config.protocols),
    ...given('socketMode', config.socket_mode),
    ...given('tls', lowerTls(config.tls)),
    trustedProxies: config.trusted_proxies,
    underscores: config.underscores,
  };
}

type TlsConfig = NonNullable<ListenerModel['config']['tls']>;
type HostConfig = TlsConfig['hosts'][number];

function lowerTls(tls: TlsConfig | undefined): ListenerEntry['tls'] {
  if (tls === undefined) return undefined;
  const hosts = tls.hosts.map(
    (host): TlsHostEntry => ({ ...lowerPolicy(inherited(host, tls)), ...given('names', host.names) }),
  );
  return { ...lowerPolicy(tls), ...(hosts.length === 0 ? {} : { hosts }) };
}

/** A host with what it takes from its listener. */
function inherited(host: HostConfig, tls: TlsConfig): Omit<HostConfig, 'names'> {
  const { cert, key } = host.cert === undefined ? tls : host;
  const none = host.client_certificate === 'none';
  // The lists are those of the authorities.
  const clients = host.client_ca === undefined ? tls : host;
  return {
    cert,
    key,
    min_version: host.min_version ?? tls.min_version,
    ciphers: host.ciphers ?? tls.ciphers,
    client_ca: none ? undefined : clients.client_ca,
    client_certificate: host.client_certificate ?? tls.client_certificate,
    client_crl: host.client_crl ?? clients.client_crl,
    forward_client_cert: host.forward_client_cert ?? tls.forward_client_cert,
  };
}

function lowerPolicy(tls: Omit<HostConfig, 'names'>): TlsPolicyEntry {
  const { cert, key, min_version, ciphers, client_ca: ca, client_crl: crl } = tls;
  const certificate = tls.client_certificate === 'optional' ? 'optional' : 'required';
  const forward = tls.forward_client_cert === true ? (true as const) : undefined;
  return {
    ...given('cert', cert),
    ...given('ciphers', ciphers),
    ...given('client', ca && { ca, certificate, ...given('crl', crl), ...given('forward', forward) }),
    ...given('key', key),
    ...(min_version === '1.3' ? { minVersion: min_version } : {}),
  };
}
