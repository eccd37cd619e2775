/** Loads contestants in turn, round by round; each round begins with a different contestant. */
import type { Contestant } from './contestants.js';
import { cpuSeconds, type Running } from './processes.js';
import { MIB } from './requests.js';
import { type Column, type Line, newLine, note } from './section.js';
import type { Entrant, Setting } from './setting.js';
import { load } from './wrk.js';
import type { Load } from './wrk-report.js';

export interface Race {
  readonly connections: number;
  readonly path: string;
  /** Bytes of one body, if CPU per MiB is reported. */
  readonly bytes?: number;
  /** A Lua script that creates the requests, unless all of them are for `path`. */
  script?(name: string): string | undefined;
  /** Where the load goes, unless to the contestant itself. */
  url?(name: string): string | undefined;
  /** Another load than that of wrk. */
  load?(running: Running, seconds: number): Promise<Pick<Load, 'requests' | 'rate' | 'bad'>>;
  /** Calls so far that contestants made to a further server: reported per request. */
  calls?(): Promise<number>;
  readonly loadCores?: string;
  /** Rounds that count; default: as in the setting. */
  readonly rounds?: number;
  /** Factor on the usual length of a round. */
  readonly longer?: number;
  /** Length of a round in seconds; default: as in the setting. */
  readonly seconds?: number;
  /** CPU seconds of the gateway that its warm-up lasts; default: one round. */
  readonly warmUp?: number;
}

export const RACE_COLUMNS: readonly Column[] = [
  { title: 'CPU us/request', figure: 'cpu', digits: 1, spread: true },
  { title: 'requests/s', figure: 'rate', digits: 0 },
  { title: 'p99 ms', figure: 'p99', digits: 2 },
];

export const CALLS_COLUMN: Column = { title: 'calls/request', figure: 'calls', digits: 2 };

export const BODY_COLUMNS: readonly Column[] = [
  ...RACE_COLUMNS,
  { title: 'CPU us/MiB', figure: 'cpuPerMib', digits: 0 },
  { title: 'MiB/s', figure: 'mib', digits: 0 },
];

/** Rounds of the warm-up. */
const MOST_WARM_UP = 20;

/**
 * The lines of one table. A line is void after its first bad reply: a contestant that fails may be fast for that
 * reason.
 */
export async function race(setting: Setting, entrants: readonly Entrant[], what: Race): Promise<Line[]> {
  const lines = entrants.map(({ contestant, failed }) => newLine(contestant, failed));
  const { rounds = setting.pace.rounds } = what;
  for (let round = 0; round <= rounds; round++) {
    setting.progress(round === 0 ? '  warming up' : `  round ${round} of ${rounds}`);
    for (let i = 0; i < lines.length; i++) {
      const at = (i + round) % lines.length;
      const { contestant, running } = entrants[at]!;
      const line = lines[at]!;
      if (line.void !== '' || running === undefined) continue;
      const { bad, figures } = await (round === 0 ? warmUp : lap)(setting, running, what, contestant);
      if (bad !== '') line.void = bad;
      else if (round > 0) for (const [figure, value] of Object.entries(figures)) note(line, figure, value);
    }
  }
  return lines;
}

interface Lap {
  readonly bad: string;
  readonly figures: { readonly [figure: string]: number };
}

/** Rounds until Node has compiled what is used often: it takes CPU time, of which a busy machine gives little per second. */
async function warmUp(setting: Setting, running: Running, what: Race, contestant: Contestant): Promise<Lap> {
  const since = cpuSeconds(running.pid);
  let last = await lap(setting, running, what, contestant);
  for (let more = 1; more < MOST_WARM_UP && last.bad === ''; more++) {
    if (cpuSeconds(running.pid) - since >= (what.warmUp ?? 0)) break;
    last = await lap(setting, running, what, contestant);
  }
  return last;
}

async function lap(setting: Setting, running: Running, what: Race, { name, headers }: Contestant): Promise<Lap> {
  const script = what.script?.(name);
  const callsBefore = await what.calls?.();
  const before = cpuSeconds(running.pid);
  try {
    const seconds = (what.seconds ?? setting.pace.seconds) * (what.longer ?? 1);
    const options = {
      url: what.url?.(name) ?? running.url(what.path),
      headers,
      connections: what.connections,
      seconds,
      cores: what.loadCores ?? setting.loadCore,
      ...(script === undefined ? {} : { script }),
    };
    const done: Pick<Load, 'requests' | 'rate' | 'bad'> & { readonly p99?: number } =
      what.load === undefined ? await load(options) : await what.load(running, seconds);
    const { requests, rate, bad } = done;
    const cpu = ((cpuSeconds(running.pid) - before) * 1e6) / requests;
    const ofBytes = what.bytes ? { cpuPerMib: (cpu * MIB) / what.bytes, mib: (rate * what.bytes) / MIB } : {};
    const ofCalls = callsBefore === undefined ? {} : { calls: ((await what.calls!()) - callsBefore) / requests };
    const figures = { cpu, rate, ...(done.p99 === undefined ? {} : { p99: done.p99 }), ...ofBytes, ...ofCalls };
    return { bad: running.ended ? 'the process ended under load' : bad, figures };
  } catch (error) {
    setting.progress(`  ${name}: ${error instanceof Error ? error.message : String(error)}\n${running.log()}`);
    return { bad: 'the load generator failed', figures: {} };
  }
}
