/** Runs scenarios of proxied requests: on pinned cores, all contestants at the same time, loaded in turn. */
import { availableParallelism, release } from 'node:os';
import type { BenchOptions, Report } from '../kit.js';
import { installed, installedPeers } from './contestants.js';
import { startOrigins } from './origins.js';
import { shareOfOthers, timeSpent } from './processes.js';
import type { Scenario } from './scenarios/scenario.js';
import { type Section, tableOf } from './section.js';
import { type Pace, Setting } from './setting.js';

const FULL = { rounds: 5, fewerRounds: 3, seconds: 2 };
const QUICK = { rounds: 2, fewerRounds: 2, seconds: 1 };
/** Largest share of CPU time that other programs may use. */
const QUIET = 0.03;

function paceOf({ quick, rounds }: BenchOptions): Pace {
  const usual = quick ? QUICK : FULL;
  const seconds = Number(process.env['GW_BENCH_SECONDS'] ?? usual.seconds);
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('GW_BENCH_SECONDS must be a whole number of seconds.');
  return { quick, rounds: rounds ?? usual.rounds, fewerRounds: rounds ?? usual.fewerRounds, seconds };
}

/** Runs the scenarios that `options` names, or all. Throws if a tool is missing. */
export async function runScenarios(title: string, all: readonly Scenario[], options: BenchOptions): Promise<Report> {
  for (const tool of ['wrk', 'nginx', 'taskset', 'prlimit', 'chrt']) {
    if (installed(tool) === undefined) {
      throw new Error(`The benchmark requires ${tool}: apt-get install wrk nginx util-linux`);
    }
  }
  const setting = new Setting(paceOf(options), options.progress);
  const abandon = (): void => setting.abandon();
  const interrupted = (): void => process.exit(130);
  process.once('exit', abandon);
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  process.once('SIGHUP', interrupted);
  const since = timeSpent();
  try {
    await startOrigins(setting);
    const sections = await runAll(all, setting, options.scenarios);
    await setting.close();
    return reportOf(title, sections, setting, shareOfOthers(since));
  } finally {
    await setting.close();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    process.off('SIGHUP', interrupted);
    process.off('exit', abandon);
  }
}

async function runAll(scenarios: readonly Scenario[], setting: Setting, names: readonly string[]): Promise<Section[]> {
  const sections: Section[] = [];
  for (const scenario of scenarios) {
    if (names.length > 0 && !names.includes(scenario.name)) continue;
    setting.progress(`${scenario.name}: ${scenario.summary}`);
    sections.push(...(await scenario.run(setting)));
  }
  return sections;
}

/** `others` is the share of CPU time used by programs that the benchmark did not start. */
function reportOf(title: string, sections: readonly Section[], { pace, descriptors }: Setting, others: number): Report {
  const targets = sections.flatMap((section) => section.targets);
  const missed = targets.filter(({ met }) => !met).length;
  return {
    title,
    tables: sections.map(tableOf),
    notes: [
      ...(targets.length === 0 ? [] : [`${targets.length - missed} of ${targets.length} targets met`]),
      `medians of ${roundsOf(pace, sections)} rounds of ${pace.seconds} s, with the middle half in brackets; ratios are medians of the ratios within each round`,
      `other programs used ${(others * 100).toFixed(0)} % of the CPU time${others > QUIET ? ': too much for meaningful figures' : ''}`,
      'CPU is user and system time of the process with all its threads and children',
      `gw on Node ${process.versions.node}, ${availableParallelism()} cores, Linux ${/^\d+\.\d+/.exec(release())?.[0] ?? ''}, at most ${descriptors} open files per process`,
      ...(pace.quick ? ['quick run: it only checks that everything works; ignore the figures'] : []),
    ],
    peers: installedPeers(),
    data: { pace, others, sections },
  };
}

/** The number of rounds, and the scenarios with fewer. */
export function roundsOf(
  { rounds, fewerRounds }: Pick<Pace, 'rounds' | 'fewerRounds'>,
  sections: readonly Section[],
): string {
  const hasFewer = ({ lines }: Section): boolean =>
    lines.some((line) => line.void === '' && Object.values(line.figures).some(({ length }) => length === fewerRounds));
  const fewer = new Set(sections.filter(hasFewer).map(({ scenario }) => scenario));
  return rounds === fewerRounds || fewer.size === 0
    ? `${rounds}`
    : `${rounds} (${[...fewer].join(', ')}: ${fewerRounds})`;
}
