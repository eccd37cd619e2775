/** Who takes part in the proxy benchmark, and with what configuration: each as its manual says to proxy with keep-alive. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { type Running, type Startable, startPinned } from './proxy-processes.js';

export interface Contestant extends Startable {
  /** Of a peer; gw itself is what stands here. */
  readonly version: string | undefined;
}

/** Where a run happens. */
export interface Place {
  /** For configurations, logs and pids. */
  readonly folder: string;
  /** Port of the origin. */
  readonly origin: number;
  /** The API key that the clients of the full gateway send. */
  readonly key: string;
}

const BODY = '{"id":1,"name":"widget","price":9.99,"tags":["a","b","c"],"description":"lorem ipsum dolor sit amet"}';

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The version that a tool tells; undefined where it is not installed. */
export function installed(tool: string): string | undefined {
  const asked = spawnSync(tool, [tool === 'caddy' ? 'version' : '-v'], { encoding: 'utf8' });
  if (asked.error) return undefined;
  return /\d+\.\d+(\.\d+)?/.exec(`${asked.stdout}${asked.stderr}`)?.[0] ?? 'unknown';
}

export function startOrigin(place: Place, core: number): Promise<Running> {
  const origin: Startable = {
    name: 'origin',
    headers: {},
    command: (port) =>
      nginx(place, 'origin', port, `location / { default_type application/json; return 200 '${BODY}'; }`),
  };
  return startPinned(origin, place.origin, place.folder, core);
}

/** Everybody that is installed, gw first. */
export function contestants(place: Place): { readonly found: Contestant[]; readonly missing: string[] } {
  const found: Contestant[] = [
    {
      name: 'gw',
      version: undefined,
      headers: {},
      env: runtime(place),
      command: (port) => gw(place, port, false),
    },
    {
      name: 'gw, key + limit + access log',
      version: undefined,
      headers: { 'x-api-key': place.key },
      env: runtime(place),
      command: (port) => gw(place, port, true),
    },
  ];
  const missing: string[] = [];
  // Caddy writes its configuration into the home of whoever runs it, unless told of another.
  const env = { XDG_CONFIG_HOME: place.folder, XDG_DATA_HOME: place.folder };
  const peer = (name: string, version: string | undefined, command: (port: number) => readonly string[]): void => {
    if (version === undefined) missing.push(name);
    else found.push({ name, version, headers: {}, env, command });
  };
  const httpProxy = httpProxyPath();
  peer('http-proxy, keep-alive agent', httpProxy?.version, (port) =>
    httpProxyCommand(place, httpProxy?.path ?? '', port),
  );
  peer('nginx', installed('nginx'), (port) => nginx(place, 'nginx', port, `location / { ${NGINX_PROXY} }`));
  peer('HAProxy', installed('haproxy'), (port) => haproxy(place, port));
  peer('Caddy', installed('caddy'), (port) => caddy(place, port));
  return { found, missing };
}

function write(place: Place, name: string, text: string): string {
  const path = join(place.folder, name);
  writeFileSync(path, text);
  return path;
}

/** Its admin sockets go into the run's folder and not among those of real gateways. */
const runtime = (place: Place): { readonly [name: string]: string } => ({ GW_RUNTIME_DIR: join(place.folder, 'run') });

function gw(place: Place, port: number, full: boolean): readonly string[] {
  const digest = createHash('sha256').update(place.key).digest('hex');
  const spec = `spec = 1
[listener.main]
address = "127.0.0.1:${port}"

[service.origin]
targets = ["http://127.0.0.1:${place.origin}"]

[[route]]
name = "item"
match = "GET /items/{id:int}"
to = "origin"
${full ? 'policies = ["keys", "polite"]' : ''}
${full ? GW_POLICIES(digest) : ''}`;
  const path = write(place, full ? 'full.toml' : 'plain.toml', spec);
  const log = full ? ['--access-log', join(place.folder, 'access.log')] : ['--no-access-log'];
  return [process.execPath, resolve('bin/gw.js'), 'serve', path, '--no-watch', '--log', 'json', ...log];
}

const GW_POLICIES = (digest: string): string => `
[consumer.bench]
api_keys = ["sha256:${digest}"]

[policy.keys]
use = "api-key"

[policy.polite]
use = "rate-limit"
limit = "900000/s"
by = "consumer"
`;

const NGINX_PROXY = `proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`;

function nginx(place: Place, name: string, port: number, location: string): readonly string[] {
  const at = (file: string): string => join(place.folder, `${name}-${file}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${at(kind)};`,
  );
  const path = write(
    place,
    `${name}.conf`,
    `worker_processes 1; daemon off; pid ${at('pid')}; error_log stderr;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; ${temporary.join(' ')}
  upstream origin { server 127.0.0.1:${place.origin}; keepalive 256; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} backlog=4096; ${location} } }
`,
  );
  return ['nginx', '-e', 'stderr', '-c', path];
}

function haproxy(place: Place, port: number): readonly string[] {
  const path = write(
    place,
    'haproxy.cfg',
    `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend main
  bind 127.0.0.1:${port}
  default_backend origin
backend origin
  server one 127.0.0.1:${place.origin}
`,
  );
  return ['haproxy', '-db', '-f', path];
}

function caddy(place: Place, port: number): readonly string[] {
  const path = write(
    place,
    'Caddyfile',
    `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  reverse_proxy 127.0.0.1:${place.origin} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`,
  );
  return ['caddy', 'run', '--config', path, '--adapter', 'caddyfile'];
}

function httpProxyPath(): { readonly path: string; readonly version: string } | undefined {
  const require = createRequire(resolve('bench/package.json'));
  try {
    const { version }: { readonly version: string } = require('http-proxy/package.json');
    return { path: require.resolve('http-proxy'), version };
  } catch {
    return undefined;
  }
}

function httpProxyCommand(place: Place, path: string, port: number): readonly string[] {
  const script = write(
    place,
    'http-proxy.cjs',
    `const http = require('node:http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const proxy = require(${JSON.stringify(path)}).createProxyServer({ target: 'http://127.0.0.1:${place.origin}', agent, xfwd: true });
proxy.on('error', (error, request, response) => response.writeHead(502).end(error.message));
http.createServer((request, response) => proxy.web(request, response)).listen(${port}, '127.0.0.1');
`,
  );
  return [process.execPath, '--no-deprecation', script];
}
