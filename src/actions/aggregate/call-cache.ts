/**
 * Replies of a call are used again, RFC 9111: fresh ones at once, stale ones after a validation. The caller is part of the key, and so
 * is all that the call sends of its own.
 *
 *     find()  fresh: the stored reply
 *             an equal call is in progress: wait for it, and look again
 *             otherwise: the call is sent, with conditions() if a stale reply can be validated
 *     then    304 -> validated(); 2xx -> keep(); a failure -> inPlaceOfFailure(); and always end()
 */
import * as crypto from 'node:crypto';
import type { Content, ContentFacts, ContentStore, Exchange } from '../../policies/contract.js';
import { type Assessment, assess, usefulUntil } from '../../policies/kits/http-cache/assess.js';
import { validationFields } from '../../policies/kits/http-cache/conditional.js';
import { type Directives, requestDirectives } from '../../policies/kits/http-cache/directives.js';
import { type FieldList, type ReadField, readFrom } from '../../policies/kits/http-cache/fields.js';
import { invalidatedUrls } from '../../policies/kits/http-cache/invalidate.js';
import { currentAge, decide, ERROR_STATUSES, usableOnError } from '../../policies/kits/http-cache/reuse.js';
import { invalidatedTags, tagsOf } from '../../policies/kits/http-cache/tags.js';
import { fieldsToStore, isAbout, updatedFields, updatedView } from '../../policies/kits/http-cache/update.js';
import { variantKey } from '../../policies/kits/http-cache/vary.js';
import { HeaderMap } from '../../policies/run-kit.js';
import type { CallFlights } from './call-flights.js';
import type { Answer } from './outcome.js';
import type { RenderedRequest } from './request.js';
import type { CallSettings } from './schema.js';

/** What the calls of an aggregate have stored, and which of them are in progress. */
export interface CallStore {
  readonly store: ContentStore<StoredCall>;
  readonly flights: CallFlights;
}

/** Fields of clients that no policy sets to say who calls: replies depend on them only by Vary. */
const OF_CLIENTS =
  /^(accept-charset|accept-language|authorization|baggage|cache-control|cookie|dnt|forwarded|origin|pragma|priority|referer|sec-.*|te|traceparent|tracestate|upgrade-insecure-requests|user-agent|x-forwarded-(for|host|port|prefix|proto)|x-requested-with)$/;

/** Milliseconds for which a stale reply with a validator is kept. */
const VALIDATION_MS = 86_400_000;
/** How often a call waits for others before it is sent. */
const MOST_TURNS = 3;

/** What is stored beside the body. */
interface StoredReply {
  readonly status: number;
  readonly fields: FieldList;
  readonly assessment: Assessment;
}

/** At the first place of a reply with Vary there are only the names. */
export type StoredCall = { readonly vary: readonly string[] } | (StoredReply & { readonly vary?: undefined });

interface Found {
  /** Pinned: to be released. */
  readonly content: Content<StoredCall>;
  readonly reply: StoredReply;
}

/** A reply with its body, whose content codings are removed. */
export type CachedReply = Omit<Answer, 'json'> & { readonly body: Uint8Array };

/** The head of a reply, with the times of its request in milliseconds since 1970. */
export type ReceivedHead = Omit<CachedReply, 'body'>;

/** The cache of one call, for one request. */
export class CallCache {
  readonly #store: ContentStore<StoredCall>;
  readonly #flights: CallFlights;
  readonly #call: CallSettings;
  readonly #exchange: Exchange;
  readonly #fields: FieldList;
  readonly #base: string;
  readonly #url: string;
  readonly #directives: Directives;
  /** Who calls is in the key, and is known. */
  readonly #ofCaller: boolean;
  /** A stored reply that must not be used as it is. */
  #stale: Found | undefined = undefined;
  /** Moment of the store before the call is sent. */
  #since = 0;
  /** Of the request, for changes that come before its reply. */
  #moment = 0;
  /** The key for which others wait. */
  #leads: string | undefined = undefined;
  #landing: { readonly landing: 'again' | 'alone'; readonly apart: boolean } = { landing: 'alone', apart: false };

