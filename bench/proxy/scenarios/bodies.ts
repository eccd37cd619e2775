/** Bodies of three sizes, as replies and as requests. */
import { allContestants, GW, HAPROXY, HTTP_PROXY, NGINX } from '../contestants.js';
import { BODY_COLUMNS, race } from '../race.js';
import { KIB, SIZES, scriptOfUpload } from '../requests.js';
import { type Section, targetOfRatio } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

/** Few connections for large bodies, so that each body completes within a round. */
const connectionsFor = (bytes: number): number => (bytes > 1024 * KIB ? 4 : 64);

async function eachSize(
  setting: Setting,
  scenario: string,
  what: string,
  entrants: readonly Entrant[],
  ask: (name: string, bytes: number) => { readonly path: string; readonly script?: string },
): Promise<Section[]> {
  const sections: Section[] = [];
  for (const [name, bytes] of Object.entries(SIZES)) {
    if (setting.pace.quick && name === '64k') continue;
    setting.progress(`  ${what} of ${name}`);
    const { path, script } = ask(name, bytes);
    const connections = connectionsFor(bytes);
    const lines = await race(setting, entrants, {
      connections,
      path,
      bytes,
      rounds: setting.pace.fewerRounds,
      ...(script === undefined ? {} : { script: () => script }),
    });
    const size = bytes >= 1024 * KIB ? `${bytes / KIB / KIB} MiB` : `${bytes / KIB} KiB`;
    sections.push({
      scenario,
      title: `${what} of ${size}, ${connections} connections`,
      columns: BODY_COLUMNS,
      lead: 'cpu',
      against: [HAPROXY, NGINX, HTTP_PROXY],
      lines,
      targets: bytes > 1024 * KIB ? targetOfRatio(lines, GW, HAPROXY, 1) : [],
      notes: [],
    });
  }
  return sections;
}

export const bodies: Scenario = {
  name: 'bodies',
  summary: 'replies of 1 KiB, 64 KiB and 10 MiB',
  run: (setting) =>
    setting.with(allContestants(setting, setting.origins.files), (entrants) =>
      eachSize(setting, 'bodies', 'replies', entrants, (name) => ({ path: `/bytes/${name}` })),
    ),
};

export const uploads: Scenario = {
  name: 'uploads',
  summary: 'request bodies of 1 KiB, 64 KiB and 10 MiB',
  run: (setting) =>
    setting.with(allContestants(setting, setting.origins.streams), (entrants) =>
      eachSize(setting, 'uploads', 'request bodies', entrants, (_, bytes) => ({
        path: '/upload',
        script: scriptOfUpload(setting, bytes),
      })),
    ),
};
