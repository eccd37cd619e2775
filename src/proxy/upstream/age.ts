/** When a connection to a target is too old for further requests. */
import { CONNECTION_AGE, type ServiceEntry } from '../../bundle/types.js';

/** Connections that were opened together must not end together. */
const JITTER = 0.2;

/**
 * Monotonic time from which a connection that opens `now` takes no further request. `random`: from 0 to 1, decides by how much it
 * is earlier than the maximum.
 */
export function closeAt(
  { maxConnectionAge = CONNECTION_AGE }: Pick<ServiceEntry, 'maxConnectionAge'>,
  now: number,
  random = Math.random(),
): number {
  return maxConnectionAge === 0 ? Number.POSITIVE_INFINITY : now + maxConnectionAge * (1 - JITTER * random);
}
