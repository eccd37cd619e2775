/** `consul:orders`: instances of a service that pass their checks, by blocking queries of Consul's HTTP API. */
import { resolve } from 'node:path';
import { INPUT_LIMITS, readInputFile } from '../../../input-file.js';
import { plain } from '../../references/pems.js';
import { Api, field, list, text, urlOf } from './api.js';
import type { FoundTarget } from './check.js';
import type { CreateSource } from './source.js';

export const CONSUL = 'http://127.0.0.1:8500';
/** Seconds that Consul may wait for a change, to which it adds up to a sixteenth. */
const WAIT = 55;
const TIMEOUT = 65_000;
/** Milliseconds between two answers: a service whose checks flap must not occupy gw. */
const LEAST_WAIT = 200;

export const consulSource: CreateSource = (entry, host) => {
  const { name, scheme = 'http', address = CONSUL, token, ca, tags = [], datacenter } = entry;
  const api = new Api({
    address: plain(address),
    signal: host.signal,
    headers: () => (token === undefined ? {} : { 'x-consul-token': plain(token) }),
    ca: () =>
      ca === undefined
        ? undefined
        : readInputFile(resolve(host.root, ca), { maxBytes: INPUT_LIMITS.secret }).toString(),
  });
  let index = 0;
  return {
    async run() {
      const query = new URLSearchParams({ passing: 'true' });
      for (const tag of tags) query.append('tag', tag);
      if (datacenter !== undefined) query.set('dc', datacenter);
      if (index > 0) {
        query.set('index', String(index));
        query.set('wait', `${WAIT}s`);
      }
      const path = `/v1/health/service/${encodeURIComponent(name)}?${query}`;
      const before = index;
      // After an outage it is asked without waiting for a change, so that it is known when it answers again.
      index = 0;
      const { status, headers, body } = await api.json(path, { timeout: TIMEOUT });
      if (status !== 200) throw new Error(`Consul answers with status ${status}`);
      const next = Number(headers['x-consul-index']);
      // An index that goes backwards begins again, and one below 1 would not wait.
      index = Number.isSafeInteger(next) && next >= Math.max(1, before) ? next : 0;
      if (before === 0 || index !== before) host.supply(list(body).map((instance) => targetOf(instance, scheme)));
      return LEAST_WAIT;
    },
  };
};

function targetOf(instance: unknown, scheme: string): FoundTarget {
  const address = text(field(instance, 'Service', 'Address')) ?? text(field(instance, 'Node', 'Address')) ?? '';
  const weight = field(instance, 'Service', 'Weights', 'Passing');
  return {
    url: urlOf(scheme, address, field(instance, 'Service', 'Port')),
    ...(weight === undefined ? {} : { weight }),
  };
}
