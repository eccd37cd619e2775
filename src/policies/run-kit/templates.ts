/** Templates at run time: their parts are joined, in the form that the place requires. */
import type { TemplateEntry } from '../../bundle/types.js';
import type { Exchange, Json, Reply } from '../contract.js';
import { statusText } from './replies.js';

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
  'reply.reason': (_exchange, reply) => (reply === undefined ? undefined : statusText(reply.status)),
  'reply.code': (_exchange, reply) => reply?.code,
};

const OPEN_VARIABLES: readonly (readonly [prefix: string, make: (name: string) => Reader])[] = [
  ['param.', (name) => (exchange) => exchange.param(name)],
  ['consumer.tags.', (name) => (exchange) => ownValue(exchange.consumer?.tags, name)],
  ['claims.', claimReader],
  ['request.header.', (name) => (exchange) => exchange.headers.get(name)],
  ['reply.header.', (name) => (_exchange, reply) => reply?.headers.get(name)],
];

const ownValue = (record: { readonly [name: string]: string } | undefined, name: string): string | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;

/**
 * A claim: text, numbers and booleans as they are, others as JSON. `address.country` is the claim of that name, or else the
 * member of the claim `address`.
 */
function claimReader(name: string): Reader {
  const path = name.split('.');
  return ({ claims }) => {
    if (claims === undefined) return undefined;
    let value: Json | undefined = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (value === undefined && path.length > 1) value = path.reduce<Json | undefined>(memberOf, claims);
    if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  };
}

const memberOf = (value: Json | undefined, name: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
    ? (value as { readonly [name: string]: Json })[name]
    : undefined;

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
  readonly #usesConsumer: boolean;
  readonly #usesClaims: boolean;
  #inString: readonly boolean[] | undefined = undefined;
  #urlParts: readonly (string | ReturnType<typeof urlReader>)[] | undefined = undefined;

  constructor(readonly plan: TemplateEntry) {
    this.#parts = plan.map((part) => (typeof part === 'string' ? part : readerOf(part.var)));
    this.#isField = plan.map((part) => typeof part !== 'string' && /^re(quest|ply)\.header\./.test(part.var));
    const uses = (prefix: string): boolean =>
      plan.some((part) => typeof part !== 'string' && part.var.startsWith(prefix));
    this.#usesConsumer = uses('consumer.');
    this.#usesClaims = uses('claims.');
    this.constant = plan.every((part) => typeof part === 'string') ? plan.join('') : undefined;
  }

  /** Whether a variable is about a caller that is not known (yet). */
  lacksCaller({ consumer, claims }: Exchange): boolean {
    return (this.#usesConsumer && consumer === undefined) || (this.#usesClaims && claims === undefined);
  }

  /** Whether a variable is about the caller. */
  get namesCaller(): boolean {
    return this.#usesConsumer || this.#usesClaims;
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

  /** Renders a body of this form, in which the text of a variable cannot end the element or string that contains it. */
  renderBody(form: TextForm, exchange: Exchange, reply?: Reply): string {
    if (form === 'html' || form === 'xml') return this.renderHtml(exchange, reply);
    return form === 'json' ? this.renderJson(exchange, reply) : this.render(exchange, reply);
  }

  /**
   * Renders HTML or XML: variables are escaped for elements and attributes in quotes. The compiler refuses other places
   * (kits/markup).
   */
  renderHtml(exchange: Exchange, reply?: Reply): string {
    if (this.constant !== undefined) return this.constant;
    let text = '';
    for (const part of this.#parts) text += typeof part === 'string' ? part : escapeHtml(part(exchange, reply) ?? '');
    return text;
  }

  /** Renders JSON: a variable in quotes becomes part of that string; elsewhere it becomes a number, a string, or null. */
  renderJson(exchange: Exchange, reply?: Reply): string {
    if (this.constant !== undefined) return this.constant;
    this.#inString ??= insideStrings(this.plan);
    let text = '';
    for (let at = 0; at < this.#parts.length; at++) {
      const part = this.#parts[at]!;
      if (typeof part === 'string') text += part;
      else {
        const value = part(exchange, reply) ?? '';
        text += this.#inString[at] ? escapeJson(value) : jsonValue(value);
      }
    }
    return text;
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

// ---- Bodies ----

/** How variables are written into a body. */
export type TextForm = 'html' | 'xml' | 'json' | 'text';

/** The form for a media type; `json` also for scripts. */
export function textFormOf(contentType: string): TextForm {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'text/html') return 'html';
  // Browsers read XSLT as XML, whose elements can be those of HTML.
  if (/(^text\/xsl|[/+]xml)$/.test(type)) return 'xml';
  return /[/+](json|javascript|ecmascript|x-ndjson|json-seq|ld\+json)$/.test(type) ? 'json' : 'text';
}

const HTML_SPECIAL = /[\0-\x08\x0b\x0c\x0e-\x1f&<>"'`\x7f-\x9f]/g;

/**
 * Escapes text for an HTML or XML element, or for an attribute value in quotes. Control characters are replaced: XML forbids
 * them, and in a page without a charset an escape character can change the encoding of what follows.
 */
export const escapeHtml = (text: string): string =>
  text.replace(HTML_SPECIAL, (char) => (/[ -~]/.test(char) ? `&#${char.charCodeAt(0)};` : '\ufffd'));

const JSON_SPECIAL = /[\u0000-\u001f"\\<>&'`$\u007f\u2028\u2029\ud800-\udfff]/g;

/** Escapes text for the inside of a JSON string. The result is also safe in a script string, and in HTML. */
export const escapeJson = (text: string): string =>
  text.replace(JSON_SPECIAL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

const JSON_NUMBER = /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/;

/** A JSON value: null for no text, a number if the text is one, otherwise a string. */
const jsonValue = (text: string): string =>
  text === '' ? 'null' : JSON_NUMBER.test(text) ? text : `"${escapeJson(text)}"`;

/** For each part, whether it begins inside of a JSON string. */
function insideStrings(plan: TemplateEntry): readonly boolean[] {
  let inside = false;
  return plan.map((part) => {
    const began = inside;
    if (typeof part === 'string')
      for (let at = 0; at < part.length; at++) {
        if (part[at] === '"') inside = !inside;
        else if (inside && part[at] === '\\') at++;
      }
    return began;
  });
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
