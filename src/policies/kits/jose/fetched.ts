/**
 * Documents that a duty fetches again and again, once for all workers: key sets, lists of revoked tokens. A failure of one does not
 * keep the others from being fetched.
 */
import type { DutyHost, DutyInstance, DutyReply, Json } from '../../contract.js';
import { freshFor } from '../http-cache/freshness.js';
import { readJson } from '../json.js';
import { readMetadata } from './discovery.js';
import { idOfSource, MAX_KEYS, type RemoteKeys } from './key-source.js';
import { keysOfSet, type PublicJwk } from './keys.js';

/** Bytes of a key set, or of metadata. */
const MAX_REPLY = 256 * 1024;
/** Milliseconds: the greatest time until the next fetch, whatever the reply says; and the least one of key sets. */
const MOST = 24 * 3_600_000;
export const LEAST = 30_000;

type Table = { readonly [name: string]: Json };

/** What a worker gets to its question: whether the document could be fetched, and when the next question may cause a fetch. */
export interface RefreshAnswer {
  readonly ok: boolean;
  /** Milliseconds of the monotonic clock. */
  readonly notBefore: number;
}

export interface FetchedParts {
  readonly id: string;
  /** Milliseconds between two fetches if the reply does not say, and the least and greatest one. */
  readonly refresh: number;
  readonly least: number;
  /** Milliseconds between two fetches because of questions. */
  readonly cooldown: number;
  /** What is published, besides the times; and the reply that says how long it is fresh. Throws an Error with a phrase. */
  fetch(host: DutyHost): Promise<{ readonly value: Table; readonly reply: DutyReply }>;
}

/** One document. */
class Fetched {
  readonly #parts: FetchedParts;
  readonly #host: DutyHost;
  /** With `fetchedAt` and `dueAt` in milliseconds of the monotonic clock, and `of`. */
  value: Table | undefined;
  #fetching: Promise<void> | undefined;
  /** When the last fetch began. */
  #triedAt = Number.NEGATIVE_INFINITY;
  /** Whether the last fetch has succeeded. */
  #ok = false;

  constructor(parts: FetchedParts, host: DutyHost, last: Table | undefined) {
    this.#parts = parts;
    this.#host = host;
    const { fetchedAt, dueAt } = last ?? {};
    // The value of an earlier duty is part of what is published next.
    this.value = typeof fetchedAt === 'number' && typeof dueAt === 'number' ? last : undefined;
  }

  get id(): string {
    return this.#parts.id;
  }

  get dueAt(): number {
    return (this.value?.['dueAt'] as number | undefined) ?? Number.NEGATIVE_INFINITY;
  }

