/** Which names a spec orders certificates for, and how it proves them. */
import { ACME_CHALLENGES, type AcmeChallenge } from '../bundle/acme-entry.js';
import { isOrderable, LETS_ENCRYPT, LETS_ENCRYPT_STAGING } from './acme.js';
import type { ListenerModel, Model, RouteModel } from './model.js';

export const usesAcme = ({ config }: ListenerModel): boolean => config.tls?.acme === true;

/** The routes that a listener with `tls = "acme"` serves. */
export function acmeRoutes({ listeners, routes, policyRoutes }: Model): RouteModel[] {
  if (!listeners.some(usesAcme)) return [];
  return [...routes, ...policyRoutes].filter((route) => route.listeners.length === 0 || route.listeners.some(usesAcme));
}

const isPublicAuthority = ({ acme }: Model): boolean =>
  acme === undefined || acme.directory === LETS_ENCRYPT || acme.directory === LETS_ENCRYPT_STAGING;

/** Names at the end of the tree that no public authority certifies: RFC 2606, RFC 6761, RFC 6762, RFC 9476. */
const PRIVATE = /(^|\.)(local|localhost|internal|intranet|lan|home|corp|test|example|invalid|alt|onion|home\.arpa)$/;

/** Why no certificate is ordered for the host of a route; undefined: one is. */
export function whyNotOrdered(host: string, model: Model): 'wildcard' | 'private' | undefined {
  if (host.startsWith('*')) return 'wildcard';
  if (!isOrderable(host)) return 'private';
  return isPublicAuthority(model) && PRIVATE.test(host) ? 'private' : undefined;
}

/** The names of entries of `tls.hosts` that have certificates of their own. */
function ownNames({ listeners }: Model): ReadonlySet<string> {
  const hosts = listeners.filter(usesAcme).flatMap(({ config }) => config.tls?.hosts ?? []);
  return new Set(hosts.flatMap(({ cert, names = [] }) => (cert === undefined ? [] : names)));
}

const isAmong = (names: ReadonlySet<string>, host: string): boolean =>
  names.has(host) || names.has(`*${host.slice(host.indexOf('.'))}`);

/** The names that certificates are ordered for, in order, each once. */
export function acmeHosts(model: Model): string[] {
  const { acme, listeners } = model;
  if (acme === undefined || !listeners.some(usesAcme)) return [];
  if (acme.hosts !== undefined) return [...new Set(acme.hosts)].sort();
  const own = ownNames(model);
  const listed = listeners
    .filter(usesAcme)
    .flatMap(({ config }) => config.tls?.hosts ?? [])
    .flatMap(({ cert, names = [] }) => (cert === undefined ? names : []));
  const hosts = [...acmeRoutes(model).flatMap(({ match }) => match.hosts), ...listed];
  return [...new Set(hosts)].filter((host) => whyNotOrdered(host, model) === undefined && !isAmong(own, host)).sort();
}

/** The port of an address; undefined if a reference says it. */
function portOf(address: unknown): number | undefined {
  const port = typeof address === 'string' ? /:(\d+)$/.exec(address)?.[1] : undefined;
  return port === undefined ? undefined : Number(port);
}

/** Whether an authority reaches a listener at its port for this challenge, as far as the spec shows. */
export function answersAt({ listeners }: Model, challenge: AcmeChallenge): boolean {
  if (challenge === 'tls-alpn-01') return listeners.some((one) => usesAcme(one) && portOf(one.config.address) === 443);
  return listeners.some(({ config }) => config.tls === undefined && portOf(config.address) === 80);
}

/** The challenges in order of preference: those that the listeners can answer, at the port of the authority first. */
export function acmeChallenges(model: Model): readonly AcmeChallenge[] {
  const wanted = model.acme?.challenges;
  if (wanted !== undefined) return [...new Set(wanted)];
  const clear = model.listeners.some(({ config }) => config.tls === undefined);
  const possible = ACME_CHALLENGES.filter((one) => one === 'tls-alpn-01' || clear);
  return [...possible].sort((a, b) => Number(answersAt(model, b)) - Number(answersAt(model, a)));
}
