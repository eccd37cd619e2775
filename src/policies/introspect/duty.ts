/** Fetches the key set of the server that signs its answers, once for all workers. */
import { defineDuty } from '../kits/duty.js';
import { FetchedDuty, fetchedKeys } from '../kits/jose/fetched.js';
import { isRemote } from '../kits/jose/key-source.js';
import type { IntrospectSettings } from './schema.js';

export const createDuty = defineDuty<IntrospectSettings>(({ signed }, host) => {
  if (signed === undefined || !isRemote(signed.source)) throw new Error('The policy has no key set to fetch.');
  return new FetchedDuty([fetchedKeys(signed.source)], host, ([value]) => value!);
});
