/** TLS, HTTP/2, gRPC and WebSockets, beside nginx and HAProxy. */
import { ask, numberIn } from '../clients.js';
import { GW, HAPROXY, installed, NGINX } from '../contestants.js';
import type { Running } from '../processes.js';
import { contestantsOf, type Sides } from '../protocols/contestants.js';
import { loadHttp2 } from '../protocols/h2load.js';
import { MESSAGE, startEchoOrigin, startHttp2Origin, UNARY } from '../protocols/origins.js';
import { faultOfUnary } from '../protocols/unary.js';
import { type Race, race } from '../race.js';
import { type Section, targetOfRatio } from '../section.js';
import type { Entrant, Setting } from '../setting.js';
import type { Scenario } from './scenario.js';

/** Seconds of a round; CPU seconds of the warm-up. */
const SECONDS = 1;
const WARM_UP = 2;
/** A wait for the other side costs a gateway time that a busy one has not: so many handshakes and messages are in flight. */
const LANES = 32;
const SOCKETS = 64;
const MESSAGE_BYTES = 64;
/** Of h2load: connections, and requests in flight on each. */
const CONNECTIONS = 8;
const STREAMS = 16;
/** Of nginx's CPU time. */
const MOST = 1.5;

interface Case {
  readonly name: string;
  readonly title: string;
  /** What is counted. */
  readonly unit: 'request' | 'handshake' | 'message';
  readonly tool?: 'h2load';
  readonly notes?: readonly string[];
  sides(setting: Setting): Promise<Sides>;
  load(setting: Setting): Pick<Race, 'load' | 'connections' | 'path'>;
  /** What is wrong with an entrant before the race. */
  fault?(running: Running): Promise<string>;
}

function scenarioOf(one: Case): Scenario {
  return {
    name: one.name,
    summary: one.title,
    run: async (setting) => {
      const section: Section = {
        scenario: one.name,
        title: one.title,
        columns: [
          { title: `CPU us/${one.unit}`, figure: 'cpu', digits: 1, spread: true },
          { title: `${one.unit}s/s`, figure: 'rate', digits: 0 },
        ],
        lead: 'cpu',
        against: [HAPROXY, NGINX],
        lines: [],
        targets: [],
        notes: one.notes ?? [],
      };
      if (one.tool !== undefined && installed(one.tool) === undefined)
        return [{ ...section, notes: [`skipped: ${one.tool} is not installed (apt-get install nghttp2-client)`] }];
      const contestants = contestantsOf(setting, await one.sides(setting));
      return setting.with(contestants, async (entrants) => {
        const lines = await race(setting, await checked(entrants, one), {
          ...one.load(setting),
          rounds: setting.pace.fewerRounds,
          warmUp: setting.pace.quick ? 0 : WARM_UP,
          ...(process.env['GW_BENCH_SECONDS'] === undefined ? { seconds: SECONDS } : {}),
        });
        return [{ ...section, lines, targets: targetOfRatio(lines, GW, NGINX, MOST) }];
      });
    },
  };
}

async function checked(entrants: readonly Entrant[], one: Case): Promise<readonly Entrant[]> {
  const found: Entrant[] = [];
  for (const entrant of entrants) {
    const fault = entrant.running === undefined ? '' : ((await one.fault?.(entrant.running)) ?? '');
    found.push(fault === '' ? entrant : { ...entrant, running: undefined, failed: fault });
  }
  return found;
}

async function countedBy(
  setting: Setting,
  script: 'protocols/handshake-client' | 'protocols/websocket-client',
  task: object,
): Promise<{ readonly requests: number; readonly rate: number; readonly bad: string }> {
  const answer = await ask(setting, script, task);
  const [done, bad] = [numberIn(answer, 'done'), numberIn(answer, 'bad')];
  const fault = done === 0 ? 'nothing succeeded' : '';
  return { requests: done, rate: done / numberIn(answer, 'seconds'), bad: bad > 0 ? `${bad} failed` : fault };
}

