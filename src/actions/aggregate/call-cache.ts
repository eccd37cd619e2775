/** Fresh replies of a call are used again, RFC 9111. The caller is part of the key, and so is all that the call sends of its own. */
import * as crypto from 'node:crypto';
import type { ContentStore, Exchange } from '../../policies/contract.js';
import { type Assessment, assess, usefulUntil } from '../../policies/kits/http-cache/assess.js';
import { requestDirectives } from '../../policies/kits/http-cache/directives.js';
import { type FieldList, readFrom } from '../../policies/kits/http-cache/fields.js';
import { decide } from '../../policies/kits/http-cache/reuse.js';
import { tagsOf } from '../../policies/kits/http-cache/tags.js';
import { fieldsToStore } from '../../policies/kits/http-cache/update.js';
import { variantKey } from '../../policies/kits/http-cache/vary.js';
import { HeaderMap } from '../../policies/run-kit.js';
import type { Answer } from './outcome.js';
import type { RenderedRequest } from './request.js';
import type { CallSettings } from './schema.js';

/** Fields of clients that no policy sets to say who calls: replies depend on them only by Vary. */
const OF_CLIENTS =
  /^(accept-charset|accept-language|authorization|baggage|cache-control|cookie|dnt|forwarded|origin|pragma|priority|referer|sec-.*|te|traceparent|tracestate|upgrade-insecure-requests|user-agent|x-forwarded-(for|host|port|prefix|proto)|x-requested-with)$/;

/** What is stored beside the body; at the first place of a reply with Vary only the names. */
export type StoredCall =
  | { readonly vary: readonly string[] }
  | {
      readonly vary?: undefined;
      readonly status: number;
      readonly fields: FieldList;
      readonly assessment: Assessment;
    };

interface Read {
  readonly facts: StoredCall;
  readonly soft: boolean;
  readonly body: Buffer;
}

/** A reply with its body, whose content codings are removed. */
export type CachedReply = Omit<Answer, 'json'> & { readonly body: Uint8Array };

/** The cache of one call, for one request. */
export class CallCache {
  readonly #store: ContentStore<StoredCall>;
  readonly #call: CallSettings;
  readonly #exchange: Exchange;
  readonly #fields: FieldList;
  readonly #base: string;
  readonly #path: string;
  /** Who calls is in the key, and is known. */
  readonly #ofCaller: boolean;

  constructor(
    store: ContentStore<StoredCall>,
    call: CallSettings,
    exchange: Exchange,
    { headers = [], path }: RenderedRequest,
  ) {
    this.#store = store;
    this.#call = call;
    this.#exchange = exchange;
    this.#fields = [...headers];
    this.#path = path;
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

  /** A stored reply that is fresh; undefined for none. */
  async find(now: number): Promise<CachedReply | undefined> {
    const first = await this.#read(this.#base);
    if (first === undefined || first.facts.vary === undefined) return this.#usable(first, now);
    return this.#usable(await this.#read(this.#variant(first.facts.vary)), now);
  }

  #variant(names: readonly string[]): string {
    return digest([this.#base, variantKey(names, readFrom(this.#fields))]);
  }

  async #read(key: string): Promise<Read | undefined> {
    const content = await this.#store.get(key);
    if (content === undefined) return undefined;
    const { facts, parts, soft } = content;
    // A copy: the bytes of the store are only lent.
    const found = { facts: facts.data, soft, body: Buffer.concat(parts) };
    content.release();
    return found;
  }

  #usable(found: Read | undefined, now: number): CachedReply | undefined {
    if (found === undefined || found.facts.vary !== undefined) return undefined;
    const { assessment, fields, status } = found.facts;
    const asked = requestDirectives((name) => this.#exchange.headers.get(name));
    const { use } = decide(assessment, asked, now, { clientDirectives: true, soft: found.soft });
    if (use !== 'fresh') return undefined;
    const { initialAgeMs, receivedAt } = assessment;
    // Age is not stored; the time of the request is part of the initial age.
    const headers = new HeaderMap([...fields, ['age', String(Math.ceil(initialAgeMs / 1000))]]);
    return { status, headers, body: found.body, requestedAt: receivedAt, receivedAt };
  }

  /** Stores a reply if it may be. */
  keep({ body, headers, receivedAt, requestedAt, status }: CachedReply): void {
    const { cache, method } = this.#call;
    const fields = [...headers.entries()].map(([name, value]) => [name.toLowerCase(), value] as const);
    const reply = readFrom(fields);
    const assessment = assess(
      { method, fields: readFrom(this.#fields) },
      { status, fields: reply },
      { requestedAt, receivedAt },
      {
        shared: !this.#ofCaller,
        targets: [],
        clientDirectives: true,
        ...(cache?.ttl === undefined ? {} : { ttl: { ms: cache.ttl } }),
      },
    );
    if (!assessment.store) return;
    const { vary, withheldFields } = assessment;
    const expiresAt = usefulUntil(assessment, 0);
    const url = `http://${this.#call.service}${this.#path}`;
    const facts = {
      expiresAt,
      url,
      route: this.#exchange.route.name,
      tags: tagsOf(reply, `http://${this.#call.service}`),
    };
    const data: StoredCall = {
      status,
      fields: fieldsToStore(fields, withheldFields, receivedAt).filter(([name]) => !OF_CODING.has(name)),
      assessment,
    };
    let key = this.#base;
    if (vary.length > 0) {
      this.#store.put(this.#base, { ...facts, data: { vary } }, 0)?.commit();
      key = this.#variant(vary);
    }
    const writer = this.#store.put(key, { ...facts, data }, body.length);
    if (writer?.write(body) === true) writer.commit();
    else writer?.abort();
  }
}

/** About the coded body; the stored one has no coding. */
const OF_CODING = new Set(['content-encoding', 'content-length', 'content-digest', 'content-md5']);

const digest = (parts: readonly unknown[]): string => crypto.hash('sha256', JSON.stringify(parts), 'base64url');
