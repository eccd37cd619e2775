/** A clock that a test sets: both of its times are the same one. */
import type { Clock } from '../../src/policies/contract.js';

export const virtualClock = (now: () => number): Clock => ({ now, monotonic: now });
