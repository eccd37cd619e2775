/** `srv:_http._tcp.orders.internal`: SRV records (RFC 2782). */

import { connectionCause } from '../../../proxy/errors/cause.js';
import { errnoCode } from '../../../reason.js';
import { urlOf } from './api.js';
import type { FoundTarget } from './check.js';
import type { CreateSource } from './source.js';

export const srvSource: CreateSource = ({ name, scheme = 'http' }, host) => ({
  async run() {
    let records: Awaited<ReturnType<typeof host.lookups.services>>;
    try {
      records = await host.lookups.services(name);
    } catch (error) {
      const nothing = errnoCode(error) === 'ENODATA';
      throw new Error(nothing ? `no SRV record of ${name}` : connectionCause(error), { cause: error });
    }
    // A single record with the root as its target: the service is decidedly not available.
    const offered = records.filter(({ name: target }) => target !== '' && target !== '.');
    const least = Math.min(...offered.map(({ priority }) => priority));
    const weighted = new Set(offered.filter(({ weight }) => weight > 0).map(({ priority }) => priority));
    host.supply(
      offered.map(
        ({ name: target, port, priority, weight }): FoundTarget => ({
          url: urlOf(scheme, target, port),
          weight: weightOf(weight, weighted.has(priority)),
          priority: priority - least,
        }),
      ),
    );
    return host.refresh;
  },
});

/** A record with weight 0 beside others has a very small share. */
const weightOf = (weight: number, beside: boolean): number =>
  beside ? Math.min(65_535, Math.max(1, weight * 100)) : 1;
