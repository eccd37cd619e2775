/** Fetches the key sets of issuers and the list of revoked tokens, once for all workers. */
import type { DutyHost, Json } from '../contract.js';
import { readRevocations } from '../kits/bearer/revocations.js';
import { defineDuty } from '../kits/duty.js';
import { FetchedDuty, type FetchedParts, fetchedKeys } from '../kits/jose/fetched.js';
import { isRemote } from '../kits/jose/key-source.js';
import { idOfUrl } from '../kits/jose/keys.js';
import type { JwtSettings, RevocationSettings } from './schema.js';

/** Bytes of a list: it is published as it is. */
const MAX_LIST = 3 * 1024 * 1024;

type Table = { readonly [name: string]: Json };

export const createDuty = defineDuty<JwtSettings>(({ trusted, revocations }, host) => {
  const sets = trusted.flatMap(({ source }) => (isRemote(source) ? [fetchedKeys(source)] : []));
  const lists = revocations?.from === 'url' ? [fetchedList(revocations)] : [];
  const parts = [...new Map([...sets, ...lists].map((one) => [one.id, one])).values()];
  // With keys in files or a secret, the declaration asks for no duty.
  if (parts.length === 0) throw new Error('The policy has no key set to fetch.');
  return new FetchedDuty(parts, host, parts.length === 1 && lists.length === 0 ? alone : together);
});

/** A key set by itself is published in its own form. */
const alone = (values: readonly Table[]): Json => values[0]!;

const together = (values: readonly Table[]): Json => ({
  sets: values.filter((one) => 'keys' in one),
  lists: values.filter((one) => 'revoked' in one),
});

function fetchedList({ url, refresh }: Extract<RevocationSettings, { from: 'url' }>): FetchedParts {
  if (typeof url !== 'string') throw new TypeError('The URL of the list is an unresolved reference.');
  const fetch = async (host: DutyHost): ReturnType<FetchedParts['fetch']> => {
    const reply = await host.fetch(url, { headers: { accept: 'application/json' }, maxReply: MAX_LIST });
    if (reply.status !== 200) throw new Error(`the list of revoked tokens has status ${reply.status}`);
    const revoked = readRevocations(reply.body);
    if (typeof revoked === 'string') throw new Error(`the list of revoked tokens ${revoked}`);
    return { value: { revoked }, reply };
  };
  return { id: idOfUrl(url), refresh, least: 1000, cooldown: 1000, fetch };
}
