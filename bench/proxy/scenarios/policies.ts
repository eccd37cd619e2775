/** Cost of an API key, a rate limit and an access log. */
import { join } from 'node:path';
import { type Contestant, GW, gw, installed, NGINX } from '../contestants.js';
import { nginxCommand, nginxProxy } from '../peers.js';
import { RACE_COLUMNS, race } from '../race.js';
import { targetOfRatio } from '../section.js';
import type { Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

const FULL = 'key + limit + access log';

/** nginx compares the plain key; its maps do not support digests. */
function nginxFull(setting: Setting, port: number): readonly string[] {
  const log = join(setting.folder, 'nginx-access.log');
  const http = `map $http_x_api_key $consumer { default ""; "${setting.key}" "bench"; }
  limit_req_zone $consumer zone=polite:1m rate=900000r/s;
  log_format lines escape=json '{"time":"$time_iso8601","id":"$request_id","consumer":"$consumer","method":"$request_method",'
    '"path":"$uri","status":$status,"ms":$request_time,"upstream":"$upstream_response_time","bytes":$bytes_sent}';`;
  const location = nginxProxy(
    '/',
    `if ($consumer = "") { return 401; } limit_req zone=polite burst=100000 nodelay;
    access_log ${log} lines buffer=256k flush=1s;`,
  );
  return nginxCommand(setting, 'nginx-full', port, setting.origins.files, location, http);
}

export const policies: Scenario = {
  name: 'policies',
  summary: 'with an API key, a rate limit and an access log',
  run: (setting) => {
    const found: Contestant[] = [gw(setting), gw(setting, `${GW}, ${FULL}`, { full: true })];
    const version = installed('nginx');
    if (version !== undefined) {
      const headers = { 'x-api-key': setting.key };
      const origin = setting.origins.files;
      found.push(
        {
          name: NGINX,
          version,
          headers: {},
          command: (port) => nginxCommand(setting, 'nginx', port, origin, nginxProxy('/')),
        },
        { name: `${NGINX}, ${FULL}`, version, headers, command: (port) => nginxFull(setting, port) },
      );
    }
    return setting.with(found, async (entrants) => {
      const lines = await race(setting, entrants, { connections: 64, path: '/items/1' });
      return [
        {
          scenario: 'policies',
          title: `${FULL}, 64 connections, small JSON`,
          columns: RACE_COLUMNS,
          lead: 'cpu',
          against: [GW, NGINX],
          lines,
          targets: targetOfRatio(lines, `${GW}, ${FULL}`, GW, 1.25),
          notes: ['nginx: map, limit_req, buffered access_log with the same kind of line'],
        },
      ];
    });
  },
};
