/** What the table knows of a consumer besides its name and the digests of its credentials, as JSON. */
import type { ConsumerEntry, CredentialEntry } from '../../bundle/types.js';

/** `[plan, tags, groups, flags, credentials]`. Without the last one, all credentials are keys with the usual names. */
type Rest = readonly [
  plan: string | null,
  tags: ConsumerEntry['tags'],
  groups?: readonly string[],
  flags?: number,
  credentials?: readonly Omit<CredentialEntry, 'id'>[],
];

const DISABLED = 1;
const KEEP_STREAMS = 2;

/** Writes the texts of consumers. Most have no tags, groups and attributes, and few plans exist. */
export class RestTexts {
  readonly #byPlan = new Map<string | undefined, string>();

  of(consumer: ConsumerEntry): string {
    if (!isPlain(consumer)) return textOf(consumer);
    let text = this.#byPlan.get(consumer.plan);
    if (text === undefined) {
      text = textOf(consumer);
      this.#byPlan.set(consumer.plan, text);
    }
    return text;
  }
}

function isPlain({ tags, groups, disabled, keepStreams, credentials }: ConsumerEntry): boolean {
  for (const _ in tags) return false;
  return groups.length === 0 && disabled !== true && keepStreams !== true && credentials.every(isUsual);
}

/** A key without attributes, named by its number, as `api_keys` declares it. */
function isUsual({ kind, name, data, expires, disabled, addresses }: CredentialEntry, index: number): boolean {
  if (kind !== 'key' || name !== usualName(index)) return false;
  return data === undefined && expires === undefined && disabled !== true && addresses === undefined;
}

const usualName = (index: number): string => `key-${index + 1}`;

function textOf({ plan, tags, groups, disabled, keepStreams, credentials }: ConsumerEntry): string {
  const flags = (disabled === true ? DISABLED : 0) | (keepStreams === true ? KEEP_STREAMS : 0);
  const rest: Rest = [plan ?? null, tags, groups, flags, credentials.map(withoutDigest)];
  let length = 5;
  if (credentials.every(isUsual)) length = flags !== 0 ? 4 : groups.length > 0 ? 3 : 2;
  return JSON.stringify(rest.slice(0, length));
}

/** The id of a key is its digest, which the table has. */
function withoutDigest(credential: CredentialEntry): Omit<CredentialEntry, 'id'> {
  if (credential.kind !== 'key') return credential;
  const { id: _, ...rest } = credential;
  return rest;
}

/** Reads a text. `keyIds`: the digest of each credential as the id of a key. */
export function readRest(name: string, text: string, keyIds: readonly string[]): ConsumerEntry {
  const [plan, tags, groups = [], flags = 0, attributes] = JSON.parse(text) as Rest;
  return {
    name,
    ...(plan === null ? {} : { plan }),
    groups,
    tags,
    ...((flags & DISABLED) === 0 ? {} : { disabled: true }),
    ...((flags & KEEP_STREAMS) === 0 ? {} : { keepStreams: true }),
    credentials: keyIds.map((id, at): CredentialEntry => {
      if (attributes === undefined) return { kind: 'key', name: usualName(at), id };
      const credential = attributes[at]!;
      return credential.kind === 'key' ? { ...credential, id } : (credential as CredentialEntry);
    }),
  };
}
