/** A gateway in front of three targets of their own process, with a constant rate of requests over HTTP/1.1 and over HTTP/2. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Running, SpecFile, startGateway } from '../../integration/control-kit.js';
import { ConstantLoad, type Result } from './load.js';
import type { Origin } from './origins.js';

/** Each worker counts failures and ejects targets on its own. */
export const WORKERS = 2;

/** HTTP/1.1 from the client to the target, and HTTP/2 all the way. */
export const PROTOCOLS = ['http/1.1', 'h2'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** The path of a service's route for a protocol. */
const pathOf = (service: string, protocol: Protocol): string => `/${service}-${protocol === 'h2' ? 'h2' : 'h1'}`;

/** `services`: TOML lines by name. Each becomes a service with HTTP/1.1 and one with HTTP/2 to all of the targets. */
function specOf(origins: readonly Origin[], services: Readonly<Record<string, string>>): string {
  const parts = Object.entries(services).flatMap(([name, lines]) =>
    PROTOCOLS.map((protocol, at) => {
      const path = pathOf(name, protocol);
      const key = path.slice(1);
      const targets = JSON.stringify(origins.map(({ urls }) => urls[at]));
      return `
[service.${key}]
targets = ${targets}
protocol = "${protocol}"
${lines.replaceAll('SERVICE', key)}
[[route]]
name = "${key}"
match = "GET ${path}"
to = "${key}"
`;
    }),
  );
  return `spec = 1\nworkers = ${WORKERS}\n[listener.main]\naddress = "127.0.0.1:0"\n${parts.join('')}`;
}

/** What became of the requests to each service. */
export type Outcome = readonly {
  readonly service: string;
  readonly protocol: Protocol;
  readonly results: readonly Result[];
}[];

/**
 * Runs `script` under load, which begins a second earlier and goes on for as long as the script takes.
 * `rate`: requests per second to each service, by each protocol.
 */
export async function underLoad(
  origins: readonly Origin[],
  services: Readonly<Record<string, string>>,
  script: (running: Running) => Promise<void>,
  rate = 50,
): Promise<Outcome> {
  const running = await startGateway({ spec: new SpecFile(specOf(origins, services)).path });
  const loads = Object.keys(services).flatMap((service) =>
    PROTOCOLS.map((protocol) => {
      const path = pathOf(service, protocol);
      return { service, protocol, load: ConstantLoad.start({ port: running.port, protocol, rate, path }) };
    }),
  );
  await delay(1000);
  await script(running);
  const outcome = loads.map(async ({ load, ...rest }) => ({ ...rest, results: await load.stop() }));
  const all = await Promise.all(outcome);
  await running.gateway.close();
  return all;
}
