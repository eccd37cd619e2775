/** What each hook of the policy contract costs, compared with a route without it. */
import { type Contestant, gw } from '../proxy/contestants.js';
import { RACE_COLUMNS, type Race, race } from '../proxy/race.js';
import { KIB, scriptOfUpload } from '../proxy/requests.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';
import { type Section, targetOfRatio } from '../proxy/section.js';
import type { Setting } from '../proxy/setting.js';
import * as hooks from './specs.js';

const contestant = (setting: Setting, { name, toml, policies }: hooks.Hook, origin: number): Contestant =>
  gw(setting, name, { origin, extra: toml, policies });

interface Comparison {
  readonly name: string;
  readonly summary: string;
  readonly base: hooks.Hook;
  readonly hooks: readonly hooks.Hook[];
  /** Largest ratio of the first hook to the base, if there is a target. */
  readonly most?: number;
  readonly race: (setting: Setting) => Omit<Race, 'connections'>;
  /** Which origin answers. */
  readonly origin: 'files' | 'streams';
}

function scenario({ name, summary, base, hooks: compared, most, race: raceOf, origin }: Comparison): Scenario {
  return {
    name,
    summary,
    run: (setting) => {
      hooks.writePolicies(setting);
      const found = [base, ...compared].map((hook) => contestant(setting, hook, setting.origins[origin]));
      return setting.with(found, async (entrants) => {
        const lines = await race(setting, entrants, { connections: 64, ...raceOf(setting) });
        const section: Section = {
          scenario: name,
          title: summary,
          columns: RACE_COLUMNS,
          lead: 'cpu',
          against: [base.name],
          lines,
          targets: most === undefined ? [] : targetOfRatio(lines, compared[0]!.name, base.name, most),
          notes: [],
        };
        return [section];
      });
    },
  };
}

const upload = (bytes: number) => (setting: Setting) => {
  const script = scriptOfUpload(setting, bytes);
  return { path: '/upload', script: () => script };
};

export const scenarios: readonly Scenario[] = [
  scenario({
    name: 'custom',
    summary: 'a custom policy against a built-in one of the same shape',
    base: hooks.BUILT_IN,
    hooks: [hooks.CUSTOM],
    most: 1.05,
    race: () => ({ path: '/items/1' }),
    origin: 'files',
  }),
  scenario({
    name: 'small',
    summary: 'hooks on requests without a body, small JSON replies',
    base: hooks.NOTHING,
    hooks: [hooks.BUILT_IN, hooks.WHEN, hooks.SKIPPED, hooks.CALL],
    race: () => ({ path: '/items/1' }),
    origin: 'files',
  }),
  ...[KIB, 64 * KIB].flatMap((bytes) => [
    scenario({
      name: `reply-${bytes / KIB}k`,
      summary: `replies of ${bytes / KIB} KiB`,
      base: hooks.NOTHING,
      hooks: [hooks.STAGE, hooks.READ_REPLY],
      race: () => ({ path: `/bytes/${bytes / KIB}k` }),
      origin: 'files',
    }),
    scenario({
      name: `request-${bytes / KIB}k`,
      summary: `request bodies of ${bytes / KIB} KiB`,
      base: hooks.NOTHING,
      hooks: [hooks.READ_REQUEST],
      race: upload(bytes),
      origin: 'streams',
    }),
  ]),
];
