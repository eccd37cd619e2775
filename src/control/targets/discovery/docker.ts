/**
 * `docker:LABEL`: running containers with a label, by the API of the Docker engine. The label's value is the port, if it is a
 * number; with `docker:LABEL=VALUE`, and without a number, it is the port that the container exposes.
 */
import { plain } from '../../references/pems.js';
import { Api, field, list, text, urlOf } from './api.js';
import type { FoundTarget } from './check.js';
import type { CreateSource } from './source.js';

export const DOCKER = 'unix:/var/run/docker.sock';
/** Milliseconds without an event after which the containers are listed again. */
const QUIET = 60_000;
/** Milliseconds in which further events are expected, as when many containers start. */
const SETTLE = 200;
const EVENTS = ['start', 'die', 'pause', 'unpause', 'health_status', 'connect', 'disconnect', 'rename'];

export const dockerSource: CreateSource = (entry, host) => {
  const { name, address = DOCKER } = entry;
  const api = new Api({ address: plain(address), signal: host.signal });
  const [label = '', value] = name.split(/=(.*)/s);
  const containers = `/containers/json?filters=${filters({ label: [name], status: ['running'] })}`;
  const events = `/events?filters=${filters({ type: ['container', 'network'], event: EVENTS })}`;
  const read = async (): Promise<void> => {
    const { status, body } = await api.json(containers);
    if (status !== 200) throw new Error(`Docker answers with status ${status}`);
    const found = list(body).filter(isWell);
    host.supply(found.flatMap((one) => targetOf(one, entry, value === undefined ? label : undefined)));
  };
  return {
    async run() {
      // Events are asked for first, so that none is missed between the list and them.
      const status = await api.lines(events, { idle: QUIET, opened: read, line: () => false });
      if (status !== 200) throw new Error(`Docker answers with status ${status}`);
      return SETTLE;
    },
  };
};

const filters = (wanted: object): string => encodeURIComponent(JSON.stringify(wanted));

/** Not in the first seconds of a health check, and not failing one. */
const isWell = (container: unknown): boolean =>
  !/\((unhealthy|health: starting)\)/.test(text(field(container, 'Status')) ?? '');

function targetOf(
  container: unknown,
  { scheme, port, network }: Parameters<CreateSource>[0],
  label: string | undefined,
): FoundTarget[] {
  const labelled = label === undefined ? undefined : text(field(container, 'Labels', label));
  const chosen = port ?? (labelled !== undefined && /^\d{1,5}$/.test(labelled) ? labelled : exposed(container));
  const host = addressOf(container, network);
  return chosen === undefined || host === undefined ? [] : [{ url: urlOf(scheme ?? 'http', host, chosen) }];
}

/** Its only TCP port. */
function exposed(container: unknown): string | undefined {
  const ports = list(field(container, 'Ports')).filter((one) => field(one, 'Type') === 'tcp');
  const all = new Set(ports.map((one) => field(one, 'PrivatePort')));
  const [first] = all;
  return all.size === 1 && typeof first === 'number' ? String(first) : undefined;
}

function addressOf(container: unknown, wanted: string | undefined): string | undefined {
  if (field(container, 'HostConfig', 'NetworkMode') === 'host') return wanted === undefined ? '127.0.0.1' : undefined;
  const networks = field(container, 'NetworkSettings', 'Networks');
  const names = typeof networks === 'object' && networks !== null ? Object.keys(networks).sort() : [];
  for (const name of wanted === undefined ? names : [wanted]) {
    const address = text(field(networks, name, 'IPAddress')) ?? text(field(networks, name, 'GlobalIPv6Address'));
    if (address !== undefined) return address;
  }
  return undefined;
}
