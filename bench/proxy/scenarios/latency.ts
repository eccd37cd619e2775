/** What a gateway adds to the latency of a request while it has half of the work that it can do. */
import { ask, numberIn } from '../clients.js';
import { everybody } from '../contestants.js';
import { type Line, newLine, note } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import { load } from '../wrk.js';
import type { Scenario } from './scenario.js';

const PATH = '/items/1';
const CONNECTIONS = 64;
const MAXIMUM_SECONDS = 2;
/** Seconds at the rate before latencies count. */
const WARMUP = 0.5;
/** Above this the client, which shares its core with the origin, would be what is measured. Requests a second. */
const MOST = 20_000;

interface Latency {
  readonly p50: number;
  readonly p99: number;
  /** How late the client itself was. */
  readonly late: number;
  readonly bad: number;
}

async function paced(setting: Setting, port: number, rate: number): Promise<Latency> {
  const seconds = setting.pace.seconds;
  const task = { port, path: PATH, rate, warmup: WARMUP, seconds, connections: CONNECTIONS };
  const answer = await ask(setting, 'pace-client', task);
  const [p50, p99, late, bad] = ['p50', 'p99', 'late', 'bad'].map((name) => numberIn(answer, name));
  return { p50: p50!, p99: p99!, late: late!, bad: bad! };
}

/** Half of what it can do, found by loading it fully. */
async function halfOf(setting: Setting, { contestant, running }: Entrant, line: Line): Promise<number> {
  if (running === undefined) return 0;
  setting.progress(`  the most that ${contestant.name} can do`);
  const { quick } = setting.pace;
  const { rate, bad } = await load({
    url: running.url(PATH),
    headers: contestant.headers,
    connections: CONNECTIONS,
    seconds: quick ? 1 : MAXIMUM_SECONDS,
    cores: setting.loadCore,
  });
  line.void = bad;
  return Math.min(MOST, Math.round(rate / 2));
}

async function measure(setting: Setting, entrants: readonly Entrant[]): Promise<Line[]> {
  const lines = entrants.map(({ contestant, failed }) => newLine(contestant, failed));
  const rates: number[] = [];
  for (let i = 0; i < lines.length; i++) rates.push(await halfOf(setting, entrants[i]!, lines[i]!));
  const rounds = setting.pace.fewerRounds;
  for (let round = 1; round <= rounds; round++) {
    setting.progress(`  round ${round} of ${rounds}`);
    for (let i = 0; i < lines.length; i++) {
      const at = (i + round) % lines.length;
      const line = lines[at]!;
      const { running } = entrants[at]!;
      const rate = rates[at]!;
      if (line.void !== '' || running === undefined) continue;
      const direct = await paced(setting, setting.origins.files, rate);
      const through = await paced(setting, running.port, rate);
      if (direct.bad + through.bad > 0) {
        line.void = `${through.bad} bad replies through it, ${direct.bad} from the origin directly`;
        continue;
      }
      note(line, 'rate', rate);
      note(line, 'p50', through.p50 - direct.p50);
      note(line, 'p99', through.p99 - direct.p99);
      note(line, 'direct', direct.p99);
      note(line, 'late', Math.max(direct.late, through.late));
    }
  }
  return lines;
}

export const latency: Scenario = {
  name: 'latency',
  summary: 'added p50 and p99 at half load',
  run: (setting) =>
    setting.with(everybody(setting, setting.origins.files), async (entrants) => [
      {
        scenario: 'latency',
        title: 'added latency at half load, small JSON',
        columns: [
          { title: 'at requests/s', figure: 'rate', digits: 0 },
          { title: 'added p50 us', figure: 'p50', digits: 0, spread: true },
          { title: 'added p99 us', figure: 'p99', digits: 0, spread: true },
          { title: 'p99 of the origin directly us', figure: 'direct', digits: 0 },
          { title: 'client late p99 us', figure: 'late', digits: 0 },
        ],
        lead: 'p99',
        against: [],
        lines: await measure(setting, entrants),
        targets: [],
        notes: [
          `each at half of its own most (found just before with wrk), at most ${MOST.toLocaleString('en')}/s; requests are due at random moments chosen beforehand and latency counts from then`,
          'a client that is late by more than a fraction of what is added says that the machine was busy: such figures mean nothing',
          'added: quantile through the gateway less that of the origin directly, at the same rate, in the same round',
        ],
      },
    ]),
};
