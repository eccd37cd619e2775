/** A small JSON reply over keep-alive: cost of a request, and the effect of more or fewer connections. */
import { allContestants, GW, HAPROXY, HTTP_PROXY, NGINX } from '../contestants.js';
import { RACE_COLUMNS, race } from '../race.js';
import { type Section, targetOfRatio } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

const PATH = '/items/1';
/** Open files beyond two per connection: for the pool to the origin and for the process itself. */
const SPARE_DESCRIPTORS = 1024;
/** From this number on, opening the connections takes a visible part of a round. */
const MANY = 1000;
/** Up to this number, a target bounds the cost. */
const FEW = 16;

async function section(
  setting: Setting,
  entrants: readonly Entrant[],
  connections: number,
  rounds: number,
): Promise<Section> {
  const longer = connections >= MANY ? 2 : 1;
  const lines = await race(setting, entrants, { connections, path: PATH, rounds, longer });
  return {
    scenario: 'connections',
    title: `${connections.toLocaleString('en')} connections, small JSON`,
    columns: RACE_COLUMNS,
    lead: 'cpu',
    against: [HAPROXY, NGINX, HTTP_PROXY],
    lines,
    targets: connections <= FEW ? targetOfRatio(lines, GW, HAPROXY, 1) : [],
    notes: connections >= MANY ? ['rounds are twice as long; connections are opened during the round'] : [],
  };
}

export const plain: Scenario = {
  name: 'plain',
  summary: 'a small JSON reply, 64 keep-alive connections',
  run: (setting) =>
    setting.with(allContestants(setting, setting.origins.files), async (entrants) => {
      const found = await section(setting, entrants, 64, setting.pace.rounds);
      const targets = [
        ...targetOfRatio(found.lines, GW, HAPROXY, 1),
        ...targetOfRatio(found.lines, GW, HTTP_PROXY, 0.3),
      ];
      return [{ ...found, scenario: 'plain', targets }];
    }),
};

export const connections: Scenario = {
  name: 'connections',
  summary: 'the same with 16, 256 and 4,096 connections',
  run: (setting) =>
    setting.with(allContestants(setting, setting.origins.files), async (entrants) => {
      const sections: Section[] = [];
      for (const count of setting.pace.quick ? [4096] : [FEW, 256, 4096]) {
        setting.progress(`  ${count} connections`);
        sections.push(
          2 * count + SPARE_DESCRIPTORS <= setting.descriptors
            ? await section(setting, entrants, count, setting.pace.fewerRounds)
            : skipped(count, setting.descriptors),
        );
      }
      return sections;
    }),
};

const skipped = (count: number, descriptors: number): Section => ({
  scenario: 'connections',
  title: `${count.toLocaleString('en')} connections`,
  columns: RACE_COLUMNS,
  lead: 'cpu',
  against: [],
  lines: [],
  targets: [],
  notes: [
    `skipped: a process may have only ${descriptors} open files (ulimit -Hn), and a gateway needs two per connection`,
  ],
});
