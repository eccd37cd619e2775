/** Memory growth while long bodies pass through. */
import { setTimeout as delay } from 'node:timers/promises';
import { ask, numberIn } from '../clients.js';
import { allContestants, type Contestant, GW, HAPROXY } from '../contestants.js';
import { cpuSeconds, memory, type Running, resetPeak } from '../processes.js';
import { MIB } from '../requests.js';
import { type Line, newLine, note, targetOfValue } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import { load } from '../wrk.js';
import type { Scenario } from './scenario.js';

const BYTES = 2 * 1024 * MIB;
/** Milliseconds between the warm-up load and the reading. */
const SETTLE = 1000;
const MOST_GROWTH = 32;

async function through(setting: Setting, line: Line, running: Running, direction: 'down' | 'up'): Promise<void> {
  await delay(SETTLE);
  resetPeak(running.pid);
  const before = memory(running.pid).now;
  const cpu = cpuSeconds(running.pid);
  const answer = await ask(setting, 'stream-client', { port: running.port, direction, bytes: BYTES });
  const arrived = numberIn(answer, 'bytes');
  const status = numberIn(answer, 'status');
  if (status !== 200 || arrived !== BYTES) line.void = `${direction}: status ${status}, ${arrived} bytes of ${BYTES}`;
  note(line, `growth ${direction}`, (memory(running.pid).peak - before) / MIB);
  note(line, `cpu ${direction}`, ((cpuSeconds(running.pid) - cpu) * 1e6 * MIB) / BYTES);
  note(line, `rate ${direction}`, BYTES / MIB / numberIn(answer, 'seconds'));
}

async function lineOf(setting: Setting, { contestant, running, failed }: Entrant): Promise<Line> {
  const line = newLine(contestant, failed);
  if (running === undefined) return line;
  setting.progress(`  ${contestant.name}`);
  const cores = setting.loadCore;
  const { bad } = await load({ url: running.url('/items/1'), headers: {}, connections: 64, seconds: 1, cores });
  line.void = bad;
  for (const direction of ['down', 'up'] as const) {
    if (line.void === '') await through(setting, line, running, direction);
  }
  return line;
}

/** A quick run has only gw and one peer. */
const among = (setting: Setting): Contestant[] =>
  allContestants(setting, setting.origins.streams).filter(
    ({ name }) => !setting.pace.quick || name === GW || name === HAPROXY,
  );

export const streams: Scenario = {
  name: 'streams',
  summary: 'memory growth while a body of 2 GiB passes through, down and up',
  run: (setting) =>
    setting.with(among(setting), async (entrants) => {
      const lines: Line[] = [];
      for (const entrant of entrants) lines.push(await lineOf(setting, entrant));
      const ours = lines.find(({ name }) => name === GW);
      return [
        {
          scenario: 'streams',
          title: 'a body of 2 GiB, as a reply (down) and as a request (up)',
          columns: (['down', 'up'] as const).flatMap((direction) => [
            { title: `growth ${direction} MiB`, figure: `growth ${direction}`, digits: 1 },
            { title: `CPU us/MiB ${direction}`, figure: `cpu ${direction}`, digits: 0 },
            { title: `MiB/s ${direction}`, figure: `rate ${direction}`, digits: 0 },
          ]),
          lead: 'cpu down',
          against: [],
          lines,
          targets: [
            ...targetOfValue(ours, 'growth down', MOST_GROWTH, 'MiB of growth, down'),
            ...targetOfValue(ours, 'growth up', MOST_GROWTH, 'MiB of growth, up'),
          ],
          notes: ['growth: peak of resident memory (VmHWM, reset before) minus the memory after a second of load'],
        },
      ];
    }),
};
