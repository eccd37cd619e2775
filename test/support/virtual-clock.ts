/** A clock set by the test, with one time for both of its readings. */
import type { Clock } from '../../src/policies/contract.js';

export const virtualClock = (now: () => number): Clock => ({ now, monotonic: now });
