/** One and two workers on all cores. */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { GW, gw } from '../contestants.js';
import { RACE_COLUMNS, race } from '../race.js';
import type { Section } from '../section.js';
import type { Scenario } from './scenario.js';

const TWO = `${GW}, 2 workers`;
/** Milliseconds for npx to download Node. */
const NPX_WITHIN = 120_000;

interface Node {
  readonly path: string;
  readonly version: string;
}

/** A Node with SO_REUSEPORT: from GW_BENCH_NODE, the running one, or one that npx downloads. */
function nodeWithReusePort(): Node | undefined {
  const given = process.env['GW_BENCH_NODE'];
  if (given !== undefined) return probe(given, []);
  return probe(process.execPath, []) ?? probe('npx', ['--yes', '-p', 'node@24', '--', 'node']);
}

function probe(command: string, args: readonly string[]): Node | undefined {
  const script = 'console.log(JSON.stringify([process.execPath, process.versions.node]))';
  const { stdout, status } = spawnSync(command, [...args, '-e', script], { encoding: 'utf8', timeout: NPX_WITHIN });
  if (status !== 0) return undefined;
  const [path, version]: [string, string] = JSON.parse(stdout);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 12) ? { path, version } : undefined;
}

export const workers: Scenario = {
  name: 'workers',
  summary: 'one worker and two, on all cores (Node >= 22.12)',
  run: async (setting) => {
    const base: Omit<Section, 'lines' | 'notes'> = {
      scenario: 'workers',
      title: 'workers, 64 connections, small JSON; gateway, load generator and origin on all cores',
      columns: RACE_COLUMNS,
      lead: 'rate',
      against: [GW],
      targets: [],
    };
    const node = nodeWithReusePort();
    if (node === undefined) {
      const why = 'skipped: Node >= 22.12 not found (set GW_BENCH_NODE to its path; otherwise npx downloads node@24)';
      return [{ ...base, lines: [], notes: [why] }];
    }
    const found = [gw(setting, GW, { node: node.path }), gw(setting, TWO, { node: node.path, workers: 2 })];
    return setting.with(
      found,
      async (entrants) => {
        const lines = await race(setting, entrants, { connections: 64, path: '/items/1', loadCores: setting.allCores });
        const notes = [
          `gw on Node ${node.version}; the ratio compares requests per second`,
          `load generator and origin share the ${availableParallelism()} cores with the gateway, which limits the gain`,
        ];
        return [{ ...base, lines, notes }];
      },
      { cores: setting.allCores },
    );
  },
};
