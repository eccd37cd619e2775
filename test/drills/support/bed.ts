/** A gateway in front of three targets of their own process, with a constant rate of requests over HTTP/1.1 and over HTTP/2. */
import { setTimeout as delay } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { GatewayOptions } from '../../../src/control/gateway.js';
import { type Running, SpecFile, startGateway, until } from '../../integration/control-kit.js';
import { ConstantLoad, type Result } from './load.js';
import type { Origin } from './origins.js';
import { failuresOf, tell } from './report.js';

/** Each worker counts failures and ejects targets on its own. */
export const WORKERS = 2;

/** HTTP/1.1 from the client to the target, and HTTP/2 all the way. */
export const PROTOCOLS = ['http/1.1', 'h2'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** TOML of a service, and the route that leads to it. */
export interface Route {
  /** For people. */
  readonly service: string;
  readonly protocol: Protocol;
  /** Lines of the service. */
  readonly lines: string;
}

const keyOf = ({ service, protocol }: Route): string => `${service}-${protocol === 'h2' ? 'h2' : 'h1'}`;

/** `SERVICE` in the lines stands for the key of the service. */
const specOf = (routes: readonly Route[]): string =>
  [
    `spec = 1\nworkers = ${WORKERS}\n[listener.main]\naddress = "127.0.0.1:0"`,
    ...routes.map((route) => {
      const key = keyOf(route);
      const service = `[service.${key}]\nprotocol = "${route.protocol}"\n${route.lines.replaceAll('SERVICE', key)}`;
      return `${service}\n[[route]]\nname = "${key}"\nmatch = "GET /${key}"\nto = "${key}"`;
    }),
  ].join('\n');

/** What became of the requests to each service. */
export type Outcome = readonly {
  readonly service: string;
  readonly protocol: Protocol;
  readonly results: readonly Result[];
}[];

/** What a script uses. */
export interface Bed extends Running {
  /** Waits until each of the targets has answered a request of every load that was sent from now on. */
  serve(...origins: readonly string[]): Promise<void>;
}

/**
 * Runs `script` under load, which begins a second earlier and goes on for as long as the script takes.
 * `rate`: requests per second to each service. `more`: further options of the gateway; `file`: where its spec is written.
 */
export async function drive(
  routes: readonly Route[],
  script: (bed: Bed) => Promise<void>,
  { rate = 50, file = new SpecFile(''), ...more }: Partial<GatewayOptions> & { rate?: number; file?: SpecFile } = {},
): Promise<Outcome> {
  file.write(specOf(routes));
  const running = await startGateway({ ...more, spec: file.path });
  const loads = routes.map(({ service, protocol, ...rest }) => {
    const path = `/${keyOf({ service, protocol, ...rest })}`;
    return { service, protocol, load: ConstantLoad.start({ port: running.port, protocol, rate, path }) };
  });
  const stop = (): Promise<Outcome> =>
    Promise.all(loads.map(async ({ load, ...rest }) => ({ ...rest, results: await load.stop() })));
  const serve = async (...origins: readonly string[]): Promise<void> => {
    const since = performance.now();
    const serves = ({ results }: ConstantLoad, origin: string): boolean =>
      results.some((result) => result.at >= since && result.cause === undefined && result.origin === origin);
    const all = (): boolean => loads.every(({ load }) => origins.every((origin) => serves(load, origin)));
    await until(all, `${origins.join(', ')} to serve`);
  };
  try {
    await delay(1000);
    await script({ ...running, serve });
  } finally {
    await stop();
    await running.gateway.close();
  }
  return stop();
}

/** Each of `services`, lines by name, becomes one with HTTP/1.1 and one with HTTP/2 to all of the targets. */
export function underLoad(
  origins: readonly Origin[],
  services: Readonly<Record<string, string>>,
  script: (bed: Bed) => Promise<void>,
): Promise<Outcome> {
  const routes = Object.entries(services).flatMap(([service, lines]) =>
    PROTOCOLS.map((protocol, at) => {
      const targets = JSON.stringify(origins.map(({ urls }) => urls[at]));
      return { service, protocol, lines: `targets = ${targets}\n${lines}` };
    }),
  );
  return drive(routes, script);
}

/** Prints each service's requests with what `check` returns: the bound that it has asserted. */
export function judge(
  what: string,
  outcome: Outcome,
  check: (results: readonly Result[], name: string) => string,
): void {
  for (const { service, protocol, results } of outcome) {
    const name = `${what}, ${service}, ${protocol}`;
    tell(name, results, check(results, name));
  }
}

/** At most `most` requests failed. */
export function atMost(results: readonly Result[], most: number, name: string): string {
  const failed = failuresOf(results).length;
  if (failed > most) tell(name, results, `at most ${most}`);
  assert.ok(failed <= most, `${name}: ${failed} failed, at most ${most}`);
  return `at most ${most}`;
}