  async ask(known: number, publish: () => void): Promise<RefreshAnswer> {
    const { cooldown } = this.#parts;
    const now = this.#host.clock.monotonic();
    const newer = this.value !== undefined && (this.value['fetchedAt'] as number) > known;
    // A failure is in the snapshot of the next run; here it is part of the answer.
    if (!newer && (this.#fetching !== undefined || now - this.#triedAt >= cooldown))
      await this.fetch(publish).catch(() => {});
    return { ok: newer || this.#ok, notBefore: this.#triedAt + cooldown };
  }

  /** One fetch at a time. */
  fetch(publish: () => void): Promise<void> {
    this.#fetching ??= this.#fetchOnce(publish).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(publish: () => void): Promise<void> {
    const { clock } = this.#host;
    this.#triedAt = clock.monotonic();
    this.#ok = false;
    const requestedAt = clock.now();
    const { value, reply } = await this.#parts.fetch(this.#host);
    const now = clock.monotonic();
    const times = { requestedAt, receivedAt: clock.now() };
    const fresh = freshFor((name) => reply.headers[name], times, { shared: false }) ?? this.#parts.refresh;
    const dueAt = now + Math.min(Math.max(fresh, this.#parts.least), MOST);
    this.value = { ...value, fetchedAt: now, dueAt, of: this.#parts.id };
    this.#ok = true;
    publish();
  }
}

/**
 * A duty that fetches several documents. `publish` makes one value of all that are there; `lastOf` finds a document in the value that
 * was published last.
 */
export class FetchedDuty implements DutyInstance {
  readonly #all: readonly Fetched[];
  readonly #host: DutyHost;
  readonly #compose: (values: readonly Table[]) => Json;

  constructor(parts: readonly FetchedParts[], host: DutyHost, compose: (values: readonly Table[]) => Json) {
    if (parts.length === 0) throw new Error('The policy has nothing to fetch.');
    this.#host = host;
    this.#compose = compose;
    const last = documentsIn(host.last);
    this.#all = parts.map(
      (one) =>
        new Fetched(
          one,
          host,
          last.find(({ of }) => of === one.id),
        ),
    );
  }

  /** Resolves with the time until the next document is due. Those of an earlier generation are not fetched again before. */
  async run(): Promise<number> {
    const { clock } = this.#host;
    const due = this.#all.filter((one) => one.dueAt <= clock.monotonic());
    const results = await Promise.allSettled(due.map((one) => one.fetch(this.#publish)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return Math.max(0, Math.min(...this.#all.map(({ dueAt }) => dueAt)) - clock.monotonic());
  }

  /** A worker lacks something. `question`: when what it has was fetched, and of which document if there are several. */
  async ask(question: Json): Promise<Json> {
    const { of, known } = isTable(question) ? question : { of: undefined, known: question };
    const wanted = this.#all.find(({ id }) => of === undefined || id === of) ?? this.#all[0]!;
    return { ...(await wanted.ask(typeof known === 'number' ? known : Number.NEGATIVE_INFINITY, this.#publish)) };
  }

  readonly #publish = (): void => {
    this.#host.publish(this.#compose(this.#all.flatMap(({ value }) => (value === undefined ? [] : [value]))));
  };
}

/** Every document in a published value: the value itself, or the members of its lists. */
function documentsIn(value: Json | undefined): readonly Table[] {
  if (!isTable(value)) return [];
  const inner = Object.values(value).flatMap((one) => (Array.isArray(one) ? (one as readonly Json[]) : [one]));
  return [value, ...inner.filter(isTable)];
}

const isTable = (value: Json | undefined): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A key set by URL or by the metadata of its issuer. Throws for a URL that cannot be fetched. */
export function fetchedKeys(source: RemoteKeys): FetchedParts {
  const { refresh, cooldown } = source;
  const id = idOfSource(source);
  if (id === undefined) throw new TypeError('The URL of the key set is an unresolved reference.');
  const common = { id, refresh, cooldown, least: LEAST };
  if (source.from === 'metadata') {
    const { issuer, urls } = source;
    return { ...common, fetch: async (host) => fetchKeySet(host, await keySetUrl(host, issuer, urls)) };
  }
  const url = source.url as string;
  const { protocol, username } = new URL(url);
  if (!/^https?:$/.test(protocol) || username !== '') throw new Error('The URL of the key set is not valid.');
  return { ...common, fetch: (host) => fetchKeySet(host, url) };
}

/** The usable keys of a set, and the reply, which says how long they are fresh. Throws if there are none. */
export async function fetchKeySet(
  host: DutyHost,
  url: string,
): Promise<{ readonly value: Table; readonly reply: DutyReply }> {
  const accept = 'application/jwk-set+json, application/json';
  const reply = await host.fetch(url, { headers: { accept }, maxReply: MAX_REPLY });
  if (reply.status !== 200) throw new Error(`the key set has status ${reply.status}`);
  return { value: { keys: readKeys(reply.body) }, reply };
}

/** The URL of the key set, from the first document that there is. */
async function keySetUrl(host: DutyHost, issuer: string, urls: readonly string[]): Promise<string> {
  let status = 0;
  for (const url of urls) {
    const reply = await host.fetch(url, { headers: { accept: 'application/json' }, maxReply: MAX_REPLY });
    if (reply.status === 200) return readMetadata(reply.body, issuer, url).jwksUri;
    status = reply.status;
    if (status !== 404) break;
  }
  throw new Error(`the metadata of the issuer has status ${status}`);
}

function readKeys(body: Uint8Array): readonly PublicJwk[] {
  const set = readJson(body);
  if (set.fault !== undefined) throw new Error('the key set is not JSON');
  const keys = keysOfSet(set.value, MAX_KEYS);
  if (keys === undefined) throw new Error('the reply is not a key set (JWKS)');
  if (keys.length === 0) throw new Error('the key set has no usable key');
  return keys;
}
