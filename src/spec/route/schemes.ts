/** By which listeners, and with which schemes, the requests of a route come. */
import type { ListenerContext } from '../../policies/contract.js';
import type { ListenerModel, Model, RouteModel } from '../model.js';
import type { Scheme } from '../route-entities.js';

const PLAIN: readonly Scheme[] = ['http'];
const SECURE: readonly Scheme[] = ['https'];
const BOTH: readonly Scheme[] = ['http', 'https'];

/** The scheme of its connections, unless a trusted proxy reports another one. */
const schemesOfListener = ({ config }: ListenerModel): readonly Scheme[] =>
  config.trusted_proxies.length > 0 ? BOTH : config.tls === undefined ? PLAIN : SECURE;

/** The schemes of the requests that the listeners of a route receive. Empty only without listeners. */
export function schemesReceived({ listeners }: Model, route: RouteModel): readonly Scheme[] {
  const found = (route.listeners.length === 0 ? listeners : route.listeners).map(schemesOfListener);
  return BOTH.filter((scheme) => found.some((schemes) => schemes.includes(scheme)));
}

/** The listeners that receive the requests of a route, as policies know them. */
export const listenersOf = ({ listeners }: Model, route: RouteModel): readonly ListenerContext[] =>
  (route.listeners.length === 0 ? listeners : route.listeners).map(({ name, config }) => ({
    name,
    asksForCertificates: asks(config.tls),
    hasProxies: config.trusted_proxies.length > 0,
  }));

const asks = (tls: ListenerModel['config']['tls']): boolean =>
  tls !== undefined && [tls, ...tls.hosts].some(({ client_ca }) => client_ca !== undefined);

/** The schemes of the requests that a route takes: those received that meet its condition. */
export function schemesTaken(model: Model, route: RouteModel): readonly Scheme[] {
  const received = schemesReceived(model, route);
  const test = route.match.conditions.find(({ on }) => on === 'scheme')?.test;
  return test?.op === 'equals' ? received.filter((scheme) => scheme === test.value) : received;
}
