/** Origins of effective values. Values that are not listed are defaults. */
import type { SourceRef } from '../bundle/types.js';
import type { Origin, Origins } from '../schema/decoder.js';
import type { Span } from '../schema/diagnostic.js';
import { ACTION_KEYS } from '../spec/index.js';
import type { Entity, Model } from '../spec/model.js';

const DEFAULT: SourceRef = { from: 'default' };

export function sourceOf(origin: Origin): SourceRef {
  return origin.from === 'default' ? DEFAULT : refOf(origin.from, origin.span);
}

export const refOf = (from: SourceRef['from'], span: Span): SourceRef => ({
  file: span.file,
  from,
  line: span.start.line,
});

/** Origins of every path of a policy config, including defaults, for explain. */
export function policyOrigins(at: Origins): { readonly [key: string]: SourceRef } {
  const origins: [string, SourceRef][] = [];
  for (const [path, origin] of at.entries()) origins.push([path.join('.'), sourceOf(origin)]);
  return Object.fromEntries(origins);
}

/** Keys that every route has; their origin is that of the route. */
const OF_THE_ROUTE: ReadonlySet<string | number | undefined> = new Set(['name', 'match', 'policies', ...ACTION_KEYS]);

/**
 * `service.orders.retries` -> its origin, and `service.orders` -> where it is declared. Of routes only settings with a default (`route.get-order.timeout`) and values from
 * groups and overlays; the others are at RouteEntry.source.
 */
export function modelOrigins(model: Model): { readonly [path: string]: SourceRef } {
  const origins: [string, SourceRef][] = [];
  const add = (prefix: string, at: Origins, depth: number): void => {
    for (const [path, origin] of at.entries()) {
      if (origin.from === 'default' || path.length > depth) continue;
      origins.push([prefix + path.join('.'), refOf(origin.from, origin.span)]);
    }
  };
  const declared = (kind: string, { name, nameSpan, at }: Entity<unknown>, depth: number): void => {
    const { from } = at.originOf();
    if (from !== 'default') origins.push([`${kind}.${name}`, refOf(from, nameSpan)]);
    add(`${kind}.${name}.`, at, depth);
  };
  const everything = Number.POSITIVE_INFINITY;
  for (const listener of model.listeners) declared('listener', listener, everything);
  for (const service of model.services) declared('service', service, everything);
  for (const consumer of model.consumers) declared('consumer', consumer, 1);
  for (const plan of model.plans) declared('plan', plan, everything);
  // The values of a policy are in its entry.
  for (const policy of model.policies) declared('policy', policy, 0);
  for (const route of model.routes) {
    for (const [path, origin] of route.at.entries()) {
      if (origin.from === 'default' || path.length !== 1) continue;
      if (origin.from === 'spec' && OF_THE_ROUTE.has(path[0])) continue;
      origins.push([`route.${route.name}.${path[0]}`, refOf(origin.from, origin.span)]);
    }
  }
  add('', model.at, everything);
  return Object.fromEntries(origins);
}
