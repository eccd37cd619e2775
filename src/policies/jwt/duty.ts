/** Fetches the key set of an issuer, once for all workers. */
import type { DutyHost, DutyInstance, Json } from '../contract.js';
import { defineDuty } from '../kits/duty.js';
import { freshFor } from '../kits/freshness.js';
import { idOfUrl, keysOfSet, type PublicJwk } from './keys.js';
import type { JwtSettings, KeySource } from './schema.js';

/** Bytes of a key set, and the number of its keys that are used. */
const MAX_REPLY = 256 * 1024;
export const MAX_KEYS = 100;
/** Milliseconds: the least and the greatest time until the next fetch, whatever the reply says. */
const LEAST = 30_000;
const MOST = 24 * 3_600_000;

type Source = Extract<KeySource, { from: 'jwks' }>;

/** What a worker gets to its question: whether the key set could be fetched, and when the next question may cause a fetch. */
export interface RefreshAnswer {
  readonly ok: boolean;
  /** Milliseconds of the monotonic clock. */
  readonly notBefore: number;
}

export const createDuty = defineDuty<JwtSettings>(({ source }, host) => {
  // With keys in files or a secret, the declaration asks for no duty.
  if (source.from !== 'jwks') throw new Error('The policy has no key set to fetch.');
  return new KeySetDuty(source, host);
});

interface Fetched {
  /** Milliseconds of the monotonic clock. */
  readonly fetchedAt: number;
  readonly dueAt: number;
}

class KeySetDuty implements DutyInstance {
  readonly #source: Source;
  readonly #url: string;
  readonly #id: string;
  readonly #host: DutyHost;
  #fetched: Fetched | undefined;
  #fetching: Promise<void> | undefined;
  /** When the last fetch began. */
  #triedAt = Number.NEGATIVE_INFINITY;
  /** Whether the last fetch has succeeded. */
  #ok = false;

  constructor(source: Source, host: DutyHost) {
    this.#source = source;
    this.#url = typeof source.url === 'string' ? source.url : source.url.$ref;
    this.#id = idOfUrl(this.#url);
    this.#host = host;
    const { protocol, username } = new URL(this.#url);
    if (!/^https?:$/.test(protocol) || username !== '') throw new Error('The URL of the key set is not valid.');
    this.#fetched = fetchedOf(host.last, this.#id);
  }

  /** Resolves with the time until the keys are due. Those of an earlier generation are not fetched again before. */
  async run(): Promise<number> {
    const { clock } = this.#host;
    if (this.#fetched === undefined || this.#fetched.dueAt <= clock.monotonic()) await this.#fetch();
    return Math.max(0, (this.#fetched?.dueAt ?? 0) - clock.monotonic());
  }

  /** A worker has a token with an unknown key. `question`: when its keys were fetched. */
  async ask(question: Json): Promise<Json> {
    const { cooldown } = this.#source;
    const now = this.#host.clock.monotonic();
    const known = typeof question === 'number' ? question : Number.NEGATIVE_INFINITY;
    const newer = this.#fetched !== undefined && this.#fetched.fetchedAt > known;
    // A failure is in the snapshot of the next run; here it is part of the answer.
    if (!newer && (this.#fetching !== undefined || now - this.#triedAt >= cooldown))
      await this.#fetch().catch(() => {});
    return { ok: newer || this.#ok, notBefore: this.#triedAt + cooldown };
  }

  /** One fetch at a time. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    const { clock } = this.#host;
    this.#triedAt = clock.monotonic();
    this.#ok = false;
    const accept = 'application/jwk-set+json, application/json';
    const requestedAt = clock.now();
    const reply = await this.#host.fetch(this.#url, { headers: { accept }, maxReply: MAX_REPLY });
    if (reply.status !== 200) throw new Error(`the key set has status ${reply.status}`);
    const keys = readKeys(reply.body);
    const now = clock.monotonic();
    const times = { requestedAt, receivedAt: clock.now() };
    const fresh = freshFor((name) => reply.headers[name], times, { shared: false }) ?? this.#source.refresh;
    const dueAt = now + Math.min(Math.max(fresh, LEAST), MOST);
    this.#host.publish({ keys, fetchedAt: now, dueAt, of: this.#id });
    this.#fetched = { fetchedAt: now, dueAt };
    this.#ok = true;
  }
}

function readKeys(body: Uint8Array): readonly PublicJwk[] {
  let set: unknown;
  try {
    set = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new Error('the key set is not JSON');
  }
  const keys = keysOfSet(set, MAX_KEYS);
  if (keys === undefined) throw new Error('the reply is not a key set (JWKS)');
  if (keys.length === 0) throw new Error('the key set has no usable key');
  return keys;
}

/** When the last value was fetched, if a duty published it and it is of the same URL: a reference may have another value now. */
function fetchedOf(last: Json | undefined, id: string): Fetched | undefined {
  if (typeof last !== 'object' || last === null || !('fetchedAt' in last)) return undefined;
  const { fetchedAt, dueAt, of } = last;
  if (of !== id) return undefined;
  return typeof fetchedAt === 'number' && typeof dueAt === 'number' ? { fetchedAt, dueAt } : undefined;
}
