/** mtls: client certificates of a handshake, and those that a proxy forwards. */
import { X509Certificate } from 'node:crypto';
import { Authorities } from '../../test/support/authority.js';
import { freePort } from '../../test/support/ports.js';
import { nginxCommand } from '../proxy/peers.js';
import type { ClientTls } from '../proxy/processes.js';
import type { Entrant, Setting } from '../proxy/setting.js';
import { type Entry, NOTHING } from './policies.js';
import { scriptOfValues } from './scripts.js';
import { scenario } from './table.js';

/** Distinct certificates of a cold run: more than gw keeps results of. */
export const CERTIFICATES = 5000;

/** An authority that has issued a certificate to a server and to a client. PEM texts. */
interface Issued {
  readonly ca: string;
  readonly server: ClientTls;
  readonly client: ClientTls;
}

function issue(): Issued {
  const authorities = new Authorities();
  try {
    const root = authorities.create('root');
    const [server, client] = [root.issue('localhost', { extensions: [] }), root.issue('bench')];
    const text = ({ cert, key }: ClientTls): ClientTls => ({ cert, key });
    return { ca: root.cert, server: text(server), client: text(client) };
  } finally {
    authorities.remove();
  }
}

/** A listener with TLS. `asks`: for certificates of clients. */
function listener(setting: Setting, { ca, server }: Issued, asks: boolean): string {
  const files = { cert: server.cert, key: server.key, ca };
  const path = (name: keyof typeof files): string => JSON.stringify(setting.write(`tls-${name}.pem`, files[name]));
  const clients = asks ? `, client_ca = ${path('ca')}, client_certificate = "optional"` : '';
  return `tls = { cert = ${path('cert')}, key = ${path('key')}${clients} }`;
}

const fingerprint = ({ cert }: ClientTls): string =>
  new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase();

function entriesOf(setting: Setting, issued: Issued): Entry[] {
  const tls = issued.client;
  const asking = { tls, listener: listener(setting, issued, true) };
  const consumer = `[consumer.bench]\n[[consumer.bench.credentials]]\nname = "one"\ncertificate = "sha256:${fingerprint(tls)}"\n`;
  const policy = `[policy.certificates]\nuse = "mtls"\n`;
  const fields = 'forward = { client_cert = true, fields = { x-client-subject = "subject" } }\n';
  const headers = {};
  return [
    { ...NOTHING, tls, listener: listener(setting, issued, false) },
    { name: 'client certificate, no policy', toml: '', policies: [], headers, ...asking },
    { name: 'mtls', toml: consumer + policy, policies: ['certificates'], headers, ...asking },
    { name: 'mtls, forwarded', toml: consumer + policy + fields, policies: ['certificates'], headers, ...asking },
  ];
}

/** nginx as the client with the certificate, since wrk cannot have one; on the core of the load. */
async function front(
  setting: Setting,
  { contestant, running }: Entrant,
  { client }: Issued,
): Promise<string | undefined> {
  if (running === undefined) return undefined;
  const name = `client-of-${contestant.name.replace(/[^a-z0-9]+/gi, '-')}`;
  const location = `location / { proxy_pass https://origin; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_ssl_certificate ${setting.write('client.pem', client.cert)};
    proxy_ssl_certificate_key ${setting.write('client-key.pem', client.key)}; }`;
  const started = await setting.start(
    { name, headers: {}, command: (port) => nginxCommand(setting, name, port, running.port, location) },
    await freePort(),
    { cores: setting.loadCore },
  );
  return started.url('');
}

let made: Issued | undefined;
const issuedOnce = (): Issued => (made ??= issue());

export const certificates = scenario({
  name: 'mtls',
  title: 'client certificates, on kept connections',
  notes: [
    'all lines with TLS; connections are kept, so handshakes are not measured',
    'nginx on the core of the load is the client with the certificate: wrk cannot have one',
  ],
  entries: (setting) => entriesOf(setting, issuedOnce()),
  front: (setting, entrant) => front(setting, entrant, issuedOnce()),
});

const FORWARDED = {
  toml: '[policy.certificates]\nuse = "mtls"\nfrom = "client-cert"\nconsumer = "none"\n',
  policies: ['certificates'],
  listener: 'trusted_proxies = ["127.0.0.1"]',
};

const clientCert = (raw: Uint8Array): string => `:${Buffer.from(raw).toString('base64')}:`;

/** The same `Client-Cert` field in all requests. */
export const forwardedOne = (): Entry => ({
  ...FORWARDED,
  name: 'mtls, one Client-Cert field',
  headers: { 'client-cert': clientCert(new X509Certificate(issuedOnce().client.cert).raw) },
});

/** Certificates with other serial numbers. Their signatures do not fit: that is for the proxy to check. */
export function forwardedMany(setting: Setting): Entry {
  const { raw, serialNumber } = new X509Certificate(issuedOnce().client.cert);
  const serial = Buffer.from(serialNumber, 'hex');
  const at = raw.indexOf(serial) + serial.length - 4;
  const values = Array.from({ length: CERTIFICATES }, (_, number) => {
    const other = Buffer.from(raw);
    other.writeUInt32BE(number, at);
    return clientCert(other);
  });
  return {
    ...FORWARDED,
    name: 'mtls, Client-Cert field',
    headers: { 'client-cert': values[0]! },
    script: scriptOfValues(setting, 'client-certs', 'client-cert', values),
  };
}
