/** Requests pipelined to the origin: they share connections and are written together. */
import { GW, gw, HAPROXY, NGINX, peers } from '../contestants.js';
import { RACE_COLUMNS, race } from '../race.js';
import { targetOfRatio } from '../section.js';
import type { Scenario } from './scenario.js';

const DEPTH = 16;
const PIPELINING = `${GW}, pipelining`;

export const pipelining: Scenario = {
  name: 'pipelining',
  summary: `pipelining = ${DEPTH} on the service`,
  run: (setting) => {
    const among = peers(setting, setting.origins.files).filter(({ name }) => name === NGINX || name === HAPROXY);
    const found = [gw(setting), gw(setting, PIPELINING, { pipelining: DEPTH }), ...among];
    return setting.with(found, async (entrants) => {
      const lines = await race(setting, entrants, { connections: 64, path: '/items/1' });
      return [
        {
          scenario: 'pipelining',
          title: `pipelining = ${DEPTH}, 64 connections, small JSON`,
          columns: RACE_COLUMNS,
          lead: 'cpu',
          against: [NGINX, HAPROXY, GW],
          lines,
          targets: targetOfRatio(lines, PIPELINING, NGINX, 1),
          notes: ['the peers do not pipeline to an origin; their lines show plain proxying'],
        },
      ];
    });
  },
};
