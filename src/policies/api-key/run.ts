/** api-key at run time: finds the credential, takes it off the request, finds its consumer by the key's digest. */
import * as crypto from 'node:crypto';
import type { ConsumerEntry, Exchange, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { problem, runPolicy, takeQueryParam } from '../run-kit.js';
import type { ApiKeySettings } from './schema.js';

/** Longer credentials are refused without hashing, so that a long field does not cost more. */
const MAX_KEY_LENGTH = 512;

/** `none`: no credential. `ambiguous`: several; gw does not choose one. */
type Found = Credential | 'none' | 'ambiguous';

interface Credential {
  readonly key: string;
  readonly fromHeader: boolean;
}

/** The last valid key of a connection, and its consumer: the key is not hashed again for each request. */
class Proven {
  constructor(
    readonly key: string,
    readonly fromHeader: boolean,
    readonly consumer: ConsumerEntry,
    /** Of the consumers, when the key was looked up. */
    readonly version: number,
  ) {}

  matches(key: string, fromHeader: boolean, version: number): boolean {
    return this.version === version && this.fromHeader === fromHeader && sameSecret(this.key, key);
  }
}

/** Takes a time that depends on the lengths only: other clients may share the connection (behind a proxy). */
function sameSecret(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let different = 0;
  for (let at = 0; at < one.length; at++) different |= one.charCodeAt(at) ^ other.charCodeAt(at);
  return different === 0;
}

export const create = runPolicy<ApiKeySettings>((settings, host) => new ApiKeyPolicy(settings, host));

class ApiKeyPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly clientFields: readonly string[];
  readonly secretParams: readonly string[];
  readonly #settings: ApiKeySettings;
  readonly #host: PolicyHost;
  readonly #prefix: string | undefined;
  readonly #challenge: string;

  constructor(settings: ApiKeySettings, host: PolicyHost) {
    this.requestFields = settings.header === undefined ? [] : [settings.header];
    // With a scheme, a credential of another scheme stays in the field.
    this.clientFields = settings.scheme === undefined ? this.requestFields : [];
    this.secretParams = settings.query === undefined ? [] : [settings.query];
    this.#settings = settings;
    this.#host = host;
    this.#prefix = settings.scheme === undefined ? undefined : `${settings.scheme.toLowerCase()} `;
    this.#challenge = `${settings.scheme ?? 'ApiKey'} realm="${settings.realm}"`;
  }

  before(exchange: Exchange): Reply | undefined {
    const found = this.#find(exchange);
    if (found === 'ambiguous') return this.#refuseAmbiguous(exchange);
    if (found === 'none') {
      if (!this.#settings.optional) return this.#refuseMissing(exchange);
      this.#decide(exchange, 'pass', 'no API key; the key is optional');
      return undefined;
    }
    const consumer = this.#consumerOf(exchange, found);
    if (consumer === undefined) return this.#refuseUnknown(exchange);
    exchange.consumer = consumer;
    this.#decide(exchange, 'pass', `API key of ${consumer.name}`);
    return undefined;
  }

  /** Removes the credential from the request, wherever it is: targets never get it. */
  #find(exchange: Exchange): Found {
    const { header, query } = this.#settings;
    const inHeader = header === undefined ? 'none' : this.#takeHeader(exchange, header);
    const inQuery = query === undefined ? 'none' : takeFromQuery(exchange, query);
    if (inQuery === 'none') return inHeader;
    return inHeader === 'none' ? inQuery : 'ambiguous';
  }

  #takeHeader(exchange: Exchange, name: string): Found {
    const value = exchange.headers.get(name);
    if (value === undefined) return 'none';
    const prefix = this.#prefix;
    const several = value.includes(',') && countFields(exchange, name) > 1;
    if (several) {
      exchange.headers.remove(name);
      return 'ambiguous';
    }
    if (prefix === undefined) {
      exchange.headers.remove(name);
      return { key: value, fromHeader: true };
    }
    // A credential of another scheme is for another policy, or for the target.
    if (value.slice(0, prefix.length).toLowerCase() !== prefix) return 'none';
    exchange.headers.remove(name);
    return { key: value.slice(prefix.length).trimStart(), fromHeader: true };
  }

  #consumerOf(exchange: Exchange, { key, fromHeader }: Credential): ConsumerEntry | undefined {
    const last = exchange.remembered(this);
    if (last instanceof Proven && last.matches(key, fromHeader, this.#host.consumers.version)) return last.consumer;
    if (key.length === 0 || key.length > MAX_KEY_LENGTH) return undefined;
    const plain = /^[\x20-\x7e]*$/.test(key);
    const digest = sha256(plain || !fromHeader ? key : Buffer.from(key, 'latin1'));
    // The lookup is by the digest of the key: its time says nothing about the key.
    const consumer = this.#host.consumers.byKey(digest);
    if (consumer !== undefined)
      exchange.remember(this, new Proven(key, fromHeader, consumer, this.#host.consumers.version));
    return consumer;
  }

  #refuseMissing(exchange: Exchange): Reply {
    this.#decide(exchange, 'answer', `no API key in ${this.#place()}`);
    return problem(exchange, {
      status: 401,
      code: 'auth/missing',
      title: 'API key required',
      detail: `Send it in ${this.#place()}.`,
      headers: { 'www-authenticate': this.#challenge },
    });
  }

  #refuseUnknown(exchange: Exchange): Reply {
    this.#decide(exchange, 'answer', 'unknown API key');
    return problem(exchange, {
      status: 401,
      code: 'auth/invalid',
      title: 'Unknown API key',
      headers: { 'www-authenticate': this.#challenge },
    });
  }

  #refuseAmbiguous(exchange: Exchange): Reply {
    this.#decide(exchange, 'answer', 'more than one API key');
    return problem(exchange, {
      status: 400,
      code: 'auth/ambiguous',
      title: 'More than one API key',
      detail: `Send exactly one, in ${this.#place()}.`,
    });
  }

  #place(): string {
    const { header, scheme, query } = this.#settings;
    const places: string[] = [];
    if (header !== undefined) {
      places.push(`the ${header} header field${scheme === undefined ? '' : `, after the word ${scheme}`}`);
    }
    if (query !== undefined) places.push(`the ${query} query parameter`);
    return places.join(' or ');
  }

  #decide(exchange: Exchange, outcome: 'pass' | 'answer', why: string): void {
    exchange.decisions?.push({ step: this.#host.name, use: 'api-key', outcome, why });
  }
}

function takeFromQuery(exchange: Exchange, name: string): Found {
  if (exchange.query === '') return 'none';
  const { rest, values } = takeQueryParam(exchange.query, name);
  if (values.length === 0) return 'none';
  exchange.query = rest;
  return values.length > 1 ? 'ambiguous' : { key: values[0]!, fromHeader: false };
}

function countFields(exchange: Exchange, name: string): number {
  let count = 0;
  for (const [field] of exchange.headers.entries()) if (field.toLowerCase() === name) count++;
  return count;
}

/**
 * Hex digits in lower case. The one-shot form (Node 20.12) makes no Hash object. Field values are read as Latin-1, one
 * character a byte, and the hash in the spec is over the key's bytes: hence a Buffer for those beyond ASCII.
 */
const sha256 = (data: string | Buffer): string => crypto.hash('sha256', data, 'hex');
