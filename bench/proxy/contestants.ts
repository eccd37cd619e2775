/** The contestants: gw and the peers that are installed. */
import { spawnSync } from 'node:child_process';
import { type GwOptions, gwCommand, gwEnv } from './gw.js';
import { caddyCommand, haproxyCommand, nginxCommand, nginxProxy } from './peers.js';
import { fastifyCommand, httpProxyCommand, versionOf } from './peers-node.js';
import type { Startable } from './processes.js';
import type { Setting } from './setting.js';

export interface Contestant extends Startable {
  /** Version of a peer; undefined for gw. */
  readonly version: string | undefined;
}

/** Names in the tables; ratios and targets refer to lines by these names. */
export const GW = 'gw';
export const NGINX = 'nginx';
export const HAPROXY = 'HAProxy';
export const HTTP_PROXY = 'http-proxy';
export const CADDY = 'Caddy';
export const FASTIFY = '@fastify/http-proxy';

/** The version that a tool reports; undefined if it is not installed. */
export function installed(tool: string): string | undefined {
  const result = spawnSync(tool, [tool === 'caddy' ? 'version' : '-v'], { encoding: 'utf8' });
  if (result.error) return undefined;
  return /\d+\.\d+(\.\d+)?/.exec(`${result.stdout}${result.stderr}`)?.[0] ?? 'unknown';
}

export function gw(setting: Setting, name = GW, options: Partial<GwOptions> = {}): Contestant {
  return {
    name,
    version: undefined,
    headers: options.full ? { 'x-api-key': setting.key } : {},
    env: gwEnv(setting),
    command: (port) =>
      gwCommand(setting, name, port, {
        routes: 1,
        pipelining: 1,
        workers: 1,
        full: false,
        extra: '',
        listener: '',
        service: '',
        policies: [],
        origin: setting.origins.files,
        node: process.execPath,
        ...options,
      }),
  };
}

/** The peers in the order of the tables. A quick run has only those that the targets need. */
export function peers(setting: Setting, origin: number): Contestant[] {
  const { quick } = setting.pace;
  const home = { XDG_CONFIG_HOME: setting.folder, XDG_DATA_HOME: setting.folder };
  const all: (Contestant & { readonly inQuick: boolean })[] = [];
  const add = (name: string, version: string | undefined, inQuick: boolean, command: Contestant['command']): void => {
    // Caddy writes its configuration into the home directory unless these variables are set.
    if (version !== undefined) all.push({ name, version, headers: {}, env: home, command, inQuick });
  };
  add(NGINX, installed('nginx'), true, (port) => nginxCommand(setting, 'nginx', port, origin, nginxProxy('/')));
  add(HAPROXY, installed('haproxy'), true, (port) => haproxyCommand(setting, 'haproxy', port, origin));
  add(HTTP_PROXY, versionOf('http-proxy'), true, (port) => httpProxyCommand(setting, port, origin));
  add(CADDY, installed('caddy'), false, (port) => caddyCommand(setting, port, origin));
  add(FASTIFY, versionOf('@fastify/http-proxy'), false, (port) => fastifyCommand(setting, port, origin));
  return all.filter(({ inQuick }) => inQuick || !quick);
}

/** gw without policies, and its peers, in front of this origin. */
export const allContestants = (setting: Setting, origin: number): Contestant[] => [
  gw(setting, GW, { origin }),
  ...peers(setting, origin),
];

/** The peers that are installed, with their versions, and the names of those that are not. */
export function installedPeers(): { readonly found: string[]; readonly missing: string[] } {
  const versions: readonly [string, string | undefined][] = [
    [NGINX, installed('nginx')],
    [HAPROXY, installed('haproxy')],
    [HTTP_PROXY, versionOf('http-proxy')],
    [CADDY, installed('caddy')],
    [FASTIFY, versionOf('@fastify/http-proxy')],
  ];
  return {
    found: versions.flatMap(([name, version]) => (version === undefined ? [] : [`${name} ${version}`])),
    missing: versions.flatMap(([name, version]) => (version === undefined ? [name] : [])),
  };
}
