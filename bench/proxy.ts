/**
 * What a proxied request costs, beside nginx, HAProxy, Caddy and the proxies on Node: the gateway pinned to one core,
 * load and origins to another, everybody up at the same time and loaded in turn, so that what disturbs the machine
 * disturbs all alike.
 */
import { availableParallelism, release } from 'node:os';
import type { Benchmark, BenchOptions, Report } from './kit.js';
import { installed, roll } from './proxy/contestants.js';
import { startOrigins } from './proxy/origins.js';
import { shareOfOthers, timeSpent } from './proxy/processes.js';
import { scenarios } from './proxy/scenarios/index.js';
import { type Section, tableOf } from './proxy/section.js';
import { type Pace, Setting } from './proxy/setting.js';

const FULL = { rounds: 5, fewerRounds: 3, seconds: 2 };
const QUICK = { rounds: 2, fewerRounds: 2, seconds: 1 };
/** The most that others may take of the machine's time. */
const QUIET = 0.03;

function paceOf({ quick, rounds }: BenchOptions): Pace {
  const usual = quick ? QUICK : FULL;
  const seconds = Number(process.env['GW_BENCH_SECONDS'] ?? usual.seconds);
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('GW_BENCH_SECONDS is a whole number of seconds.');
  return { quick, rounds: rounds ?? usual.rounds, fewerRounds: rounds ?? usual.fewerRounds, seconds };
}

async function run(options: BenchOptions): Promise<Report> {
  for (const tool of ['wrk', 'nginx', 'taskset', 'prlimit', 'chrt']) {
    if (installed(tool) === undefined) {
      throw new Error(`The benchmark needs ${tool}: apt-get install wrk nginx util-linux`);
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
    const sections = await runScenarios(setting, options.scenarios);
    await setting.close();
    return reportOf(sections, setting, shareOfOthers(since));
  } finally {
    await setting.close();
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    process.off('SIGHUP', interrupted);
    process.off('exit', abandon);
  }
}

async function runScenarios(setting: Setting, names: readonly string[]): Promise<Section[]> {
  const sections: Section[] = [];
  for (const scenario of scenarios) {
    if (names.length > 0 && !names.includes(scenario.name)) continue;
    setting.progress(`${scenario.name}: ${scenario.summary}`);
    sections.push(...(await scenario.run(setting)));
  }
  return sections;
}

/** `others` is the share of the machine's time that was spent on what the benchmark did not start. */
function reportOf(sections: readonly Section[], { pace, descriptors }: Setting, others: number): Report {
  const targets = sections.flatMap((section) => section.targets);
  const missed = targets.filter(({ held }) => !held).length;
  return {
    title: 'proxy',
    tables: sections.map(tableOf),
    notes: [
      ...(targets.length === 0 ? [] : [`${targets.length - missed} of ${targets.length} targets held`]),
      `medians of ${roundsOf(pace)} rounds of ${pace.seconds} s, in brackets the middle half; ratios are medians of pairs: of the ratios within each round`,
      `other programs took ${(others * 100).toFixed(0)} % of the machine meanwhile${others > QUIET ? ': too much for figures that mean anything' : ''}`,
      'CPU is user and system time of the process with all its threads and children',
      `gw on Node ${process.versions.node}, ${availableParallelism()} cores, Linux ${/^\d+\.\d+/.exec(release())?.[0] ?? ''}, at most ${descriptors} open files a process`,
      ...(pace.quick ? ['a quick run: the figures show that everything works, no more'] : []),
    ],
    peers: roll(),
    data: { pace, others, sections },
  };
}

const roundsOf = ({ rounds, fewerRounds }: Pace): string =>
  rounds === fewerRounds ? `${rounds}` : `${rounds} (connections, bodies, uploads, routes and latency: ${fewerRounds})`;

const benchmark: Benchmark = {
  name: 'proxy',
  summary: 'what a proxied request costs, beside nginx, HAProxy, Caddy, http-proxy and @fastify/http-proxy',
  scenarios: scenarios.map(({ name, summary }) => ({ name, summary })),
  run,
};
export default benchmark;