  constructor(
    { flights, store }: CallStore,
    call: CallSettings,
    exchange: Exchange,
    { headers = [], path }: RenderedRequest,
  ) {
    this.#store = store;
    this.#flights = flights;
    this.#call = call;
    this.#exchange = exchange;
    this.#fields = [...headers];
    this.#url = urlOf(call.service, path);
    this.#directives = requestDirectives((name) => exchange.headers.get(name));
    const { claims, consumer, host, scheme } = exchange;
    const own = new Set(call.headers.map(([name]) => name));
    const sent = this.#fields.filter(([name]) => own.has(name) || !OF_CLIENTS.test(name));
    const read = readFrom(this.#fields);
    const caller = [consumer?.name ?? null, claims ?? null, read('authorization') ?? null, read('cookie') ?? null];
    const shared = call.cache?.shared === true;
    this.#ofCaller = !shared && caller.some((part) => part !== null);
    const { as, method, service } = call;
    this.#base = digest([service, method, path, host, scheme, as, sent, shared ? null : caller]);
  }

  // ---------------------------------------------------------------- before the call

  /** A stored reply to use; undefined: the call must be sent. Waits at most `ms` milliseconds for equal calls. */
  async find(now: () => number, ms: number): Promise<CachedReply | undefined> {
    // A client that asks for a reply of a certain age must not get one that was asked for before.
    const alone = this.#directives.values.size > 0;
    for (let turn = 0; ; turn++) {
      const { found, key } = await this.#lookup();
      if (found !== undefined && this.#isUsable(found, now())) return this.#used(found, now());
      if (alone || turn >= MOST_TURNS) return this.#miss(found);
      const leads = this.#flights.lead(key);
      if (leads === true) this.#leads = key;
      if (leads !== false) return this.#miss(found);
      found?.content.release();
      if ((await this.#flights.wait(key, ms)) === 'alone') return this.#miss((await this.#lookup()).found);
    }
  }

  #miss(found: Found | undefined): undefined {
    this.#stale = found;
    this.#since = this.#store.moment();
  }

  async #lookup(): Promise<{ readonly key: string; readonly found?: Found | undefined }> {
    const first = await this.#store.get(this.#base);
    if (first === undefined) return { key: this.#base };
    const { data } = first.facts;
    if (data.vary === undefined) return { key: this.#base, found: { content: first, reply: data } };
    first.release();
    const key = this.#variant(data.vary);
    const content = await this.#store.get(key);
    if (content === undefined) return { key };
    const reply = content.facts.data;
    if (reply.vary === undefined) return { key, found: { content, reply } };
    content.release();
    return { key };
  }

  #variant(names: readonly string[]): string {
    return digest([this.#base, variantKey(names, readFrom(this.#fields))]);
  }

  #isUsable({ content, reply }: Found, now: number): boolean {
    const { use } = decide(reply.assessment, this.#directives, now, { clientDirectives: true, soft: content.soft });
    return use === 'fresh' || use === 'stale';
  }

  /** A copy of the body: the bytes of the store are only lent. */
  #used({ content, reply: { assessment, fields, status } }: Found, now: number): CachedReply {
    const body = Buffer.concat(content.parts);
    content.release();
    // Age is not stored. The time of the request is part of it.
    const age = String(Math.ceil(currentAge(assessment, now) / 1000));
    return { status, headers: new HeaderMap([...fields, ['age', age]]), body, requestedAt: now, receivedAt: now };
  }

  // ---------------------------------------------------------------- the call

  /** The call is about to be sent: fields with which the service says whether the stored reply is still right. */
  conditions(now: number): FieldList {
    this.#moment = this.#flights.moment;
    const stored = this.#stale;
    return stored === undefined ? [] : (validationFields(readFrom(stored.reply.fields), now) ?? []);
  }

  /** The stored reply after a 304. Undefined: that is about another reply, so the call is sent again without conditions. */
  validated({ headers, receivedAt, requestedAt }: ReceivedHead): CachedReply | undefined {
    const found = this.#stale;
    this.#stale = undefined;
    if (found === undefined) return undefined;
    const { content, reply: stored } = found;
    const fresh = listed(headers);
    const read = readFrom(fresh);
    if (!isAbout(readFrom(stored.fields), read)) {
      void this.#store.delete(content.key);
      content.release();
      return undefined;
    }
    const view = updatedView(stored.fields, read);
    const assessment = this.#assess(stored.status, view, { requestedAt, receivedAt });
    const fields = updatedFields(stored.fields, fresh, assessment.withheldFields, receivedAt).filter(isOfContent);
    const reply: StoredReply = { status: stored.status, fields, assessment };
    const varies = assessment.vary.join() !== stored.assessment.vary.join();
    if (assessment.store && !varies) void this.#store.refresh(content, this.#facts(view, reply), this.#since);
    else if (!assessment.requestOnly) void this.#store.delete(content.key);
    this.#landAs(assessment, receivedAt, !varies);
    return this.#used({ content, reply }, receivedAt);
  }

  /** Stores a reply if it may be. */
  keep({ body, headers, receivedAt, requestedAt, status }: CachedReply): void {
    const fields = listed(headers);
    const read = readFrom(fields);
    const assessment = this.#assess(status, read, { requestedAt, receivedAt });
    if (!assessment.store) {
      if (!assessment.requestOnly) this.outdate();
      this.#landAs(assessment, receivedAt, true);
      return;
    }
    if (this.#flights.hasChanged(this.#url, this.#moment)) return;
    const { vary, withheldFields } = assessment;
    const reply: StoredReply = {
      status,
      fields: fieldsToStore(fields, withheldFields, receivedAt).filter(isOfContent),
      assessment,
    };
    const facts = this.#facts(read, reply);
    let key = this.#base;
    if (vary.length > 0) {
      this.#store.put(this.#base, { ...facts, data: { vary } }, 0)?.commit();
      key = this.#variant(vary);
    }
    const writer = this.#store.put(key, facts, body.length);
    // After put(): a purge that comes later finds the reply in the store. Calls that wait for one from before it look again.
    if (this.#store.purgedAt(facts) > this.#since) {
      writer?.abort();
      this.#landing = { landing: 'again', apart: false };
      return;
    }
    const written = writer?.write(body) === true;
    if (written) writer?.commit();
    else writer?.abort();
    if (written) this.#landAs(assessment, receivedAt, true);
  }

  /** The service has another reply now, which is not stored: the stored one goes. */
  outdate(): void {
    if (this.#stale !== undefined) void this.#store.delete(this.#stale.content.key);
  }

  /** A stale reply in place of a failure, RFC 5861 section 4. `status`: of the service; undefined: it sent no reply. */
  inPlaceOfFailure(status: number | undefined, now: number): CachedReply | undefined {
    const found = this.#stale;
    if (found === undefined || (status !== undefined && !ERROR_STATUSES.has(status))) return undefined;
    const options = { clientDirectives: true, soft: found.content.soft };
    if (!usableOnError(found.reply.assessment, this.#directives, now, options)) return undefined;
    this.#stale = undefined;
    return this.#used(found, now);
  }

  /** The exchange has ended before the call: others that wait for it do not. */
  abandoned(): void {
    this.#landing = { landing: 'again', apart: false };
  }

  /** The call has ended, in whatever way. Idempotent. */
  end(): void {
    this.#stale?.content.release();
    this.#stale = undefined;
    const key = this.#leads;
    this.#leads = undefined;
    if (key !== undefined) this.#flights.land(key, this.#landing.landing, this.#landing.apart);
  }

  /** What calls do that wait: a reply that is fresh in the store is for them. */
  #landAs(assessment: Assessment, now: number, stored: boolean): void {
    const fresh = !assessment.noCache && currentAge(assessment, now) < assessment.lifetimeMs;
    const shared = assessment.store && fresh;
    // What the credentials of one caller forbid says nothing about the replies for others.
    this.#landing = { landing: shared && stored ? 'again' : 'alone', apart: !shared && !assessment.requestOnly };
  }

  #assess(status: number, fields: ReadField, times: { readonly requestedAt: number; readonly receivedAt: number }) {
    const { cache, method } = this.#call;
    return assess({ method, fields: readFrom(this.#fields) }, { status, fields }, times, {
      shared: !this.#ofCaller,
      targets: [],
      clientDirectives: true,
      ...(cache?.ttl === undefined ? {} : { ttl: { ms: cache.ttl } }),
    });
  }

  #facts(read: ReadField, reply: StoredReply): ContentFacts<StoredCall> {
    const { assessment } = reply;
    return {
      expiresAt: usefulUntil(assessment, assessment.validators ? VALIDATION_MS : 0),
      url: this.#url,
      route: this.#exchange.route.name,
      tags: tagsOf(read, urlOf(this.#call.service, '')),
      data: reply,
    };
  }
}

/** What a call with effects has changed is removed, RFC 9111 section 4.4; replies that are on their way are not stored. */
export async function invalidate(
  { flights, store }: CallStore,
  { method, service }: CallSettings,
  path: string,
  { headers, status }: Pick<ReceivedHead, 'headers' | 'status'>,
): Promise<void> {
  const read: ReadField = (name) => headers.get(name);
  for (const value of invalidatedUrls(method, status, urlOf(service, path), read)) {
    flights.change(value);
    await store.purge({ by: 'url', value }, false);
  }
  for (const value of invalidatedTags(method, status, urlOf(service, ''), read))
    await store.purge({ by: 'tag', value }, false);
}

/** A URL of a call, for purges: the service is its host. */
const urlOf = (service: string, path: string): string => `http://${service}${path}`;

const listed = (headers: Answer['headers']): FieldList =>
  [...headers.entries()].map(([name, value]) => [name.toLowerCase(), value] as const);

/** About the coded body; the stored one has no coding. */
const OF_CODING = new Set(['content-encoding', 'content-length', 'content-digest', 'content-md5']);
const isOfContent = ([name]: FieldList[number]): boolean => !OF_CODING.has(name);

const digest = (parts: readonly unknown[]): string => crypto.hash('sha256', JSON.stringify(parts), 'base64url');
