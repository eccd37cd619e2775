/** forward-auth at run time: asks the service who calls. Its answer is the identity, with fields for the target, or goes to the client. */
import * as crypto from 'node:crypto';
import type {
  Absent,
  Authentication,
  CallReply,
  CollectBody,
  Exchange,
  HeaderFields,
  Identity,
  PolicyHost,
  PolicyInstance,
  Refused,
} from '../contract.js';
import { freshFor } from '../kits/http-cache/freshness.js';
import { BytesReply, callFailure, fieldSafe, HeaderMap, runPolicy } from '../run-kit.js';
import { OWN_FIELDS } from './own-fields.js';
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
  readonly identityFields: readonly string[];
  readonly #settings: ForwardAuthSettings;
  readonly #host: PolicyHost;

  constructor(settings: ForwardAuthSettings, host: PolicyHost) {
    this.requestFields = settings.take;
    this.identityFields = settings.take;
    this.#settings = settings;
    this.#host = host;
  }

  async authenticate(exchange: Exchange, collect: CollectBody): Promise<Authentication> {
    const { body: most } = this.#settings;
    const body = most === undefined || !exchange.hasBody ? undefined : await collect(most);
    return body === undefined || body instanceof Uint8Array ? this.#decide(exchange, body) : body;
  }

  /** The fields of an accepting answer are those of the service alone. */
  strip(exchange: Exchange): void {
    for (const name of this.#settings.take) exchange.headers.remove(name);
  }

  async #decide(exchange: Exchange, body: Uint8Array | undefined): Promise<Authentication> {
    const { service } = this.#settings;
    const key = this.#keyOf(exchange);
    const kept = key === undefined ? undefined : await this.#host.cache.get(key);
    if (kept !== undefined) return this.#identity(JSON.parse(kept) as Accepted, 'accepted by a kept answer');
    const requestedAt = this.#host.clock.now();
    let reply: CallReply;
    try {
      reply = await this.#ask(exchange, body);
    } catch (error) {
      const failure = callFailure(error);
      if (failure === undefined) throw error;
      return { outcome: 'unavailable', why: `${service}: ${failure.cause}` };
    }
    const { status, headers } = reply;
    if (status >= 200 && status < 300) {
      const accepted = this.#accepted(headers);
      if (key !== undefined) await this.#keep(key, accepted, headers, requestedAt);
      return this.#identity(accepted, `accepted with ${status}`);
    }
    if (status < 300 || status > 499 || status === 304)
      return { outcome: 'unavailable', why: `${service}: answered with ${status}` };
    return this.#refused(exchange, reply);
  }

  #ask(exchange: Exchange, body: Uint8Array | undefined): Promise<CallReply> {
    const { cache, service, path, method, timeout, maxAnswer: maxReply } = this.#settings;
    const headers = this.#fieldsOf(exchange);
    // A kept answer must depend on nothing but its key.
    const request = { method, path, headers, timeout, maxReply, exchange, shared: cache !== undefined };
    return this.#host.call(service, body === undefined ? request : { ...request, body });
  }

  *#fieldsOf(exchange: Exchange): Generator<readonly [string, string]> {
    const { send, body } = this.#settings;
    const { headers, method, path, query, host, scheme, remoteAddress } = exchange;
    // The body has them too, if it is sent.
    const names = body !== undefined && exchange.hasBody ? [...send, 'content-type'] : send;
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

  #identity({ fields, consumer: name }: Accepted, why: string): Identity {
    const consumer = name === undefined ? undefined : this.#host.consumers.byName(name);
    const claims = fields.length === 0 ? undefined : Object.fromEntries(fields);
    const who = consumer === undefined ? '' : `, consumer ${consumer.name}`;
    return { outcome: 'identity', consumer, claims, fields, why: `${why}${who}` };
  }

  /** The answer of the service goes to the client. */
  #refused(exchange: Exchange, { status, headers, body }: CallReply): Absent | Refused {
    const { answer, service } = this.#settings;
    const fields = new HeaderMap();
    // The body cannot be read without its coding.
    for (const [name, value] of headers.entries())
      if (answer.includes(name) || name === 'content-encoding') fields.append(name, value);
    // The answer is for this caller, whatever its status lets a cache assume.
    if (fields.get('cache-control') === undefined) fields.set('cache-control', 'no-store');
    const { code, title } = PROBLEMS.refused;
    const why = `refused with ${status} by ${service}`;
    const reply = new BytesReply(status, { headers: fields, body, code });
    const challenge = fields.get('www-authenticate');
    const problem = { status, code, title, ...(challenge === undefined ? {} : { challenge }) };
    return { outcome: this.#lacksCredential(exchange, status) ? 'absent' : 'refused', why, problem, reply };
  }

  /** Whether the service asks for a credential that the request does not have. Other statuses are decisions about the request. */
  #lacksCredential({ headers }: Exchange, status: number): boolean {
    const { credentials } = this.#settings;
    if (credentials.length === 0 || (status > 399 && status !== 401)) return false;
    return credentials.every((name) => (headers.get(name) ?? '') === '');
  }

  /** Everything that the service gets and the spec does not exclude; a digest, since the store bounds keys. */
  #keyOf(exchange: Exchange): string | undefined {
    const { cache, send, body } = this.#settings;
    if (cache === undefined || body !== undefined) return undefined;
    const { headers, method, path, query, remoteAddress, scheme } = exchange;
    const parts = { method, path, query, host: headers.get('host') ?? exchange.host, client: remoteAddress };
    const fields = send.map((name) => headers.get(name) ?? null);
    return crypto.hash('sha256', JSON.stringify([scheme, fields, cache.by.map((part) => parts[part])]), 'hex');
  }

  async #keep(key: string, accepted: Accepted, headers: HeaderFields, requestedAt: number): Promise<void> {
    const times = { requestedAt, receivedAt: this.#host.clock.now() };
    const { ttl } = this.#settings.cache!;
    const fresh = freshFor((name) => headers.get(name), times, { shared: false }) ?? ttl;
    if (fresh > 0) await this.#host.cache.set(key, JSON.stringify(accepted), Math.min(ttl, fresh));
  }
}
