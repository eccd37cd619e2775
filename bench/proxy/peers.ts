/** nginx, HAProxy and Caddy, each configured as its manual recommends for proxying with keep-alive on both sides. */
import { join } from 'node:path';
import { routePaths } from './requests.js';
import type { Setting } from './setting.js';

/** Concurrent clients that the peers must support. */
const CLIENTS = 12_000;

const PROXY = `proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`;

/** A location that proxies; `more` are further directives in it. */
export const nginxProxy = (path: string, more = ''): string => `location ${path} { ${PROXY} ${more} }`;

/** Bodies of any size without buffering in files, the usual configuration for large bodies. */
const BODIES = `client_max_body_size 0; proxy_request_buffering off; client_body_buffer_size 64k;
  proxy_buffers 16 32k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;`;

/** A worker under another user could not read the folder of the run. */
const SAME_USER = process.getuid?.() === 0 ? 'user root;' : '';

/** `http` holds directives that are placed beside the server; `listen`: further parameters of the listening socket. */
export function nginxCommand(
  setting: Setting,
  name: string,
  port: number,
  origin: number,
  locations: string,
  http = '',
  listen = '',
): readonly string[] {
  const at = (file: string): string => join(setting.folder, `${name}-${file}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${at(kind)};`,
  );
  const path = setting.write(
    `${name}.conf`,
    `${SAME_USER} worker_processes 1; daemon off; pid ${at('pid')}; error_log stderr;
worker_rlimit_nofile ${setting.descriptors};
events { worker_connections ${Math.min(2 * CLIENTS, setting.descriptors - 64)}; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; ${temporary.join(' ')}
  ${BODIES}
  ${http}
  upstream origin { server 127.0.0.1:${origin}; keepalive 256; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} backlog=4096 ${listen}; ${locations} } }
`,
  );
  return ['nginx', '-e', 'stderr', '-c', path];
}

/** One location per generated route; nginx finds it in its prefix tree. */
export function nginxRoutes(routes: number): string {
  const locations = routePaths(routes).map((path) => nginxProxy(`${path}/`));
  return [nginxProxy('/items/'), ...locations].join('\n');
}

/** With `routes` above 1, the backend of a request is looked up in a map of prefixes. `rules`: further lines of the frontend. `words`: further words of the lines `bind` and `server`. */
export function haproxyCommand(
  setting: Setting,
  name: string,
  port: number,
  origin: number,
  routes = 1,
  rules = '',
  words: { readonly bind?: string; readonly server?: string } = {},
): readonly string[] {
  let choice = 'default_backend origin';
  if (routes > 1) {
    const map = routePaths(routes).map((path) => `${path}/ origin`);
    choice = `use_backend %[path,map_beg(${setting.write(`${name}.map`, `/items/ origin\n${map.join('\n')}\n`)})]`;
  }
  const path = setting.write(
    `${name}.cfg`,
    `global
  nbthread 1
  maxconn ${CLIENTS}
  fd-hard-limit ${setting.descriptors}
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout queue 60s
  timeout client 300s
  timeout server 300s
  option forwardfor
  http-reuse always
frontend main
  bind 127.0.0.1:${port} ${words.bind ?? ''}
${rules}  ${choice}
backend origin
  server one 127.0.0.1:${origin} maxconn 256 ${words.server ?? ''}
`,
  );
  return ['haproxy', '-db', '-f', path];
}

export function caddyCommand(setting: Setting, port: number, origin: number): readonly string[] {
  const path = setting.write(
    'Caddyfile',
    `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  reverse_proxy 127.0.0.1:${origin} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`,
  );
  return ['caddy', 'run', '--config', path, '--adapter', 'caddyfile'];
}
