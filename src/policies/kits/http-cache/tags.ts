/** Tags under which replies can be purged: Surrogate-Key, Cache-Tag, and Cache-Groups of RFC 9875. */
import { isInnerList, readList } from '../structured-fields.js';
import { listOf, type ReadField } from './fields.js';

/** Tags of one reply of all kinds together; further ones do not count. */
const MOST_TAGS = 128;
/** Characters of one tag; longer ones do not count. RFC 9875 section 2 wants at least 32. */
const LONGEST_TAG = 256;

/** The tags of a reply, each once: of Surrogate-Key between spaces, of Cache-Tag between commas, of Cache-Groups as strings. */
export function tagsOf(reply: ReadField): readonly string[] {
  const tags = new Set<string>();
  const surrogate = reply('surrogate-key');
  const cacheTag = reply('cache-tag');
  // Several lines of Surrogate-Key are joined with commas.
  if (surrogate !== undefined) addAll(tags, wordsOf(surrogate));
  if (cacheTag !== undefined) addAll(tags, listOf(cacheTag, Number.MAX_SAFE_INTEGER) ?? []);
  addAll(tags, groupsOf(reply('cache-groups')));
  return [...tags];
}

/** The groups that a reply to an unsafe method makes invalid, RFC 9875 section 3: only those of the same origin. */
export const invalidatedGroups = (reply: ReadField): readonly string[] =>
  [...new Set(groupsOf(reply('cache-group-invalidation')))].slice(0, MOST_TAGS);

function addAll(tags: Set<string>, found: Iterable<string>): void {
  for (const tag of found) {
    if (tags.size >= MOST_TAGS) return;
    if (tag !== '' && tag.length <= LONGEST_TAG) tags.add(tag);
  }
}

const wordsOf = (text: string): readonly string[] => text.split(/[ \t,]/);

/** The strings of a structured list; none if the field is malformed. Members of other types and parameters do not count. */
function groupsOf(field: string | undefined): readonly string[] {
  if (field === undefined) return [];
  const groups: string[] = [];
  for (const member of readList(field) ?? [])
    if (!isInnerList(member) && typeof member[0] === 'string') groups.push(member[0]);
  return groups.filter((group) => group !== '' && group.length <= LONGEST_TAG);
}
