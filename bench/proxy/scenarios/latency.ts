/** What a gateway adds to the latency of a request, at fixed rates that all contestants are given alike. */
import { median } from '../../kit.js';
import { ask, numberIn } from '../clients.js';
import { everybody, GW, HAPROXY } from '../contestants.js';
import { type Line, newLine, note, type Section, type Target } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

const PATH = '/items/1';
const CONNECTIONS = 64;
/** Requests a second. Low enough that the client and the origin, which share a core, have time to spare. */
const RATES = [2000, 5000, 10_000];
/** Seconds at the rate before latencies count: in the first ones the client itself is still being optimized. */
const WARMUP = 2;
/**
 * The client's own lateness at p99 may be this many microseconds, or half of the p99 that it measured: beyond that a round
 * says more of the client than of the gateway.
 */
const LATEST = 250;
const isLate = ({ late, p99 }: Latency): boolean => late > Math.max(LATEST, p99 / 2);
/** A round with a late client is tried again so often. */
const TRIES = 3;
/** The share of requests that may wait for a connection at the end: more cannot be served at this rate. */
const BEHIND = 0.01;
/** What is measured as less than this, in microseconds, is not told apart from nothing. */
const RESOLUTION = 50;

interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly late: number;
  /** Why the figures do not count; empty when they do. */
  readonly fault: string;
}

async function paced(setting: Setting, port: number, rate: number): Promise<Latency> {
  const { seconds } = setting.pace;
  const task = { port, path: PATH, rate, warmup: WARMUP, seconds, connections: CONNECTIONS };
  const answer = await ask(setting, 'pace-client', task);
  const [p50, p99, late, behind, bad] = ['p50', 'p99', 'late', 'behind', 'bad'].map((name) => numberIn(answer, name));
  const tooMuch = behind! > BEHIND * rate * seconds;
  const fault = bad! > 0 ? `${bad} bad replies` : tooMuch ? `cannot serve ${rate} requests a second` : '';
  return { p50: p50!, p99: p99!, late: late!, fault };
}

/** The last of at most `TRIES` measurements, the first whose client was in time. */
async function inTime(setting: Setting, port: number, rate: number): Promise<Latency> {
  let found = await paced(setting, port, rate);
  for (let i = 1; i < TRIES && found.fault === '' && isLate(found); i++) found = await paced(setting, port, rate);
  if (found.fault !== '' || !isLate(found)) return found;
  return { ...found, fault: `the client itself was ${found.late.toFixed(0)} us late` };
}

/** Rounds in which the origin alone is asked first, then each contestant in turn. */
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
 * Differences near zero have no meaningful ratio within a round: medians are compared, and what HAProxy adds counts as
 * the resolution at least.
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
      text: `at ${rate}/s gw adds ${shown(ours)} us at p99, HAProxy ${shown(theirs)} us (at most twice as much, or ${2 * RESOLUTION} us)`,
      held: ours !== undefined && theirs !== undefined && ours <= most,
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
      { title: 'p99 of the origin directly us', figure: 'direct', digits: 0 },
      { title: 'client late p99 us', figure: 'late', digits: 0 },
    ],
    lead: 'p99',
    against: [],
    lines,
    targets: targetsOf(lines, rate),
    notes: [
      'requests are due at random moments chosen beforehand, and latency counts from then',
      `a round whose client was later at p99 than ${LATEST} us and half of what it measured is measured again, ${TRIES} times at most; then its line is void`,
      'added: quantile through the gateway less that of the origin directly, at the same rate, in the same round',
    ],
  };
}

export const latency: Scenario = {
  name: 'latency',
  summary: `added p50 and p99 at ${RATES.map((rate) => rate.toLocaleString('en')).join(', ')} requests/s`,
  run: (setting) =>
    setting.with(everybody(setting, setting.origins.files), async (entrants) => {
      const sections: Section[] = [];
      for (const rate of RATES) sections.push(sectionOf(await measure(setting, entrants, rate), rate));
      return sections;
    }),
};
