/** A list of revoked tokens: by id, subject, client, issuer, or time of issue. */
import type { Claims, Json } from '../../contract.js';
import { readJson } from '../json.js';

/** A token is revoked if every member of an entry applies to it. */
export type RevokedEntry = {
  readonly jti?: string;
  readonly sub?: string;
  readonly client_id?: string;
  readonly iss?: string;
  /** Seconds since 1970: tokens that were issued earlier, or do not say when. */
  readonly issued_before?: number;
};

const MAX_ENTRIES = 100_000;
/** Entries without `jti`, `sub` and `client_id`, which are compared with every token. */
const MAX_GENERAL = 1000;
const TEXTS = ['jti', 'sub', 'client_id', 'iss'] as const;
const NAMES: readonly string[] = [...TEXTS, 'issued_before'];

/** The entries of `{"revoked": [...]}`, or what is wrong: a phrase that follows the name of the list. */
export function readRevocations(bytes: Uint8Array): readonly RevokedEntry[] | string {
  const read = readJson(bytes, 8);
  if (read.fault !== undefined) return 'is not valid JSON';
  return revokedEntries(read.value);
}

/** The same for a value that is read already. */
export function revokedEntries(value: Json): readonly RevokedEntry[] | string {
  const list = typeof value === 'object' && value !== null && 'revoked' in value ? value['revoked'] : undefined;
  if (!Array.isArray(list)) return 'has no list `revoked`';
  const entries = list as readonly Json[];
  if (entries.length > MAX_ENTRIES) return `has more than ${MAX_ENTRIES} entries`;
  for (const [index, entry] of entries.entries()) {
    const fault = entryFault(entry);
    if (fault !== undefined) return `has an entry that cannot be used, number ${index + 1}: ${fault}`;
  }
  const general = (entries as readonly RevokedEntry[]).filter((entry) => keyOf(entry) === undefined);
  if (general.length > MAX_GENERAL) return `has more than ${MAX_GENERAL} entries without jti, sub and client_id`;
  return entries as readonly RevokedEntry[];
}

/** An entry that says something else than it seems to would leave a token valid, or revoke all. */
function entryFault(entry: Json): string | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'it is not an object';
  const table = entry as { readonly [name: string]: Json };
  const unknown = Object.keys(table).find((name) => !NAMES.includes(name));
  if (unknown !== undefined) return 'it has an unknown member';
  if (Object.keys(table).length === 0) return 'it is empty, so it would revoke every token';
  for (const name of TEXTS)
    if (table[name] !== undefined && (typeof table[name] !== 'string' || table[name] === ''))
      return `its ${name} is not text`;
  const time = table['issued_before'];
  return time === undefined || (typeof time === 'number' && Number.isFinite(time))
    ? undefined
    : 'its time is no number';
}

/** The most selective member. */
const keyOf = ({ jti, sub, client_id }: RevokedEntry): string | undefined => {
  if (jti !== undefined) return `jti ${jti}`;
  if (sub !== undefined) return `sub ${sub}`;
  return client_id === undefined ? undefined : `client ${client_id}`;
};

export class Revocations {
  readonly #byKey = new Map<string, RevokedEntry[]>();
  readonly #general: RevokedEntry[] = [];

  constructor(entries: readonly RevokedEntry[]) {
    for (const entry of entries) {
      const key = keyOf(entry);
      const list = key === undefined ? this.#general : (this.#byKey.get(key) ?? []);
      if (key !== undefined) this.#byKey.set(key, list);
      list.push(entry);
    }
  }

  readonly revokes = (claims: Claims): boolean => {
    const { jti, sub, client_id: client } = claims;
    for (const key of [`jti ${jti}`, `sub ${sub}`, `client ${client}`])
      if (this.#byKey.get(key)?.some((entry) => applies(entry, claims)) === true) return true;
    return this.#general.some((entry) => applies(entry, claims));
  };
}

/** RFC 7519 wants texts; some issuers write numbers, and such a token must be revocable too. */
const textOf = (claim: Json | undefined): Json | undefined => (typeof claim === 'number' ? String(claim) : claim);

function applies(entry: RevokedEntry, claims: Claims): boolean {
  for (const name of TEXTS) if (entry[name] !== undefined && textOf(claims[name]) !== entry[name]) return false;
  if (entry.issued_before === undefined) return true;
  const { iat } = claims;
  return typeof iat !== 'number' || iat < entry.issued_before;
}
