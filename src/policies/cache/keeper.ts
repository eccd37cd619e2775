/** What the cache does with replies of the origin: storing, validation, stale replies in place of errors, invalidation. */
import type { Awaitable, ContentFacts, ContentNames, ContentStore, Exchange, PolicyHost, Reply } from '../contract.js';
import { type Assessment, type AssessOptions, assess, FOREVER_MS, usefulUntil } from '../kits/http-cache/assess.js';
import type { FieldList, ReadField } from '../kits/http-cache/fields.js';
import { invalidatedUrls } from '../kits/http-cache/invalidate.js';
import { currentAge, ERROR_STATUSES, isFresh, usableOnError } from '../kits/http-cache/reuse.js';
import { invalidatedTags, tagsOf } from '../kits/http-cache/tags.js';
import {
  fieldsToStore,
  headEffect,
  isAbout,
  passedFields,
  updatedFields,
  updatedView,
} from '../kits/http-cache/update.js';
import { matchesVariant, variantKey } from '../kits/http-cache/vary.js';
import { callFailure, problem } from '../run-kit.js';
import { addStatus, answer } from './answer.js';
import type { Counts } from './counts.js';
import { Fill } from './fill.js';
import type { Flights } from './flights.js';
import type { KeyMaker } from './key.js';
import { PROBLEMS } from './problems.js';
import type { CacheSettings } from './schema.js';
import { type CacheData, type Found, type ReplyData, type StoredReplies, StoredReply } from './stored.js';
import type { Visit } from './visit.js';

/** Milliseconds for which a stale reply with a validator is kept. */
const VALIDATION_MS = 86_400_000;
/** Bytes of a body for whose end requests wait, although each then validates the reply. */
const SMALL = 64 * 1024;

export interface KeeperParts {
  readonly settings: CacheSettings;
  readonly host: PolicyHost;
  readonly keys: KeyMaker;
  readonly store: ContentStore<CacheData>;
  readonly replies: StoredReplies;
  readonly flights: Flights;
  readonly counts: Counts;
}

/** A reply of the origin as it came. */
interface Received {
  readonly status: number;
  readonly read: ReadField;
  readonly fields: FieldList;
}

