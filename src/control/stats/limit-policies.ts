/** Which policies of a program count requests, and under which identity. */
import type { PolicyEntry } from '../../bundle/types.js';
import { declarationOf } from '../../policies/registry.js';

/** Whether the policy limits a rate, in whatever phase it runs. */
export const isLimit = ({ use, config }: PolicyEntry): boolean => declarationOf(use)?.traits?.(config).rate === true;

/** Whether the policy limits the number of requests in progress. */
export const isConcurrency = ({ use, config }: PolicyEntry): boolean =>
  declarationOf(use)?.traits?.(config).holds === true;

/** Most requests that the policy lets be in progress; 0: as the plan of the consumer says. */
export const maxOf = ({ config }: PolicyEntry): number => (typeof config['max'] === 'number' ? config['max'] : 0);

/** The identity of what a policy keeps in the stores of the gateway. */
export const stateIdentityOf = ({ identity, stateIdentity = identity }: PolicyEntry): string => stateIdentity;
