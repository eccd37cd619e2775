/** Memory of a connection that waits for its next request. */
import { setTimeout as delay } from 'node:timers/promises';
import { Client, numberIn } from '../clients.js';
import { allContestants, GW, HAPROXY, HTTP_PROXY, NGINX } from '../contestants.js';
import { memory } from '../processes.js';
import { KIB } from '../requests.js';
import { type Line, newLine, note, targetOfValue } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

const CONNECTIONS = 10_000;
/** Milliseconds before each reading, in which a process releases short-lived memory. */
const settleOf = ({ pace }: Setting): number => (pace.quick ? 1000 : 2000);
/** Connections opened before the first reading, so that the base memory of the process does not count. */
const BEFORE = 1000;

async function lineOf(setting: Setting, { contestant, running, failed }: Entrant): Promise<Line> {
  const line = newLine(contestant, failed);
  if (running === undefined) return line;
  setting.progress(`  ${contestant.name}`);
  const client = new Client(setting, 'idle-client', { port: running.port, path: '/items/1' });
  try {
    await client.ask(BEFORE);
    await delay(settleOf(setting));
    const before = memory(running.pid).now;
    await client.ask(CONNECTIONS);
    await delay(settleOf(setting));
    const after = memory(running.pid).now;
    const open = numberIn(await client.ask(0), 'open');
    if (open < BEFORE + CONNECTIONS) {
      return { ...line, void: `${open} of ${BEFORE + CONNECTIONS} connections were kept` };
    }
    note(line, 'kib', (after - before) / CONNECTIONS / KIB);
    note(line, 'total', after / KIB / KIB);
    return line;
  } finally {
    await client.close();
  }
}

export const idle: Scenario = {
  name: 'idle',
  summary: 'memory per idle connection',
  run: (setting) =>
    setting.with(allContestants(setting, setting.origins.files), async (entrants) => {
      const lines: Line[] = [];
      for (const entrant of entrants) lines.push(await lineOf(setting, entrant));
      return [
        {
          scenario: 'idle',
          title: `${CONNECTIONS.toLocaleString('en')} idle keep-alive connections, each after one request`,
          columns: [
            { title: 'KiB/connection', figure: 'kib', digits: 1 },
            { title: 'MiB total', figure: 'total', digits: 0 },
          ],
          lead: 'kib',
          against: [HAPROXY, NGINX, HTTP_PROXY],
          lines,
          targets: targetOfValue(
            lines.find(({ name }) => name === GW),
            'kib',
            12,
            'KiB per connection',
          ),
          notes: [
            `growth of resident memory (VmRSS) relative to the same process with ${BEFORE.toLocaleString('en')} such connections; no garbage collection is forced`,
          ],
        },
      ];
    }),
};
