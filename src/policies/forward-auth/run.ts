/** forward-auth at run time: asks the service, and lets the request pass with the fields of its answer, or answers. */
import * as crypto from 'node:crypto';
import type { Awaitable, CallReply, Exchange, HeaderFields, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { freshFor } from '../kits/freshness.js';
import { BytesReply, callFailure, fieldSafe, HeaderMap, problem, runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { ForwardAuthSettings } from './schema.js';

export const create = runPolicy<ForwardAuthSettings>((settings, host) => new ForwardAuth(settings, host));

/** What an accepting answer says. */
interface Accepted {
  /** The fields for the target. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Name of the consumer. */
  readonly consumer: string | undefined;
}

class ForwardAuth implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly #settings: ForwardAuthSettings;
  readonly #host: PolicyHost;

  constructor(settings: ForwardAuthSettings, host: PolicyHost) {
    this.requestFields = settings.take;
    this.#settings = settings;
    this.#host = host;
  }

  before(exchange: Exchange): Awaitable<Reply | undefined> {
    return this.#settings.body && exchange.hasBody ? undefined : this.#decide(exchange, undefined);
  }

  onRequestBody(exchange: Exchange, body: Uint8Array): Promise<Reply | undefined> {
    return this.#decide(exchange, body);
  }

  async #decide(exchange: Exchange, body: Uint8Array | undefined): Promise<Reply | undefined> {
    const key = this.#keyOf(exchange);
    const kept = key === undefined ? undefined : await this.#host.cache.get(key);
    if (kept !== undefined) return this.#accept(exchange, JSON.parse(kept) as Accepted, 'accepted by a kept answer');
    const requestedAt = this.#host.clock.now();
    let reply: CallReply;
    try {
      reply = await this.#ask(exchange, body);
    } catch (error) {
      const failure = callFailure(error);
      if (failure === undefined) throw error;
      return this.#unavailable(exchange, failure.cause);
    }
    const { status, headers } = reply;
    if (status >= 200 && status < 300) {
      const accepted = this.#accepted(headers);
      if (key !== undefined) await this.#keep(key, accepted, headers, requestedAt);
      return this.#accept(exchange, accepted, `accepted with ${status}`);
    }
    if (status < 300 || status > 499 || status === 304) return this.#unavailable(exchange, `answered with ${status}`);
    return this.#refuse(exchange, reply);
  }

  #ask(exchange: Exchange, body: Uint8Array | undefined): Promise<CallReply> {
    const { service, path, method, timeout, maxAnswer: maxReply } = this.#settings;
    const headers = this.#fieldsOf(exchange);
    const request = { method, path, headers, timeout, maxReply, exchange };
    return this.#host.call(service, body === undefined ? request : { ...request, body });
  }

  *#fieldsOf(exchange: Exchange): Generator<readonly [string, string]> {
    const { send, body } = this.#settings;
    const { headers, method, path, query, host, scheme, remoteAddress } = exchange;
    // The body has them too, if it is sent.
    const names = body && exchange.hasBody ? [...send, 'content-type'] : send;
    for (const [name, value] of headers.entries())
      if (names.includes(name) && !OWN_FIELDS.includes(name)) yield [name, value];
    yield ['x-forwarded-method', method];
    yield ['x-forwarded-uri', fieldSafe(query === '' ? path : `${path}?${query}`)];
    yield ['x-forwarded-proto', scheme];
    yield ['x-forwarded-host', headers.get('host') ?? host];
    yield ['x-forwarded-for', remoteAddress];
  }

  #accepted(headers: HeaderFields): Accepted {
    const { take, consumer } = this.#settings;
    const fields = take.flatMap((name) => {
      const value = headers.get(name);
      return value === undefined ? [] : [[name, value] as const];
    });
    return { fields, consumer: consumer === undefined ? undefined : headers.get(consumer) };
  }

  #accept(exchange: Exchange, { fields, consumer: name }: Accepted, why: string): undefined {
    for (const own of this.#settings.take) exchange.headers.remove(own);
    for (const [field, value] of fields) exchange.headers.set(field, value);
    if (fields.length > 0) exchange.claims = Object.fromEntries(fields);
    const consumer = name === undefined ? undefined : this.#host.consumers.byName(name);
    if (consumer !== undefined) exchange.consumer = consumer;
    const who = consumer === undefined ? '' : `, consumer ${consumer.name}`;
    const { decisions } = exchange;
    decisions?.push({ step: this.#host.name, use: 'forward-auth', outcome: 'pass', why: `${why}${who}` });
    return undefined;
  }

  #refuse(exchange: Exchange, { status, headers, body }: CallReply): Reply {
    const fields = new HeaderMap();
    for (const [name, value] of headers.entries()) if (this.#settings.answer.includes(name)) fields.append(name, value);
    // The answer is for this caller, whatever its status lets a cache assume.
    if (fields.get('cache-control') === undefined) fields.set('cache-control', 'no-store');
    const { decisions } = exchange;
    decisions?.push({ step: this.#host.name, use: 'forward-auth', outcome: 'answer', why: `refused with ${status}` });
    const { code } = PROBLEMS.refused;
    return new BytesReply(status, { headers: fields, body, code, cause: `refused by ${this.#settings.service}` });
  }

  #unavailable(exchange: Exchange, why: string): Reply {
    const { service } = this.#settings;
    const { decisions } = exchange;
    decisions?.push({ step: this.#host.name, use: 'forward-auth', outcome: 'answer', why: `no decision: ${why}` });
    const { code, status, title } = PROBLEMS.unavailable;
    const headers = { 'retry-after': '5' };
    return problem(exchange, { code, status, title, headers, cause: `${service}: ${why}` });
  }

  /** Everything that the service gets and the spec does not exclude; a digest, since the store bounds keys. */
  #keyOf(exchange: Exchange): string | undefined {
    const { cache, send, body } = this.#settings;
    if (cache === undefined || body) return undefined;
    const { headers, method, path, query, remoteAddress } = exchange;
    const parts = { method, path, query, host: headers.get('host') ?? exchange.host, client: remoteAddress };
    const fields = send.map((name) => headers.get(name) ?? null);
    return crypto.hash('sha256', JSON.stringify([fields, cache.by.map((part) => parts[part])]), 'hex');
  }

  async #keep(key: string, accepted: Accepted, headers: HeaderFields, requestedAt: number): Promise<void> {
    const times = { requestedAt, receivedAt: this.#host.clock.now() };
    const { ttl } = this.#settings.cache!;
    const fresh = freshFor((name) => headers.get(name), times, { shared: false }) ?? ttl;
    if (fresh > 0) await this.#host.cache.set(key, JSON.stringify(accepted), Math.min(ttl, fresh));
  }
}

/** Fields that only gw writes into its requests to the service. */
const OWN_FIELDS: readonly string[] = [
  'x-forwarded-method',
  'x-forwarded-uri',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-for',
];
