/** What caches have stored, for operators: without the bodies. */
import { setImmediate as otherWork } from 'node:timers/promises';
import type { Program } from '../../bundle/types.js';
import type { ContentSpace, ListedContent } from '../../state/content/types.js';
import { type ListInput, MOST_LISTED, type StoredReplies, type StoredReply } from '../../telemetry/cache-calls.js';
import { CacheError } from './policies.js';
import { chosenCaches, readSelectors } from './selectors.js';

const USUALLY_LISTED = 1000;

/** What a purge of the input would be about. @throws CacheError */
export async function list(program: Program, space: ContentSpace, input: ListInput): Promise<StoredReplies> {
  const { policy, most = USUALLY_LISTED } = input;
  const caches = chosenCaches(program, policy);
  const selectorsOf = readSelectors(program, input, 'list');
  if (!Number.isInteger(most) || most < 1 || most > MOST_LISTED)
    throw new CacheError('invalid', `\`most\` is a number from 1 to ${MOST_LISTED}.`);
  const replies: StoredReply[] = [];
  for (const cache of caches) {
    if (replies.length > most) break;
    const store = space.store(cache.identity, cache.contents.options);
    // A reply may have several of the tags.
    const found = new Map<string, ListedContent>();
    for (const selector of selectorsOf(cache)) {
      if (found.size > most) break;
      // A further reply makes the list incomplete.
      for (const one of await store.list(selector, most + 1)) found.set(one.key, one);
      await otherWork();
    }
    for (const one of found.values()) replies.push(replyOf(cache.name, one));
  }
  return { version: 1, complete: replies.length <= most, replies: replies.sort(byUrl).slice(0, most) };
}

const replyOf = (policy: string, { url, route, tags, length, soft, expiresAt }: ListedContent): StoredReply => ({
  policy,
  url,
  route,
  tags,
  bytes: length,
  soft,
  expiresAt: expiresAt === Number.POSITIVE_INFINITY ? null : expiresAt,
});

const byUrl = (a: StoredReply, b: StoredReply): number => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0);
