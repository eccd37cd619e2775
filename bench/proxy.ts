/**
 * What a proxied request costs: CPU microseconds, gateway pinned to core 0, wrk and an nginx origin on core 1. Everybody
 * runs all the time and is loaded in turn, so that what disturbs the machine disturbs all alike.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Benchmark, type BenchOptions, median, type Report, ratio, verdict } from './kit.js';
import { type Contestant, contestants, freePort, installed, type Place, startOrigin } from './proxy-peers.js';
import { cpuSeconds, type Load, load, type Running, startPinned } from './proxy-processes.js';

/** Seconds that each one is loaded a round; GW_BENCH_SECONDS says otherwise. */
const SECONDS = 2;

const GW = 'gw';
const GW_FULL = 'gw, key + limit + access log';
const HTTP_PROXY = 'http-proxy, keep-alive agent';
const HAPROXY = 'HAProxy';

/** One contestant's rounds. */
interface Line {
  readonly contestant: Contestant;
  readonly running: Running;
  readonly rounds: { readonly cpu: number; readonly load: Load }[];
}

async function run({ rounds, progress }: BenchOptions): Promise<Report> {
  const seconds = Number(process.env['GW_BENCH_SECONDS'] ?? SECONDS);
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('GW_BENCH_SECONDS is a whole number of seconds.');
  for (const tool of ['wrk', 'nginx', 'taskset']) {
    if (installed(tool) === undefined)
      throw new Error(`The benchmark needs ${tool}: apt-get install wrk nginx util-linux`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  const started: Running[] = [];
  const stopAll = async (): Promise<void> => {
    await Promise.all(started.map((running) => running.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  const interrupted = (): void => void stopAll().then(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    const place: Place = { folder, origin: await freePort(), key: randomBytes(16).toString('hex') };
    const core = availableParallelism() > 1 ? 1 : 0;
    started.push(await startOrigin(place, core));
    const { found, missing } = contestants(place);
    const lines: Line[] = [];
    for (const contestant of found) {
      progress(`starting ${contestant.name}`);
      const running = await startPinned(contestant, await freePort(), folder, 0);
      started.push(running);
      lines.push({ contestant, running, rounds: [] });
    }
    await measure(lines, rounds, seconds, core, progress);
    return report(lines, missing, seconds);
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await stopAll();
  }
}

async function measure(
  lines: readonly Line[],
  rounds: number,
  seconds: number,
  core: number,
  progress: (text: string) => void,
): Promise<void> {
  for (let round = 0; round <= rounds; round++) {
    progress(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
    for (let at = 0; at < lines.length; at++) {
      const { contestant, running, rounds: results } = lines[(at + round) % lines.length]!;
      const before = cpuSeconds(running.pid);
      const result = await load({ url: running.url, headers: contestant.headers, seconds, core });
      const cpu = ((cpuSeconds(running.pid) - before) * 1e6) / result.requests;
      if (result.bad !== '') throw new Error(`${contestant.name}: ${result.bad}\n${running.log()}`);
      if (round > 0) results.push({ cpu, load: result });
    }
  }
}

function report(lines: readonly Line[], missing: readonly string[], seconds: number): Report {
  const cpuOf = (name: string): readonly number[] | undefined =>
    lines.find((line) => line.contestant.name === name)?.rounds.map(({ cpu }) => cpu);
  const against = (line: Line, name: string): string => {
    const other = cpuOf(name);
    return other === undefined
      ? '-'
      : ratio(
          pairs(
            line.rounds.map(({ cpu }) => cpu),
            other,
          ),
          1,
        );
  };
  return {
    title: 'proxy',
    tables: [
      {
        title: `CPU a request, 64 keep-alive connections, small JSON, medians of ${lines[0]?.rounds.length ?? 0} rounds of ${seconds} s`,
        columns: ['', 'CPU us/request', 'requests/s', 'p99 ms', 'to http-proxy', 'to HAProxy'],
        rows: lines.map((line) => [
          line.contestant.name,
          median(line.rounds.map(({ cpu }) => cpu)).toFixed(1),
          Math.round(median(line.rounds.map(({ load: { rate } }) => rate))),
          median(line.rounds.map(({ load: { p99 } }) => p99)).toFixed(2),
          against(line, HTTP_PROXY),
          against(line, HAPROXY),
        ]),
      },
    ],
    notes: [
      ...target(cpuOf(GW), cpuOf(HTTP_PROXY), 0.4, 'plain proxying takes', 'of http-proxy'),
      ...target(cpuOf(GW), cpuOf(HAPROXY), 1.6, 'plain proxying takes', 'of HAProxy'),
      ...target(cpuOf(GW_FULL), cpuOf(GW), 1.25, 'key + limit + access log take', 'of plain proxying'),
      `gw on Node ${process.versions.node}, ${availableParallelism()} cores`,
      'CPU is user and system time of the process with all its threads and children; ratios are medians of pairs in one round',
    ],
    peers: {
      found: lines
        .map(({ contestant: { name, version } }) => (version === undefined ? '' : `${name} ${version}`))
        .filter(Boolean),
      missing,
    },
  };
}

/** Median of the ratios within each round: the machine's moods cancel out. */
const pairs = (of: readonly number[], to: readonly number[]): number =>
  median(of.map((cpu, round) => cpu / to[round]!));

function target(
  of: readonly number[] | undefined,
  to: readonly number[] | undefined,
  most: number,
  what: string,
  whose: string,
): string[] {
  if (of === undefined || to === undefined) return [];
  const measured = pairs(of, to);
  return [verdict(measured <= most, `${what} ${ratio(measured, 1)} ${whose} (at most ${most}x)`)];
}

const benchmark: Benchmark = {
  name: 'proxy',
  summary: 'CPU a proxied request, beside http-proxy, nginx, HAProxy and Caddy',
  run,
};
export default benchmark;
