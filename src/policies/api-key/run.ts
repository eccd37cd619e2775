/** api-key at run time: finds the credential, and its consumer by the key's digest. */
import * as crypto from 'node:crypto';
import type { Absent, Authentication, Exchange, Identity, PolicyHost, PolicyInstance, Refused } from '../contract.js';
import { afterScheme, runPolicy, takeQueryParam } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { ApiKeySettings } from './schema.js';

/** Longer credentials are refused without hashing, so that a long field does not cost more. */
const MAX_KEY_LENGTH = 512;

/** `none`: no credential. `ambiguous`: several; gw does not choose one. */
type Found = Credential | 'none' | 'ambiguous';

interface Credential {
  readonly key: string;
  readonly fromHeader: boolean;
}

/** The last valid key of a connection, and whose it is: the key is not hashed again for each request. */
class Proven {
  constructor(
    readonly key: string,
    readonly fromHeader: boolean,
    readonly identity: Identity,
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
  /** In lower case. */
  readonly #scheme: string | undefined;
  readonly #absent: Absent;
  readonly #unknown: Refused;
  readonly #ambiguous: Refused;

  constructor(settings: ApiKeySettings, host: PolicyHost) {
    this.requestFields = settings.header === undefined ? [] : [settings.header];
    // With a scheme, a credential of another scheme stays in the field.
    this.clientFields = settings.scheme === undefined ? this.requestFields : [];
    this.secretParams = settings.query === undefined ? [] : [settings.query];
    this.#settings = settings;
    this.#host = host;
    this.#scheme = settings.scheme?.toLowerCase();
    const challenge = `${settings.scheme ?? 'ApiKey'} realm="${settings.realm}"`;
    this.#absent = {
      outcome: 'absent',
      pass: settings.optional,
      why: settings.optional ? 'no API key; the key is optional' : `no API key in ${this.#place()}`,
      problem: { ...PROBLEMS.missing, detail: `Send it in ${this.#place()}.`, challenge },
    };
    const unknown = { ...PROBLEMS.invalid, challenge };
    this.#unknown = { outcome: 'refused', why: 'unknown API key', problem: unknown };
    const detail = `Send exactly one, in ${this.#place()}.`;
    const several = { ...PROBLEMS.ambiguous, detail };
    this.#ambiguous = { outcome: 'refused', why: 'more than one API key', problem: several };
  }

  authenticate(exchange: Exchange): Authentication {
    const found = this.#find(exchange);
    if (found === 'ambiguous') return this.#ambiguous;
    if (found === 'none') return this.#absent;
    return this.#identityOf(exchange, found) ?? this.#unknown;
  }

  #find(exchange: Exchange): Found {
    const { header, query } = this.#settings;
    const inHeader = header === undefined ? 'none' : this.#inHeader(exchange, header);
    const inQuery = query === undefined ? 'none' : inQueryOf(exchange, query);
    if (inQuery === 'none') return inHeader;
    return inHeader === 'none' ? inQuery : 'ambiguous';
  }

  #inHeader(exchange: Exchange, name: string): Found {
    const value = exchange.headers.get(name);
    if (value === undefined) return 'none';
    if (value.includes(',') && countFields(exchange, name) > 1) return 'ambiguous';
    const key = this.#keyIn(value);
    return key === undefined ? 'none' : { key, fromHeader: true };
  }

  /** Undefined for a credential of another scheme. */
  #keyIn(value: string): string | undefined {
    return this.#scheme === undefined ? value : afterScheme(value, this.#scheme);
  }

  /** Targets never get a key, wherever it is. A credential of another scheme is for another policy, or for the target. */
  strip(exchange: Exchange): void {
    const { header, query } = this.#settings;
    if (header !== undefined) {
      const value = exchange.headers.get(header);
      if (value !== undefined && this.#keyIn(value) !== undefined) exchange.headers.remove(header);
    }
    if (query !== undefined && exchange.query !== '') exchange.query = takeQueryParam(exchange.query, query).rest;
  }

  #identityOf(exchange: Exchange, { key, fromHeader }: Credential): Identity | undefined {
    const { consumers } = this.#host;
    const last = exchange.remembered(this);
    if (last instanceof Proven && last.matches(key, fromHeader, consumers.version)) return last.identity;
    if (key.length === 0 || key.length > MAX_KEY_LENGTH) return undefined;
    const plain = /^[\x20-\x7e]*$/.test(key);
    // The lookup is by the digest of the key: its time says nothing about the key.
    const known = consumers.byKey(sha256(plain || !fromHeader ? key : Buffer.from(key, 'latin1')));
    if (known === undefined) return undefined;
    const identity: Identity = {
      outcome: 'identity',
      ...known,
      refusal: this.#unknown.problem,
      why: `API key of ${known.consumer.name}`,
    };
    exchange.remember(this, new Proven(key, fromHeader, identity, consumers.version));
    return identity;
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
}

function inQueryOf(exchange: Exchange, name: string): Found {
  if (exchange.query === '') return 'none';
  const { values } = takeQueryParam(exchange.query, name);
  if (values.length === 0) return 'none';
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
