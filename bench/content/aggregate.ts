/** One reply made of five calls: gw beside the same work written by hand with undici, and the memory of many at once. */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { type Contestant, gw } from '../proxy/contestants.js';
import { versionOf } from '../proxy/peers-node.js';
import { memory, resetPeak } from '../proxy/processes.js';
import { RACE_COLUMNS, race } from '../proxy/race.js';
import { MIB } from '../proxy/requests.js';
import type { Scenario } from '../proxy/scenarios/scenario.js';
import { type Line, newLine, note, targetOfValue } from '../proxy/section.js';
import type { Entrant, Setting } from '../proxy/setting.js';
import { load } from '../proxy/wrk.js';

const CALLS = ['a', 'b', 'c', 'd', 'e'];
const PLAIN = 'gw, one proxied request';
const BY_NAME = 'gw aggregate, merged by name';
const BY_HAND = 'undici, by hand';
/** Requests at once in the second table. */
const MANY = 1000;
/** MiB of growth with so many. They hold about 35 MB; V8 lets its heap grow to several times that before it collects all of it. */
const MOST_GROWTH = 256;

/** Bodies of 105 bytes, at the path of the plain route, so that all lines get the same load. */
const aggregate = (merge: string): string => `
[[route]]
name = "page"
match = "GET /page"
[route.aggregate]
etag = false
${merge}
${CALLS.map((name) => `[route.aggregate.call.${name}]\nservice = "origin"\npath = "/items/1"\n`).join('')}`;

const JSONATA = `merge = '{ "ids": [a.id, b.id, c.id, d.id, e.id], "first": a, "price": $sum([a.price, b.price, c.price, d.price, e.price]) }'`;

const require = createRequire(resolve('bench/package.json'));

/** Five requests at once over kept connections, parsed, and written as one object. */
function byHand(setting: Setting): readonly Contestant[] {
  const version = versionOf('undici');
  if (version === undefined) return [];
  const command = (port: number): readonly string[] => {
    const script = setting.write(
      'undici-aggregate.cjs',
      `const http = require('node:http');
const { Pool } = require(${JSON.stringify(require.resolve('undici'))});
const pool = new Pool('http://127.0.0.1:${setting.origins.files}', { connections: 256, pipelining: 1 });
const names = ${JSON.stringify(CALLS)};
async function one() {
  const { statusCode, body } = await pool.request({ path: '/items/1', method: 'GET', headers: { accept: 'application/json' } });
  if (statusCode !== 200) throw new Error('status ' + statusCode);
  return body.json();
}
const server = http.createServer(async (request, response) => {
  try {
    const bodies = await Promise.all(names.map(one));
    const text = JSON.stringify(Object.fromEntries(names.map((name, at) => [name, bodies[at]])));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
  } catch (error) {
    response.writeHead(502).end(error.message);
  }
});
server.keepAliveTimeout = 300_000;
server.requestTimeout = 0;
server.listen({ port: ${port}, host: '127.0.0.1', backlog: 4096 });
`,
    );
    return [process.execPath, script];
  };
  return [{ name: BY_HAND, version, headers: {}, command }];
}

const entrants = (setting: Setting): readonly Contestant[] => [
  gw(setting, BY_NAME, { extra: aggregate('') }),
  gw(setting, 'gw aggregate, merged by JSONata', { extra: aggregate(JSONATA) }),
  ...byHand(setting),
];

const PATH = '/page';

const five: Scenario = {
  name: 'aggregate',
  summary: 'one reply made of five calls',
  run: (setting) =>
    setting.with(entrants(setting), async (all) => [
      {
        scenario: 'aggregate',
        title: 'one reply made of five calls in parallel',
        columns: RACE_COLUMNS,
        lead: 'cpu',
        against: [BY_HAND],
        lines: await race(setting, all, { connections: 64, path: PATH }),
        targets: [],
        notes: ['each call has a reply of 105 bytes of JSON, from nginx on the core of the load'],
      },
      await plain(setting),
    ]),
};

/** The cost of one proxied request in the same run. */
const plain = (setting: Setting) =>
  setting.with([gw(setting, PLAIN)], async (all) => ({
    scenario: 'aggregate',
    title: 'for comparison',
    columns: RACE_COLUMNS,
    lead: 'cpu',
    against: [],
    lines: await race(setting, all, { connections: 64, path: '/items/1' }),
    targets: [],
    notes: [],
  }));

async function growth(setting: Setting, { contestant, failed, running }: Entrant): Promise<Line> {
  const line = newLine(contestant, failed);
  if (running === undefined) return line;
  const { seconds } = setting.pace;
  const at = { url: running.url(PATH), headers: {}, cores: setting.loadCore, seconds };
  const warm = await load({ ...at, connections: 64 });
  resetPeak(running.pid);
  const before = memory(running.pid).now;
  const { bad } = await load({ ...at, connections: MANY, seconds: seconds * 2 });
  line.void = warm.bad || bad;
  note(line, 'growth', (memory(running.pid).peak - before) / MIB);
  return line;
}

const many: Scenario = {
  name: 'aggregates',
  summary: `memory with ${MANY.toLocaleString('en')} aggregates of five calls at once`,
  run: (setting) =>
    setting.with(entrants(setting), async (all) => {
      const lines: Line[] = [];
      for (const entrant of all) {
        setting.progress(`  ${entrant.contestant.name}`);
        lines.push(await growth(setting, entrant));
      }
      const ours = lines.find(({ name }) => name === BY_NAME);
      return [
        {
          scenario: 'aggregates',
          title: `${MANY.toLocaleString('en')} clients at once, each with an aggregate of five calls`,
          columns: [{ title: 'growth MiB', figure: 'growth', digits: 1 }],
          lead: 'growth',
          against: [],
          lines,
          targets: targetOfValue(ours, 'growth', MOST_GROWTH, 'MiB of growth'),
          notes: ['growth: peak of resident memory (VmHWM, reset before) minus the memory after a load of 64 clients'],
        },
      ];
    }),
};

export const aggregates: readonly Scenario[] = [five, many];
