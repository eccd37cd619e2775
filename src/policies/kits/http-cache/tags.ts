/** Tags under which replies can be purged: Surrogate-Key, Cache-Tag, and Cache-Groups of RFC 9875. */
import { isInnerList, readList } from '../structured-fields.js';
import { listOf, type ReadField } from './fields.js';
import { invalidates } from './invalidate.js';

/** Tags of one reply of all kinds together; further ones do not count. */
const MOST_TAGS = 128;
/** Groups of one field; further ones do not count. */
const MOST_GROUPS = 32;
/** Characters of one tag or group; longer ones do not count. */
const LONGEST_TAG = 256;

/**
 * The tags of a reply, each once: of Cache-Groups its strings, of Surrogate-Key what is between spaces, of Cache-Tag between commas.
 * A group also gives the tag for its origin, RFC 9875 section 2.1. `origin` is that of the request, such as https://a.example.
 */
export function tagsOf(reply: ReadField, origin: string): readonly string[] {
  const tags = new Set<string>();
  const groups = groupsOf(reply('cache-groups'));
  const surrogate = reply('surrogate-key');
  const cacheTag = reply('cache-tag');
  // Groups first: a cache must not lose the first 32 of them.
  for (const group of groups) tags.add(group).add(groupTag(origin, group));
  // Several lines of Surrogate-Key are joined with commas.
  if (surrogate !== undefined) addAll(tags, surrogate.split(/[ \t,]/));
  if (cacheTag !== undefined) addAll(tags, listOf(cacheTag, Number.MAX_SAFE_INTEGER) ?? []);
  return [...tags];
}

/**
 * The tags of the groups that a reply makes invalid, RFC 9875 section 3, all of the origin of the request. None for a safe method or
 * an error.
 */
export function invalidatedTags(method: string, status: number, origin: string, reply: ReadField): readonly string[] {
  if (!invalidates(method, status)) return [];
  return groupsOf(reply('cache-group-invalidation')).map((group) => groupTag(origin, group));
}

const groupTag = (origin: string, group: string): string => `${origin} ${group}`;

function addAll(tags: Set<string>, found: Iterable<string>): void {
  for (const tag of found) {
    if (tags.size >= MOST_TAGS) return;
    if (tag !== '' && tag.length <= LONGEST_TAG) tags.add(tag);
  }
}

/** The strings of a structured list, each once; none if the field is malformed. Members of other types do not count. */
function groupsOf(field: string | undefined): readonly string[] {
  const groups = new Set<string>();
  for (const member of field === undefined ? [] : (readList(field) ?? [])) {
    if (groups.size >= MOST_GROUPS) break;
    const group = isInnerList(member) ? undefined : member[0];
    if (typeof group === 'string' && group !== '' && group.length <= LONGEST_TAG) groups.add(group);
  }
  return [...groups];
}
