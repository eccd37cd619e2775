/** A table of `bench auth`: gw with several policies, and peers, loaded in turn; with proof of what their replies mean. */
import { median } from '../kit.js';
import { type Contestant, gw, HAPROXY, NGINX } from '../proxy/contestants.js';
import { gwEnv } from '../proxy/gw.js';
import { statusOf } from '../proxy/processes.js';
import { CALLS_COLUMN, RACE_COLUMNS, race } from '../proxy/race.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';
import type { Line, Section, Target } from '../proxy/section.js';
import type { Entrant, Setting } from '../proxy/setting.js';
import { type Entry, NOTHING, type Refused } from './policies.js';
import { callsOf } from './services.js';

/** As an entry. */
export interface Peer extends Contestant, Partial<Pick<Entry, 'script' | 'calls' | 'policies' | 'refused'>> {}

export interface Table {
  readonly name: string;
  readonly title: string;
  readonly notes: readonly string[];
  /** Default: 64. */
  readonly connections?: number;
  /** Default: GET /items/1. */
  readonly method?: string;
  readonly path?: string;
  /** A server that gateways ask, on the core of the load; `port` is then its port, otherwise 0. */
  readonly service?: (setting: Setting) => Contestant;
  /** The server is also the origin: one more call for each request. */
  readonly isOrigin?: boolean;
  readonly entries: (setting: Setting, port: number) => readonly Entry[];
  readonly peers?: (setting: Setting, port: number) => readonly Peer[];
  /** Starts a server in front of an entrant; its URL gets the load. */
  readonly front?: (setting: Setting, entrant: Entrant) => Promise<string | undefined>;
  readonly targets?: (lines: readonly Line[]) => readonly Target[];
}

export function scenario(table: Table): Scenario {
  const { name, service, title } = table;
  return {
    name,
    summary: title,
    run: async (setting) => {
      if (service === undefined) return [await run(setting, table, 0)];
      const at = { path: '/', cores: setting.loadCore };
      return setting.with(
        [service(setting)],
        async ([server]) => {
          if (server?.running === undefined) throw new Error(server?.failed);
          return [await run(setting, table, server.running.port)];
        },
        at,
      );
    },
  };
}

async function run(setting: Setting, table: Table, port: number): Promise<Section> {
  const { connections = 64, front, isOrigin = false, method = 'GET', path = '/items/1' } = table;
  const counts = port !== 0;
  const own = table.entries(setting, port);
  const beside = table.peers?.(setting, port) ?? [];
  const scripts = new Map([...own, ...beside].map(({ name, script }) => [name, script]));
  const refused = new Map([...own, ...beside].map((one) => [one.name, refusedOf(one)]));
  const origin = isOrigin ? port : setting.origins.files;
  const all = [...own.map((entry) => contestant(setting, entry, origin)), ...beside];
  return setting.with(all, async (entrants) => {
    const checked = await Promise.all(
      entrants.map((one) => refusing(one, { method, path, ...refused.get(one.contestant.name) })),
    );
    const urls = new Map<string, string | undefined>();
    for (const entrant of checked) urls.set(entrant.contestant.name, await front?.(setting, entrant));
    const lines = await race(setting, checked, {
      connections,
      path,
      script: (line) => {
        const script = scripts.get(line);
        return typeof script === 'function' ? script() : script;
      },
      url: (line) => urls.get(line)?.concat(path),
      ...(counts ? { calls: () => callsOf(port) } : {}),
    });
    const expected = new Map([...own, ...beside].map(({ name, calls }) => [name, calls]));
    if (counts) for (const line of lines) checkCalls(line, (expected.get(line.name) ?? 0) + (isOrigin ? 1 : 0));
    return {
      scenario: table.name,
      title: table.title,
      columns: counts ? [...RACE_COLUMNS, CALLS_COLUMN] : RACE_COLUMNS,
      lead: 'cpu',
      against: [NOTHING.name, NGINX, HAPROXY],
      lines,
      targets: table.targets?.(lines) ?? [],
      notes: table.notes,
    };
  });
}

/** Undefined: nothing is refused, since there are no credentials and no rules. */
function refusedOf({ headers, policies, refused, tls }: Entry | Peer): Refused | undefined {
  if (refused !== undefined) return refused;
  const hasCredentials = Object.keys(headers).length > 0 || tls !== undefined;
  return hasCredentials && policies?.length !== 0 ? { headers: {} } : undefined;
}

function contestant(setting: Setting, entry: Entry, origin: number): Contestant {
  const { env, headers, listener = '', name, policies, tls, toml } = entry;
  return {
    ...gw(setting, name, { extra: toml, policies, listener, origin }),
    headers,
    env: { ...gwEnv(setting), ...env },
    ...(tls === undefined ? {} : { tls }),
  };
}

/** The entrant, if it refuses what it has to refuse: a 200 under load then means that it has checked the request. */
async function refusing(entrant: Entrant, { headers, method, path }: Partial<Refused>): Promise<Entrant> {
  const { running } = entrant;
  if (running === undefined || headers === undefined) return entrant;
  const status = await statusOf(running.url(path ?? '/'), { headers, ...(method === undefined ? {} : { method }) });
  if (status === '401' || status === '403') return entrant;
  return { ...entrant, running: undefined, failed: `answers ${status} instead of 401 or 403 to what it has to refuse` };
}

/** Calls per request may differ from the expected ones by those that are under way at the end of a round. */
const CALLS_APART = 0.1;

/** Voids a line whose answers were not kept, or were not asked for, as its name says. */
export function checkCalls(line: Line, expected: number): void {
  const calls = line.figures['calls'];
  if (line.void !== '' || calls === undefined || calls.length === 0) return;
  const measured = median(calls);
  if (Math.abs(measured - expected) > CALLS_APART)
    line.void = `${measured.toFixed(2)} calls per request instead of ${expected}`;
}

/** Microseconds that one line has more than another, in the median of the rounds. */
export function added(lines: readonly Line[], of: string, to: string, most: number): Target[] {
  const figures = (name: string): readonly number[] => lines.find((line) => line.name === name)?.figures['cpu'] ?? [];
  const [one, other] = [figures(of), figures(to)];
  const measured =
    one.length === 0 || one.length !== other.length ? undefined : median(one.map((cpu, round) => cpu - other[round]!));
  const text = `${of}: at most ${most} us of CPU more than ${to}`;
  return [{ text, met: measured !== undefined && measured <= most, measured, most }];
}