const handshakes =
  (resume: boolean): Case['load'] =>
  (setting) => ({
    connections: LANES,
    path: '/items/1',
    load: ({ port }, seconds) =>
      countedBy(setting, 'protocols/handshake-client', { port, seconds, concurrency: LANES, resume }),
  });

const secure = async (setting: Setting): Promise<Sides> => ({ down: 'https', origin: setting.origins.files });

const requests =
  (path: string, headers: readonly string[] = [], body?: Uint8Array): Case['load'] =>
  (setting) => ({
    connections: CONNECTIONS,
    path,
    load: (running, seconds) =>
      loadHttp2({
        url: running.url(path),
        headers,
        connections: CONNECTIONS,
        streams: STREAMS,
        seconds,
        cores: setting.loadCore,
        ...(body === undefined ? {} : { body: setting.write('body', body) }),
      }),
  });

const OVER_H2 = `${CONNECTIONS} connections with ${STREAMS} requests each`;
const HTTP2_UP =
  'nginx: grpc_pass, since its proxy_pass speaks only HTTP/1.1; one request at a time on each of its connections to the origin';
const HANDSHAKE = `${LANES} connections at a time; each ends after the handshake, without a request; X25519, a certificate on P-256`;

const bothHttp2 = async (setting: Setting): Promise<Sides> => ({
  down: 'h2c',
  http2Up: true,
  origin: await startHttp2Origin(setting),
});

export const protocols: readonly Scenario[] = [
  scenarioOf({
    name: 'tls-full',
    title: 'TLS 1.3, full handshakes',
    unit: 'handshake',
    notes: [HANDSHAKE],
    sides: secure,
    load: handshakes(false),
  }),
  scenarioOf({
    name: 'tls-resumed',
    title: 'TLS 1.3, resumed handshakes',
    unit: 'handshake',
    notes: [HANDSHAKE],
    sides: secure,
    load: handshakes(true),
  }),
  scenarioOf({
    name: 'tls',
    title: 'TLS 1.3, 64 keep-alive connections, small JSON',
    unit: 'request',
    sides: secure,
    load: () => ({ connections: 64, path: '/items/1' }),
  }),
  scenarioOf({
    name: 'h2-h1',
    title: `HTTP/2 from clients, HTTP/1.1 to the origin, ${OVER_H2}, small JSON`,
    unit: 'request',
    tool: 'h2load',
    sides: async (setting) => ({ down: 'h2c', origin: setting.origins.files }),
    load: requests('/items/1'),
  }),
  scenarioOf({
    name: 'h2',
    title: `HTTP/2 on both sides, ${OVER_H2}, small JSON`,
    unit: 'request',
    tool: 'h2load',
    notes: [HTTP2_UP],
    sides: bothHttp2,
    load: requests('/items/1'),
  }),
  scenarioOf({
    name: 'grpc',
    title: `unary gRPC calls with ${MESSAGE.length} bytes each way, ${OVER_H2}`,
    unit: 'request',
    tool: 'h2load',
    notes: [HTTP2_UP],
    sides: bothHttp2,
    load: requests(UNARY, ['content-type: application/grpc', 'te: trailers'], MESSAGE),
    fault: ({ port }) => faultOfUnary(port),
  }),
  scenarioOf({
    name: 'websocket',
    title: `WebSocket, ${SOCKETS} connections, messages of ${MESSAGE_BYTES} bytes that the origin sends back`,
    unit: 'message',
    notes: ['a message is counted when it is back, so the gateway has passed it on twice'],
    sides: async (setting) => ({ origin: await startEchoOrigin(setting) }),
    load: (setting) => ({
      connections: SOCKETS,
      path: '/socket',
      load: ({ port }, seconds) =>
        countedBy(setting, 'protocols/websocket-client', {
          port,
          path: '/socket',
          seconds,
          connections: SOCKETS,
          bytes: MESSAGE_BYTES,
        }),
    }),
  }),
];
