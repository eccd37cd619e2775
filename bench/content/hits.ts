/** Hits of a cache in memory and on disk, beside nginx proxy_cache and Varnish. */
import { join } from 'node:path';
import { type Contestant, gw, installed, NGINX } from '../proxy/contestants.js';
import { nginxCommand, nginxProxy } from '../proxy/peers.js';
import { BODY_COLUMNS, RACE_COLUMNS, race } from '../proxy/race.js';
import { KIB, scriptOfPaths } from '../proxy/requests.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';
import { targetOfRatio } from '../proxy/section.js';
import type { Setting } from '../proxy/setting.js';

const MEMORY = 'gw, hit in memory';
const PLAIN = 'gw without a cache';
const CACHED_NGINX = `${NGINX} proxy_cache`;
const VARNISH = 'Varnish';
/** What a hit may cost, as a share of what it costs nginx. */
const MOST = 1.3;

const CACHE = '[policy.store]\nuse = "cache"\nttl = "1h"\n';

function nginxCache(setting: Setting): Contestant[] {
  const version = installed('nginx');
  if (version === undefined) return [];
  const path = `proxy_cache_path ${join(setting.folder, 'nginx-cache')} levels=1:2 keys_zone=bench:16m max_size=1g;`;
  const location = nginxProxy('/', 'proxy_cache bench; proxy_cache_valid any 1h;');
  const http = `${path} sendfile on; tcp_nopush on; open_file_cache max=1000;`;
  const command = (port: number) => nginxCommand(setting, 'nginx-cache', port, setting.origins.files, location, http);
  return [{ name: CACHED_NGINX, version, headers: {}, command }];
}

function varnish(setting: Setting): Contestant[] {
  const version = installed('varnishd');
  if (version === undefined) return [];
  const command = (port: number): readonly string[] => {
    const vcl = setting.write(
      'bench.vcl',
      `vcl 4.1;
backend origin { .host = "127.0.0.1"; .port = "${setting.origins.files}"; }
sub vcl_backend_response { set beresp.ttl = 1h; }
`,
    );
    const folder = join(setting.folder, 'varnish');
    const bounds = ['thread_pools=1', 'thread_pool_min=50', 'thread_pool_max=400'].flatMap((one) => ['-p', one]);
    return [
      'varnishd',
      '-j',
      'none',
      '-F',
      '-a',
      `127.0.0.1:${port}`,
      '-f',
      vcl,
      '-n',
      folder,
      '-s',
      'malloc,256m',
      ...bounds,
    ];
  };
  return [{ name: VARNISH, version, headers: {}, command }];
}

function hit(name: string, path: string, bytes: number): Scenario {
  return {
    name,
    summary: `hits of ${bytes / KIB} KiB in memory, 64 connections`,
    run: (setting) => {
      const all = [
        gw(setting, MEMORY, { extra: CACHE, policies: ['store'] }),
        gw(setting, PLAIN),
        ...nginxCache(setting),
        ...varnish(setting),
      ];
      return setting.with(
        all,
        async (entrants) => {
          const lines = await race(setting, entrants, { connections: 64, path, bytes });
          return [
            {
              scenario: name,
              title: `a hit of ${bytes / KIB} KiB`,
              columns: BODY_COLUMNS,
              lead: 'cpu',
              against: [CACHED_NGINX, VARNISH, PLAIN],
              lines,
              targets: targetOfRatio(lines, MEMORY, CACHED_NGINX, MOST),
              notes: [],
            },
          ];
        },
        { path },
      );
    },
  };
}

const DISK = 'gw, hit on disk';
/** More replies than the memory of the line holds. */
const REPLIES = 5000;

const onDisk: Scenario = {
  name: 'hit-disk',
  summary: `hits among ${REPLIES.toLocaleString('en')} small replies on disk, 64 connections`,
  run: (setting) => {
    const small = '[state]\ncontent_memory = "1MiB"\n';
    const all = [
      gw(setting, DISK, { extra: `${CACHE}disk = true\n${small}`, policies: ['store'] }),
      gw(setting, MEMORY, { extra: CACHE, policies: ['store'] }),
      ...nginxCache(setting),
      ...varnish(setting),
    ];
    const paths = Array.from({ length: REPLIES }, (_, at) => `/items/${at + 1}`);
    const script = scriptOfPaths(setting, 'replies', paths);
    return setting.with(all, async (entrants) => {
      const lines = await race(setting, entrants, { connections: 64, path: '/items/1', script: () => script });
      return [
        {
          scenario: 'hit-disk',
          title: `hits among ${REPLIES.toLocaleString('en')} small replies`,
          columns: RACE_COLUMNS,
          lead: 'cpu',
          against: [CACHED_NGINX, VARNISH, MEMORY],
          lines,
          targets: [],
          notes: [`${DISK}: memory for about a quarter of them; nginx keeps replies in files, Varnish in memory`],
        },
      ];
    });
  },
};

export const hits: readonly Scenario[] = [
  hit('hit', '/bytes/1k', KIB),
  hit('hit-large', '/bytes/100k', 100 * KIB),
  onDisk,
];
