/**
 * The kit of the run parts of policies and of the engine: replies by gw, header fields, templates. At run time it imports
 * only built-in modules of Node and the syntax of fields, so that a data plane never loads a compiler.
 */
import { STATUS_CODES } from 'node:http';
import type { TemplateEntry } from '../bundle/types.js';
import { assertField, type ReadyField } from '../field-syntax.js';
import type { CreatePolicy, Exchange, HeaderFields, Json, Reply } from './contract.js';

export { assertField, readyField } from '../field-syntax.js';

/** A run part with typed settings: those that compile() of the same policy returned. */
export const runPolicy =
  <Settings extends Json>(create: CreatePolicy<Settings>): CreatePolicy =>
  (settings, host) =>
    create(settings as Settings, host);

// ---------------------------------------------------------------- header fields

/** Header fields in order, for replies by gw and for exchanges that run offline. Names in any case. */
export class HeaderMap implements HeaderFields {
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  constructor(fields?: Iterable<readonly [string, string]>) {
    if (fields) for (const [name, value] of fields) this.append(name, value);
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    let joined: string | undefined;
    for (let at = this.#names.indexOf(key); at >= 0; at = this.#names.indexOf(key, at + 1)) {
      const value = this.#values[at]!;
      joined = joined === undefined ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  set(name: string, value: string): void {
    assertField(name, value);
    this.remove(name);
    this.#names.push(name.toLowerCase());
    this.#values.push(value);
  }

  append(name: string, value: string): void {
    assertField(name, value);
    this.#names.push(name.toLowerCase());
    this.#values.push(value);
  }

  add({ name, value }: ReadyField): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  remove(name: string): void {
    const key = name.toLowerCase();
    for (let at = this.#names.indexOf(key); at >= 0; at = this.#names.indexOf(key, at)) {
      this.#names.splice(at, 1);
      this.#values.splice(at, 1);
    }
  }

  *entries(): IterableIterator<readonly [string, string]> {
    for (let at = 0; at < this.#names.length; at++) yield [this.#names[at]!, this.#values[at]!];
  }
}

/** Adds `token` to a comma-separated field that does not contain it yet; `*` contains every token. */
export function addToken(headers: HeaderFields, name: string, token: string): void {
  const present = headers.get(name);
  const words = (present ?? '').split(',').map((word) => word.trim().toLowerCase());
  if (words.includes('*') || words.includes(token.toLowerCase())) return;
  headers.set(name, present?.trim() ? `${present}, ${token}` : token);
}

// ---------------------------------------------------------------- replies of gw's own

/** A reply whose whole body is here. */
export class BytesReply implements Reply {
  status: number;
  readonly headers: HeaderFields;
  body: Uint8Array | null;
  readonly code: string | undefined;

  constructor(
    status: number,
    options: { headers?: HeaderFields; body?: Uint8Array | string | null; code?: string | undefined } = {},
  ) {
    this.status = status;
    this.headers = options.headers ?? new HeaderMap();
    this.body = typeof options.body === 'string' ? Buffer.from(options.body) : (options.body ?? null);
    this.code = options.code;
  }
}

export interface Problem {
  readonly status: number;
  /** Slug, e.g. `auth/missing`: becomes the problem's type and the access log's error. */
  readonly code: string;
  /** URI of the kind of problem where one is registered; left out: made of the code. */
  readonly type?: string;
  /** One sentence that is the same for every occurrence. */
  readonly title: string;
  /** What to do about this occurrence. Never a secret, never the request's own text. */
  readonly detail?: string;
  readonly headers?: { readonly [name: string]: string };
  /** Further members, RFC 9457 section 3.2. */
  readonly extensions?: { readonly [name: string]: Json };
}

/** URI that names a kind of problem, RFC 9457 section 3.1.1. */
export const problemType = (code: string): string => `urn:gw:problem:${code}`;

/** An error reply as application/problem+json (RFC 9457), with the exchange's id as `instance` and `request_id`. */
export function problem(exchange: { readonly id: string } | undefined, { headers, ...rest }: Problem): BytesReply {
  const members: Record<string, Json> = {
    type: rest.type ?? problemType(rest.code),
    title: rest.title,
    status: rest.status,
    ...(rest.detail === undefined ? {} : { detail: rest.detail }),
    ...(exchange === undefined
      ? {}
      : { instance: `urn:gw:request:${encodeURIComponent(exchange.id)}`, request_id: exchange.id }),
    ...rest.extensions,
  };
  const fields = new HeaderMap([
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ]);
  if (headers) for (const name of Object.keys(headers)) fields.set(name, headers[name]!);
  return new BytesReply(rest.status, { headers: fields, body: JSON.stringify(members), code: rest.code });
}

/** `Not Found` for 404; the number itself for a status without a name. */
export const statusText = (status: number): string => STATUS_CODES[status] ?? String(status);

// ---------------------------------------------------------------- templates

type Reader = (exchange: Exchange, reply: Reply | undefined) => string | undefined;

const FIXED_VARIABLES: { readonly [name: string]: Reader } = {
  'consumer.name': (exchange) => exchange.consumer?.name,
  'consumer.plan': (exchange) => exchange.consumer?.plan,
  'request.id': (exchange) => exchange.id,
  'request.method': (exchange) => exchange.method,
  'request.path': (exchange) => exchange.path,
  'request.query': (exchange) => exchange.query,
  'request.host': (exchange) => exchange.host,
  'request.scheme': (exchange) => exchange.scheme,
  'route.name': (exchange) => exchange.route.name,
  'client.ip': (exchange) => exchange.remoteAddress,
  'reply.status': (_exchange, reply) => (reply === undefined ? undefined : String(reply.status)),
};

const OPEN_VARIABLES: readonly (readonly [prefix: string, make: (name: string) => Reader])[] = [
  ['param.', (name) => (exchange) => exchange.param(name)],
  ['consumer.tags.', (name) => (exchange) => ownValue(exchange.consumer?.tags, name)],
  ['request.header.', (name) => (exchange) => exchange.headers.get(name)],
  ['reply.header.', (name) => (_exchange, reply) => reply?.headers.get(name)],
];

const ownValue = (record: { readonly [name: string]: string } | undefined, name: string): string | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;

function readerOf(variable: string): Reader {
  if (Object.hasOwn(FIXED_VARIABLES, variable)) return FIXED_VARIABLES[variable]!;
  for (const [prefix, make] of OPEN_VARIABLES)
    if (variable.startsWith(prefix)) return make(variable.slice(prefix.length));
  throw new TypeError(`No variable is named ${JSON.stringify(variable)}`);
}

/** A template, prepared once so that rendering only joins its parts. Throws TypeError for an unknown variable. */
export class Template {
  readonly #parts: readonly (string | Reader)[];
  /** Whether the text of each part is a received field value, which a field can contain unchanged. */
  readonly #isField: readonly boolean[];
  /** The text, if no part is a variable. */
  readonly constant: string | undefined;
  /** Whether a variable is about the consumer. */
  readonly usesConsumer: boolean;
  #urlParts: readonly (string | ReturnType<typeof urlReader>)[] | undefined = undefined;

  constructor(readonly plan: TemplateEntry) {
    this.#parts = plan.map((part) => (typeof part === 'string' ? part : readerOf(part.var)));
    this.#isField = plan.map((part) => typeof part !== 'string' && /^re(quest|ply)\.header\./.test(part.var));
    this.usesConsumer = plan.some((part) => typeof part !== 'string' && part.var.startsWith('consumer.'));
    this.constant = plan.every((part) => typeof part === 'string') ? plan.join('') : undefined;
  }

  /** A variable without a value renders as nothing. */
  render(exchange: Exchange, reply?: Reply): string {
    if (this.constant !== undefined) return this.constant;
    let text = '';
    for (const part of this.#parts) text += typeof part === 'string' ? part : (part(exchange, reply) ?? '');
    return text;
  }

  /**
   * Renders a field value that is a URL: path parameters as in the normalised path, other values percent-encoded, unless
   * they are parts of a URL themselves. A path never makes the text begin with `//`, which would name a host.
   */
  renderUrl(exchange: Exchange, reply?: Reply): string {
    if (this.constant !== undefined) return this.constant;
    this.#urlParts ??= this.plan.map((part) => (typeof part === 'string' ? part : urlReader(part.var)));
    let text = '';
    for (let at = 0; at < this.#urlParts.length; at++) {
      const part = this.#urlParts[at]!;
      if (typeof part === 'string') text += part;
      else if (this.#isField[at]) text += part(exchange, reply, text);
      else text += fieldSafe(part(exchange, reply, text));
    }
    return text.startsWith('//') && !this.#namesHost() ? `/.${text}` : text;
  }

  /** Whether the text begins with a literal of the spec or with a header field, and not with a path of the request. */
  #namesHost(): boolean {
    const first = this.plan[0]!;
    return typeof first === 'string' ? first.startsWith('//') : this.#isField[0]!;
  }

  /**
   * Renders a field value. Characters in the value of a variable that a field must not contain (control bytes, non-ASCII
   * characters) are percent-encoded as UTF-8, so client input cannot end the field or begin another.
   */
  renderField(exchange: Exchange, reply?: Reply): string {
    if (this.constant !== undefined) return this.constant;
    let text = '';
    for (let at = 0; at < this.#parts.length; at++) {
      const part = this.#parts[at]!;
      if (typeof part === 'string') text += part;
      else if (this.#isField[at]) text += part(exchange, reply) ?? '';
      else text += fieldSafe(part(exchange, reply) ?? '');
    }
    return text;
  }
}

/** Fields whose values are URLs, or hold one. */
const URL_FIELDS = new Set(['content-location', 'link', 'location', 'referer', 'refresh']);

/** Whether a field's templates are to be rendered with renderUrl(). */
export const isUrlField = (name: string): boolean => URL_FIELDS.has(name.toLowerCase());

/** Variables whose values are already parts of a URL: a path, a query, an authority, or a value of the target's reply. */
const IN_URL_FORM = /^(request\.(path|query|host|scheme)|reply\.)/;

/** Returns the function that renders a variable in a URL; its argument `before` is the text before the variable. */
function urlReader(variable: string): (exchange: Exchange, reply: Reply | undefined, before: string) => string {
  if (variable.startsWith('param.')) {
    const name = variable.slice('param.'.length);
    return (exchange) => exchange.rawParam(name) ?? '';
  }
  const read = readerOf(variable);
  if (IN_URL_FORM.test(variable)) return (exchange, reply) => read(exchange, reply) ?? '';
  if (!variable.startsWith('request.header.'))
    return (exchange, reply) => encodeURIComponent(read(exchange, reply) ?? '');
  return (exchange, reply, before) => {
    const value = read(exchange, reply) ?? '';
    // A whole URL or its authority: no earlier part of the URL that the value could change.
    return before === '' || before.endsWith('://') ? value : value.replace(/[^A-Za-z0-9\-._~]/g, encodeByte);
  };
}

/** `char` has one byte. */
export const encodeByte = (char: string): string =>
  `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

const UNSAFE = /[^\t\x20-\x7e]/;

/** Percent-encodes (UTF-8) all characters except visible ASCII, space and tab. */
export function fieldSafe(text: string): string {
  if (!UNSAFE.test(text)) return text;
  let safe = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const plain = byte === 0x09 || (byte >= 0x20 && byte <= 0x7e);
    safe += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return safe;
}

// ---------------------------------------------------------------- queries

/** Removes every occurrence of a parameter; returns the rest of the raw query, and the decoded values. */
export function takeQueryParam(query: string, name: string): { readonly rest: string; readonly values: string[] } {
  if (query === '') return { rest: '', values: [] };
  const kept: string[] = [];
  const values: string[] = [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (decodeQuery(key) === name) values.push(equals < 0 ? '' : decodeQuery(pair.slice(equals + 1)));
    else kept.push(pair);
  }
  return values.length === 0 ? { rest: query, values } : { rest: kept.join('&'), values };
}

/** Plus and percent decoding of a form-encoded query; text with an invalid encoding stays unchanged. */
export function decodeQuery(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