export class Keeper {
  readonly #parts: KeeperParts;
  readonly #options: AssessOptions;
  readonly #byStatus = new Map<number, AssessOptions>();

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    const { ttl, heuristic, targeted, clientDirectives, staleWhileRevalidate, staleIfError, negative } = parts.settings;
    const common: AssessOptions = {
      shared: true,
      targets: targeted,
      clientDirectives,
      ...(heuristic === null ? {} : { heuristic }),
      ...(staleWhileRevalidate > 0 ? { staleWhileRevalidateMs: staleWhileRevalidate } : {}),
      ...(staleIfError > 0 ? { staleIfErrorMs: staleIfError } : {}),
    };
    this.#options = ttl === null ? common : { ...common, ttl: { ms: ttl === 'forever' ? FOREVER_MS : ttl } };
    for (const [status, ms] of Object.entries(negative))
      this.#byStatus.set(Number(status), { ...common, ttl: { ms, statuses: [Number(status)] } });
  }

  /** The reply of the origin, or of gw in its place. Returns another reply, or undefined to pass this one on. */
  received(exchange: Exchange, visit: Visit, reply: Reply): Awaitable<Reply | undefined> {
    const { found } = visit;
    const unasked = reply.status === 304 && !visit.validating && visit.conditions === undefined;
    if (unasked) return this.#unusable(exchange, visit, reply);
    if (found !== undefined) {
      if (visit.validating && reply.status === 304) return this.#validated(exchange, visit, found, reply);
      if (isOutage(reply) && this.#mayBeStale(visit, found)) return this.#stale(exchange, visit, found, reply);
      if (exchange.method === 'HEAD') this.#compareHead(exchange, visit, found, reply);
      visit.release();
    }
    if (reply.code !== undefined) visit.flight?.land('alone');
    else visit.prolong(exchange, this.keep(exchange, visit, reply, found?.content.key));
    return undefined;
  }

  /** A 304 to a request without conditions: there is no reply that it could be about. */
  #unusable(exchange: Exchange, visit: Visit, reply: Reply): Reply {
    discardBody(reply);
    visit.flight?.land('alone');
    return problem(exchange, { ...PROBLEMS.unusable, cause: 'a 304 to a request without conditions' });
  }

  // ---------------------------------------------------------------- storing

  /** `method`: of the request that the reply is stored for. */
  #assess(
    method: string,
    exchange: Exchange,
    visit: Visit,
    { status, read }: Pick<Received, 'status' | 'read'>,
    now: number,
  ): Assessment {
    return assess(
      { method, fields: withoutCredentials(visit.request), authorized: this.isAuthorized(exchange, visit.request) },
      { status, fields: read },
      { requestedAt: visit.requestedAt, receivedAt: now },
      this.#byStatus.get(status) ?? this.#options,
    );
  }

  /** A 304 to a fetch in the background. */
  confirm(exchange: Exchange, visit: Visit, found: Found, reply: Reply): void {
    const { read, fields } = receivedOf(reply);
    if (isAbout(found.reply.read, read))
      this.update(exchange, visit, found, { read, fields }, this.#parts.host.clock.now());
    else void this.#parts.store.delete(found.content.key);
  }

  /**
   * RFC 9111 section 3.5 is about requests with Authorization. A credential that gw has checked and removed is no reason not to store
   * the reply if the caller is part of the key: then it answers only requests of that caller. One that an authenticator has let pass
   * without a consumer or claims is not.
   */
  isAuthorized(exchange: Exchange, request: ReadField): boolean {
    const named = exchange.consumer !== undefined || exchange.claims !== undefined;
    const ownKey = named && this.#parts.settings.key.consumer;
    if (ownKey) return request('authorization') !== undefined;
    return named || exchange.known || sentCredentials(exchange);
  }

  /**
   * Begins to store or share a reply. Returns whether its body is wanted: `fill` of the visit takes it. `replaced`: the key of the
   * stored reply that was validated; it goes if this one is not stored.
   */
  keep(exchange: Exchange, visit: Visit, reply: Reply, replaced?: string): boolean {
    const { host, store, replies, settings, flights } = this.#parts;
    const now = host.clock.now();
    const { status } = reply;
    const read: ReadField = (name) => reply.headers.get(name);
    const assessment = this.#assess(exchange.method, exchange, visit, { status, read }, now);
    exchange.decisions?.push({
      step: host.name,
      use: 'cache',
      outcome: 'pass',
      why: assessment.store ? assessment.why : `not stored: ${assessment.why}`,
    });
    const length = lengthOf(reply);
    if (!assessment.store || length > settings.maxEntry) {
      this.#landApart(visit);
      const outdated = !assessment.requestOnly && exchange.method === 'GET' && !isRefusal(status);
      if (replaced !== undefined && outdated) void store.delete(replaced);
      return false;
    }
    const data: ReplyData = {
      status,
      fields: fieldsToStore([...reply.headers.entries()], assessment.withheldFields, now),
      assessment,
    };
    const facts = this.facts(exchange, visit, read, data);
    const key = replies.keyFor(visit.key.text, facts, visit.request, visit.variants);
    const writer = store.put(key, facts, length);
    const { flight } = visit;
    // After put(): a purge that comes later finds the reply among those that are being written.
    if (store.purgedAt(facts) > visit.moment) {
      writer?.abort();
      flight?.land('again');
      return false;
    }
    const shared = flight !== undefined && isFresh(assessment, now);
    if (shared) this.#share(visit, data, facts, length);
    else if (length < 0 || length > SMALL) this.#landApart(visit);
    else if (flight !== undefined) flights.keepApart(visit.flightKey);
    if (writer === undefined && !shared) {
      flight?.land('alone');
      return false;
    }
    if (writer === undefined) flight?.leaveOthers();
    visit.reply = reply;
    visit.stores = writer !== undefined;
    visit.fill = new Fill({
      writer,
      flight,
      ended: (stored) => {
        if (stored) this.#parts.counts.stored++;
      },
    });
    const { body } = reply;
    if (body !== null && !(body instanceof Uint8Array) && hasContent(reply.status)) return true;
    if (body instanceof Uint8Array) visit.fill.write(body);
    visit.fill.end();
    visit.fill = undefined;
    return false;
  }

  /** The reply is not for the requests that wait, nor are further ones for others. */
  #landApart({ flight, flightKey }: Visit): void {
    if (flight === undefined) return;
    this.#parts.flights.keepApart(flightKey);
    flight.land('alone');
  }

  #share({ flight, request }: Visit, data: ReplyData, names: ContentNames, length: number): void {
    const reply = new StoredReply(data);
    const { vary } = data.assessment;
    const own = variantKey(vary, request);
    flight?.share({ reply, names, length, fits: (other) => matchesVariant(vary, own, other) });
  }

  /** `read`: the fields of the reply with the tags, which need not be among the stored ones. */
  facts(exchange: Exchange, { key }: Visit, read: ReadField, data: ReplyData): ContentFacts<ReplyData> {
    const forever = data.assessment.lifetimeMs >= FOREVER_MS;
    return {
      expiresAt: forever ? Number.POSITIVE_INFINITY : usefulUntil(data.assessment, VALIDATION_MS),
      url: key.url,
      route: exchange.route.name,
      tags: tagsOf(read, originOf(key.url)),
      data,
    };
  }

  // ---------------------------------------------------------------- validation

  /** The origin says that the stored reply is still right. */
  #validated(exchange: Exchange, visit: Visit, found: Found, reply: Reply): Awaitable<Reply | undefined> {
    const { host, counts } = this.#parts;
    const now = host.clock.now();
    const { read, fields } = receivedOf(reply);
    discardBody(reply);
    if (!isAbout(found.reply.read, read)) return this.#askAgain(exchange, visit, found);
    counts.validated++;
    const updated = this.update(exchange, visit, found, { read, fields }, now);
    visit.found = undefined;
    // Requests for a reply that is validated each time would do so in turn.
    if (isFresh(updated.assessment, now)) visit.flight?.land('again');
    else this.#landApart(visit);
    const ageSeconds = Math.floor(currentAge(updated.assessment, now) / 1000);
    exchange.decisions?.push({ step: host.name, use: 'cache', outcome: 'answer', why: 'validated: the stored reply' });
    const asked = { id: exchange.id, method: exchange.method, conditions: visit.conditions };
    const status = this.#status(visit, { fwdStatus: 304, stored: updated.assessment.store });
    const confirmed = answer(asked, updated, found.content, { ageSeconds, status });
    const { withheldFields } = updated.assessment;
    for (const [name, value] of passedFields(fields, withheldFields)) confirmed.headers.append(name, value);
    return confirmed;
  }

  /** Stores what a 304 or a reply to HEAD says of a stored reply; returns the reply as it is now. */
  update(
    exchange: Exchange,
    visit: Visit,
    { content, reply: stored }: Found,
    { read, fields }: Pick<Received, 'read' | 'fields'>,
    now: number,
  ): StoredReply {
    const { status } = stored;
    const view = updatedView(stored.fields, read);
    // Only replies to GET are stored, also if HEAD has updated them.
    const assessment = this.#assess('GET', exchange, visit, { status, read: view }, now);
    const data: ReplyData = {
      status,
      fields: updatedFields(stored.fields, fields, assessment.withheldFields, now),
      assessment,
    };
    const { store } = this.#parts;
    // With another Vary it would be found by the fields of the old one.
    const varies = assessment.vary.join() !== stored.assessment.vary.join();
    if (assessment.store && !varies) void store.refresh(content, this.facts(exchange, visit, view, data), visit.moment);
    // What only this request forbids is no reason to remove what others use.
    else if (!assessment.requestOnly) void store.delete(content.key);
    return new StoredReply(data);
  }

  /** The 304 is about another reply than the stored one: the request goes to the origin once more, without conditions. */
  async #askAgain(exchange: Exchange, visit: Visit, found: Found): Promise<Reply | undefined> {
    const { host, store } = this.#parts;
    void store.delete(found.content.key);
    visit.release();
    visit.flight?.land('alone');
    for (const name of ['if-none-match', 'if-modified-since']) exchange.headers.remove(name);
    visit.validating = false;
    let again: Reply;
    try {
      again = { ...(await host.background(exchange)) };
    } catch (error) {
      const failure = callFailure(error);
      if (failure === undefined) throw error;
      return problem(exchange, { ...PROBLEMS.unusable, cause: failure.cause });
    }
    if (visit.ended || again.status === 304) return this.#unusable(exchange, visit, again);
    this.keep(exchange, visit, again);
    const status = this.#status(visit, { stored: visit.stores });
    if (status !== undefined) addStatus(again.headers, status);
    return again;
  }

  #compareHead(exchange: Exchange, visit: Visit, found: Found, reply: Reply): void {
    if (reply.code !== undefined) return;
    const { read, fields } = receivedOf(reply);
    const effect = headEffect(reply.status, found.reply.read, found.content.length, read);
    if (effect === 'update') this.update(exchange, visit, found, { read, fields }, this.#parts.host.clock.now());
    else if (effect === 'invalidate') void this.#parts.store.delete(found.content.key);
  }

  // ---------------------------------------------------------------- errors

  #mayBeStale(visit: Visit, found: Found): boolean {
    const { settings, host } = this.#parts;
    const { content, reply } = found;
    const { soft } = content;
    const now = host.clock.now();
    const options = { clientDirectives: settings.clientDirectives, soft, softForMs: reply.softFor(soft, now) };
    return usableOnError(reply.assessment, visit.directives, now, options);
  }

  #stale(exchange: Exchange, visit: Visit, found: Found, reply: Reply): Reply {
    const { host, counts } = this.#parts;
    counts.stale++;
    discardBody(reply);
    visit.found = undefined;
    visit.flight?.land('alone');
    exchange.decisions?.push({
      step: host.name,
      use: 'cache',
      outcome: 'answer',
      why: `the origin failed (${reply.status}): the stale reply (stale-if-error)`,
    });
    const { assessment } = found.reply;
    const age = currentAge(assessment, host.clock.now());
    const status = this.#status(visit, {
      fwdStatus: reply.status,
      ttl: Math.floor((assessment.lifetimeMs - age) / 1000),
    });
    const asked = { id: exchange.id, method: exchange.method, conditions: visit.conditions };
    return answer(asked, found.reply, found.content, { ageSeconds: Math.floor(age / 1000), status });
  }

  #status(visit: Visit, more: { fwdStatus?: number; stored?: boolean; ttl?: number }) {
    return this.#parts.settings.statusField ? { fwd: visit.forwarded, ...more } : undefined;
  }

  // ---------------------------------------------------------------- invalidation

  /** An unsafe method has succeeded: what it may have changed is removed before its reply is sent. */
  invalidate(exchange: Exchange, url: string, reply: Reply): void | Promise<void> {
    const { store, keys, counts } = this.#parts;
    const read: ReadField = (name) => reply.headers.get(name);
    const pending: Promise<unknown>[] = [];
    const purge = (by: 'url' | 'tag', value: string): void => {
      counts.invalidated++;
      const purged = store.purge({ by, value }, false);
      if (purged instanceof Promise) pending.push(purged);
    };
    for (const target of invalidatedUrls(exchange.method, reply.status, url, read))
      purge('url', keys.canonical(target));
    for (const tag of invalidatedTags(exchange.method, reply.status, originOf(url), read)) purge('tag', tag);
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => {});
  }
}

