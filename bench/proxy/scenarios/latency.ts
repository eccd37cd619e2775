/** Latency that a gateway adds to a request, at fixed rates that are the same for all contestants. */
import { median } from '../../kit.js';
import { ask, numberIn } from '../clients.js';
import { allContestants, GW, HAPROXY } from '../contestants.js';
import { type Line, newLine, note, type Section, type Target } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

const PATH = '/items/1';
const CONNECTIONS = 64;
/** Requests per second. Low enough to leave spare time on the core that client and origin share. */
const RATES = [2000, 5000, 10_000];
/** Seconds at the rate before latencies count: at first V8 still optimizes the client. */
const WARMUP = 2;
/**
 * Limit of the client's own lateness at p99: this many microseconds, or half of the measured p99 if that is more.
 * Beyond it, a round describes the client rather than the gateway.
 */
const LATEST = 250;
const isLate = ({ late, p99 }: Latency): boolean => late > Math.max(LATEST, p99 / 2);
/** Measurements per round if the client is late. */
const TRIES = 3;
/** Share of requests that may wait for a connection at the end; above it, the contestant cannot serve the rate. */
const BEHIND = 0.01;
/** Resolution of the measurement in microseconds: smaller differences are not significant. */
const RESOLUTION = 50;

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly late: number;
  /** Why the figures are invalid; empty if they are valid. */
  readonly fault: string;
}

async function paced(setting: Setting, port: number, rate: number): Promise<Latency> {
  const { seconds } = setting.pace;
  const task = { port, path: PATH, rate, warmup: WARMUP, seconds, connections: CONNECTIONS };
  const answer = await ask(setting, 'pace-client', task);
  const [p50, p99, late, behind, bad] = ['p50', 'p99', 'late', 'behind', 'bad'].map((name) => numberIn(answer, name));
  const tooMuch = behind! > BEHIND * rate * seconds;
  const fault = bad! > 0 ? `${bad} bad replies` : tooMuch ? `cannot serve ${rate} requests per second` : '';
  return { p50: p50!, p99: p99!, late: late!, fault };
}

/** Measures until the client is in time, at most `TRIES` times; returns the last measurement. */
async function inTime(setting: Setting, port: number, rate: number): Promise<Latency> {
  let found = await paced(setting, port, rate);
  for (let i = 1; i < TRIES && found.fault === '' && isLate(found); i++) found = await paced(setting, port, rate);
  if (found.fault !== '' || !isLate(found)) return found;
  return { ...found, fault: `the client itself was ${found.late.toFixed(0)} us late` };
}

/** Runs rounds that measure the origin alone first, then each contestant in turn. */
async function measure(setting: Setting, entrants: readonly Entrant[], rate: number): Promise<Line[]> {
  const lines = entrants.map(({ contestant, failed }) => newLine(contestant, failed));
  const { rounds } = setting.pace;
  for (let round = 1; round <= rounds; round++) {
    setting.progress(`  ${rate} requests/s, round ${round} of ${rounds}`);
    const direct = await inTime(setting, setting.origins.files, rate);
    for (let i = 0; i < lines.length; i++) {
      const at = (i + round) % lines.length;
      const { running } = entrants[at]!;
      if (running !== undefined) await lap(setting, lines[at]!, running.port, rate, direct);
    }
  }
  return lines;
}

async function lap(setting: Setting, line: Line, port: number, rate: number, direct: Latency): Promise<void> {
  if (line.void !== '') return;
  if (direct.fault !== '') {
    line.void = `the origin alone: ${direct.fault}`;
    return;
  }
  const through = await inTime(setting, port, rate);
  line.void = through.fault;
  note(line, 'p50', through.p50 - direct.p50);
  note(line, 'p99', through.p99 - direct.p99);
  note(line, 'direct', direct.p99);
  note(line, 'late', Math.max(direct.late, through.late));
}

/**
 * Differences near zero have no meaningful ratio within a round. Therefore medians are compared, and the latency added
 * by HAProxy counts as the resolution at least.
 */
function targetsOf(lines: readonly Line[], rate: number): readonly Target[] {
  const addedBy = (name: string): number | undefined => {
    const line = lines.find((one) => one.name === name);
    const values = line?.void === '' ? line.figures['p99'] : undefined;
    return values?.length ? median(values) : undefined;
  };
  if (!lines.some(({ name }) => name === HAPROXY)) return [];
  const [ours, theirs] = [addedBy(GW), addedBy(HAPROXY)];
  const most = 2 * Math.max(RESOLUTION, theirs ?? 0);
  const shown = (value: number | undefined): string => (value === undefined ? 'an unknown time' : value.toFixed(0));
  return [
    {
      text: `at ${rate}/s gw adds ${shown(ours)} us at p99, HAProxy ${shown(theirs)} us (at most twice HAProxy's value, or ${2 * RESOLUTION} us)`,
      met: ours !== undefined && theirs !== undefined && ours <= most,
      measured: ours,
      most,
    },
  ];
}

function sectionOf(lines: readonly Line[], rate: number): Section {
  return {
    scenario: 'latency',
    title: `added latency at ${rate.toLocaleString('en')} requests/s, small JSON`,
    columns: [
      { title: 'added p50 us', figure: 'p50', digits: 0, spread: true },
      { title: 'added p99 us', figure: 'p99', digits: 0, spread: true },
      { title: 'p99 of the origin alone us', figure: 'direct', digits: 0 },
      { title: 'client lateness p99 us', figure: 'late', digits: 0 },
    ],
    lead: 'p99',
    against: [],
    lines,
    targets: targetsOf(lines, rate),
    notes: [
      'requests are scheduled at random times chosen in advance; latency is measured from the scheduled time',
      `a round is repeated, at most ${TRIES} times, if the client's lateness at p99 exceeds both ${LATEST} us and half of the measured latency; after that its line is void`,
      'added: quantile through the gateway minus that of the origin alone, at the same rate, in the same round',
    ],
  };
}

export const latency: Scenario = {
  name: 'latency',
  summary: `added p50 and p99 at ${RATES.map((rate) => rate.toLocaleString('en')).join(', ')} requests/s`,
  run: (setting) =>
    setting.with(allContestants(setting, setting.origins.files), async (entrants) => {
      const sections: Section[] = [];
      for (const rate of RATES) sections.push(sectionOf(await measure(setting, entrants, rate), rate));
      return sections;
    }),
};
