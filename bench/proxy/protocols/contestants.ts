/** gw, nginx and HAProxy, configured for a protocol on each side. */
import { Authorities } from '../../../test/support/authority.js';
import { type Contestant, GW, gw, HAPROXY, installed, NGINX } from '../contestants.js';
import { haproxyCommand, nginxCommand, nginxProxy } from '../peers.js';
import type { Startable } from '../processes.js';
import type { Setting } from '../setting.js';
import { UNARY } from './origins.js';

export interface Sides {
  /** What clients speak; default: HTTP/1.1. */
  readonly down?: 'https' | 'h2c';
  /** The origin speaks HTTP/2 without TLS. */
  readonly http2Up?: boolean;
  /** Port of the origin. */
  readonly origin: number;
}

interface Files {
  readonly cert: string;
  readonly key: string;
  /** Both in one file, for HAProxy. */
  readonly both: string;
}

/** A certificate for localhost with a key on P-256, in files of the folder. */
function certificate(setting: Setting): Files {
  const authorities = new Authorities();
  try {
    const { cert, key } = authorities
      .create('bench root')
      .issue('localhost', { extensions: ['subjectAltName=DNS:localhost'] });
    return {
      cert: setting.write('server.pem', cert),
      key: setting.write('server.key', key),
      both: setting.write('server-both.pem', cert + key),
    };
  } finally {
    authorities.remove();
  }
}

const ROUTES = `
[[route]]
name = "unary"
match = "POST ${UNARY}"
to = "origin"

[[route]]
name = "socket"
match = "GET /socket"
to = "origin"
`;

const UPGRADE = `proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
  proxy_read_timeout 300s; proxy_send_timeout 300s;`;

/** nginx speaks HTTP/2 to origins only by grpc_pass, which passes on any request. */
const locations = (http2Up: boolean): string =>
  http2Up
    ? 'location / { grpc_pass grpc://origin; }'
    : `${nginxProxy('/')} location = /socket { proxy_pass http://origin; proxy_http_version 1.1; ${UPGRADE} }`;

/** The contestants that are installed. TLS is 1.3 with the same certificate, and tickets, for all of them. */
export function contestantsOf(setting: Setting, { down, http2Up = false, origin }: Sides): Contestant[] {
  const files = down === 'https' ? certificate(setting) : undefined;
  const speaks: Pick<Startable, 'speaks'> = down === undefined ? {} : { speaks: down };
  const found: Contestant[] = [
    {
      ...gw(setting, GW, {
        origin,
        extra: ROUTES,
        listener:
          files === undefined ? '' : `tls = { cert = "${files.cert}", key = "${files.key}", min_version = "1.3" }`,
        service: http2Up ? 'protocol = "h2"' : '',
      }),
      ...speaks,
    },
  ];
  const add = (name: string, tool: string, command: Contestant['command']): void => {
    const version = installed(tool);
    if (version !== undefined) found.push({ name, version, headers: {}, command, ...speaks });
    else setting.progress(`  ${name} is not installed: skipped`);
  };
  const tls =
    files === undefined
      ? ''
      : `ssl_certificate ${files.cert}; ssl_certificate_key ${files.key}; ssl_protocols TLSv1.3;`;
  const listen = { https: 'ssl', h2c: 'http2' };
  add(NGINX, 'nginx', (port) =>
    nginxCommand(setting, 'nginx', port, origin, locations(http2Up), tls, down === undefined ? '' : listen[down]),
  );
  const bind = { https: `ssl crt ${files?.both} ssl-min-ver TLSv1.3`, h2c: 'proto h2' };
  add(HAPROXY, 'haproxy', (port) =>
    haproxyCommand(setting, 'haproxy', port, origin, 1, '  timeout tunnel 300s\n', {
      bind: down === undefined ? '' : bind[down],
      server: http2Up ? 'proto h2' : '',
    }),
  );
  return found;
}
