/** Many routes: requests spread over the whole table; each contestant is compared with itself with one route. */
import { type Contestant, GW, gw, HAPROXY, installed, NGINX } from '../contestants.js';
import { haproxyCommand, nginxCommand, nginxProxy, nginxRoutes } from '../peers.js';
import { RACE_COLUMNS, race } from '../race.js';
import { scriptOfPaths, spreadPaths } from '../requests.js';
import type { Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

/** Distinct requests that each client sends in turn. */
const REQUESTS = 5000;

const named = (name: string, routes: number): string =>
  routes === 1 ? name : `${name}, ${routes.toLocaleString('en')} routes`;

function fields(setting: Setting, counts: readonly number[]): Contestant[] {
  const origin = setting.origins.files;
  const found: Contestant[] = counts.map((routes) => gw(setting, named(GW, routes), { routes }));
  const nginx = installed('nginx');
  const haproxy = installed('haproxy');
  for (const routes of counts) {
    if (nginx === undefined) break;
    const locations = routes === 1 ? nginxProxy('/') : nginxRoutes(routes);
    found.push({
      name: named(NGINX, routes),
      version: nginx,
      headers: {},
      command: (port) => nginxCommand(setting, `nginx-${routes}`, port, origin, locations),
    });
  }
  for (const routes of counts) {
    if (haproxy === undefined) break;
    found.push({
      name: named(HAPROXY, routes),
      version: haproxy,
      headers: {},
      command: (port) => haproxyCommand(setting, `haproxy-${routes}`, port, origin, routes),
    });
  }
  return found;
}

export const routes: Scenario = {
  name: 'routes',
  summary: '1,000 and 10,000 routes',
  run: (setting) => {
    const counts = setting.pace.quick ? [1, 10_000] : [1, 1000, 10_000];
    const scripts = new Map(
      counts.map((count) => [count, scriptOfPaths(setting, `routes-${count}`, spreadPaths(count, REQUESTS))]),
    );
    const scriptOf = (name: string): string =>
      scripts.get(counts.find((count) => count > 1 && name.includes(`, ${count.toLocaleString('en')} `)) ?? 1) ?? '';
    return setting.with(fields(setting, counts), async (entrants) => [
      {
        scenario: 'routes',
        title: 'many routes, 64 connections, small JSON',
        columns: RACE_COLUMNS,
        lead: 'cpu',
        against: [GW, NGINX, HAPROXY],
        lines: await race(setting, entrants, {
          connections: 64,
          path: '/items/1',
          script: scriptOf,
          rounds: setting.pace.fewerRounds,
        }),
        targets: [],
        notes: [
          `${REQUESTS} different requests spread over the routes, in turn; in gw a literal path with a typed parameter`,
          'nginx: one prefix location per route; HAProxy: a map of prefixes; http-proxy, Caddy and @fastify/http-proxy are left out, because they have no route table of that size',
        ],
      },
    ]);
  },
};
