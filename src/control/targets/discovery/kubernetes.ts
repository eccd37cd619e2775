/** `kubernetes:NAMESPACE/SERVICE`: the ready endpoints of a Service, by a list and a watch of its EndpointSlices. */
import { resolve } from 'node:path';
import { INPUT_LIMITS, readInputFile } from '../../../input-file.js';
import { plain } from '../../references/pems.js';
import { Api, field, list, text, urlOf } from './api.js';
import type { FoundTarget } from './check.js';
import type { CreateSource, SourceHost } from './source.js';

/** What a pod gets of its service account. Both files are replaced while it runs. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Seconds after which the API server ends a watch; milliseconds without a line after which gw does. */
const WATCH = 300;
const IDLE = (WATCH + 30) * 1000;
/** Of one Service. A slice has at most 1000 endpoints. */
const MOST_SLICES = 1000;

type Settings = Parameters<CreateSource>[0];

export const kubernetesSource: CreateSource = (entry, host) => {
  const { name, address } = entry;
  const [namespace = '', service = ''] = name.split('/');
  const api = new Api({
    address: address === undefined ? inCluster(host) : plain(address),
    signal: host.signal,
    headers: () => authorization(entry),
    ca: () => authorities(entry, host),
  });
  const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`);
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?labelSelector=${selector}`;
  const slices = new Map<string, unknown>();
  const supply = (): void => host.supply([...slices.values()].flatMap((slice) => targetsOf(slice, entry)));
  /** What is known still holds, also after an outage in which nothing has changed. */
  const answers = async (): Promise<void> => supply();
  /** From where the watch continues; undefined: the slices are listed first. */
  let version: string | undefined;
  const read = async (): Promise<string> => {
    const { status, body } = await api.json(path);
    if (status !== 200) throw new Error(`the API server answers with status ${status}`);
    slices.clear();
    for (const slice of list(field(body, 'items')).slice(0, MOST_SLICES)) slices.set(nameOf(slice), slice);
    supply();
    return text(field(body, 'metadata', 'resourceVersion')) ?? '0';
  };
  /** False: the server does not know the version any more. */
  const take = (event: unknown): boolean => {
    const object = field(event, 'object');
    const type = field(event, 'type');
    if (type === 'ERROR') {
      version = undefined;
      return false;
    }
    version = text(field(object, 'metadata', 'resourceVersion')) ?? version;
    if (type === 'DELETED') slices.delete(nameOf(object));
    else if (type === 'ADDED' || type === 'MODIFIED') {
      if (slices.size < MOST_SLICES || slices.has(nameOf(object))) slices.set(nameOf(object), object);
    } else return true;
    supply();
    return true;
  };
  return {
    async run() {
      version ??= await read();
      const watch = `${path}&watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH}&resourceVersion=${encodeURIComponent(version)}`;
      const status = await api.lines(watch, { idle: IDLE, opened: answers, line: take });
      // 410: what happened since the version is not known any more.
      if (status === 410) version = undefined;
      else if (status !== 200) {
        version = undefined;
        throw new Error(`the API server answers with status ${status}`);
      }
      return 0;
    },
  };
};

function inCluster({ env }: SourceHost): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  // Nothing answers there: the source fails with that cause until gw runs in a cluster.
  return host === undefined || host === '' ? 'https://kubernetes.default.svc' : urlOf('https', host, port);
}

function authorization({ token }: Settings): { readonly [name: string]: string } {
  const value = token === undefined ? fileOf(`${ACCOUNT}/token`) : plain(token);
  return value === undefined ? {} : { authorization: `Bearer ${value.trim()}` };
}

const authorities = ({ ca }: Settings, { root }: SourceHost): string | undefined =>
  ca === undefined ? fileOf(`${ACCOUNT}/ca.crt`) : read(resolve(root, ca));

const read = (path: string): string => readInputFile(path, { maxBytes: INPUT_LIMITS.secret }).toString();

/** Undefined outside of a cluster. */
function fileOf(path: string): string | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

const nameOf = (slice: unknown): string => text(field(slice, 'metadata', 'name')) ?? '';

function targetsOf(slice: unknown, { scheme, port }: Settings): FoundTarget[] {
  const number = portOf(list(field(slice, 'ports')), port);
  if (number === undefined) return [];
  return list(field(slice, 'endpoints')).flatMap((endpoint): FoundTarget[] => {
    // Absent: ready. All addresses of an endpoint are the same one.
    const host = text(field(endpoint, 'addresses', 0));
    if (field(endpoint, 'conditions', 'ready') === false || host === undefined) return [];
    const zone = text(field(endpoint, 'zone'));
    return [{ url: urlOf(scheme ?? 'http', host, number), ...(zone === undefined ? {} : { zone }) }];
  });
}

/** The number of the port with this name or number, or of the only one. */
function portOf(ports: readonly unknown[], wanted: string | undefined): number | undefined {
  const tcp = ports.filter((one) => (field(one, 'protocol') ?? 'TCP') === 'TCP');
  const found = tcp.filter(
    (one) => wanted === undefined || [field(one, 'name'), String(field(one, 'port'))].includes(wanted),
  );
  const number = found.length === 1 ? field(found[0], 'port') : undefined;
  return typeof number === 'number' ? number : undefined;
}