const receivedOf = ({ status, headers }: Reply): Received => ({
  status,
  read: (name) => headers.get(name),
  fields: [...headers.entries()],
});

/** Whether the origin could not answer: it said so, or gw did in its place. An error of a step inside the cache is none. */
const isOutage = ({ status, code }: Reply): boolean =>
  ERROR_STATUSES.has(status) && (code === undefined || code.startsWith('upstream/') || code === 'exchange/timeout');

const withoutCredentials =
  (request: ReadField): ReadField =>
  (name) =>
    name === 'authorization' ? undefined : request(name);

const sentCredentials = (exchange: Exchange): boolean => exchange.received('authorization') !== undefined;

/** Bytes of the body; -1 if unknown. */
function lengthOf({ headers, body }: Reply): number {
  if (body === null) return 0;
  if (body instanceof Uint8Array) return body.length;
  const field = headers.get('content-length');
  return field !== undefined && /^\d{1,15}$/.test(field) ? Number(field) : -1;
}

/** Statuses that say something about the client or the origin, and nothing about the content. */
const REFUSALS = new Set([400, 401, 402, 403, 406, 407, 408, 421, 425, 429, 431, 451]);
const isRefusal = (status: number): boolean => status >= 500 || REFUSALS.has(status);

/** RFC 9110 section 6.4.1. */
const hasContent = (status: number): boolean => status !== 204 && status !== 205 && status !== 304;

function discardBody({ body }: Reply): void {
  if (body !== null && !(body instanceof Uint8Array)) body.discard();
}

const originOf = (url: string): string => url.slice(0, url.indexOf('/', url.indexOf('://') + 3));
