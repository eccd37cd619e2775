/** What each policy that works on content adds to a plain route. */
import { gw } from '../proxy/contestants.js';
import { RACE_COLUMNS, race } from '../proxy/race.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';
import type { Setting } from '../proxy/setting.js';

const PLAIN = 'gw without a policy';

/** A line of the table: the policy `it`, in TOML. */
type Entry = readonly [name: string, toml: string];

const FIELDS: readonly Entry[] = [
  ['headers: 2 fields set', 'use = "headers"\nrequest = { set = { x-a = "1" } }\nreply = { set = { x-b = "2" } }'],
  [
    'transform: 2 fields set',
    'use = "transform"\nrequest = { headers = { set = { x-a = "1" } } }\nreply = { headers = { set = { x-b = "2" } } }',
  ],
  ['transform: query', 'use = "transform"\nrequest = { query = { set = { page = "1" } } }'],
  ['cache: replies that are not stored', 'use = "cache"'],
  ['cache: hit', 'use = "cache"\nttl = "1h"'],
];

const BODIES: readonly Entry[] = [
  ['transform: JSONata', `use = "transform"\nreply = { body = { jsonata = '{ "name": name, "price": price * 2 }' } }`],
  ['mask: a field of JSON', 'use = "mask"\nreply = [{ paths = ["description"], text = "-" }]'],
];

const table = (name: string, title: string, entries: readonly Entry[]): Scenario => ({
  name,
  summary: title,
  run: (setting: Setting) => {
    const all = [
      gw(setting, PLAIN),
      ...entries.map(([line, toml]) =>
        gw(setting, `gw ${line}`, { extra: `[policy.it]\n${toml}\n`, policies: ['it'] }),
      ),
    ];
    return setting.with(all, async (entrants) => {
      const lines = await race(setting, entrants, { connections: 64, path: '/items/1' });
      const notes = ['a reply of 105 bytes of JSON'];
      return [
        { scenario: name, title, columns: RACE_COLUMNS, lead: 'cpu', against: [PLAIN], lines, targets: [], notes },
      ];
    });
  },
});

export const policies: readonly Scenario[] = [
  table('fields', 'policies that edit heads', FIELDS),
  table('bodies-json', 'policies that change bodies', BODIES),
];
