/**
 * The key of a stored reply, and the URL under which it is purged:
 *
 *     key   route \n host \n url \n facts of the caller \n fields \n cookies
 *     url   scheme://host/path?the query parameters of the key, sorted by name
 *
 * A target must not see what is not part of the key: what it reflects of that would reach other clients. So query parameters
 * outside of the key and fields that override the target's view of the request are removed.
 */
import type { Claims, ConsumerEntry, ContentOptions, Exchange } from '../contract.js';
import { trimmed } from '../kits/http-cache/fields.js';
import { decodeQuery } from '../run-kit.js';
import type { CacheSettings, KeySettings } from './schema.js';
import { TOKEN_CLAIMS } from './token-claims.js';

/** What identifies the reply to a request. */
export interface Key {
  readonly text: string;
  /** For purges: as exactUrl() returns it. */
  readonly url: string;
}

/** Parameters of a query beyond it are not sorted: that would take milliseconds. */
const MOST_SORTED = 256;

const VOLATILE: ReadonlySet<string> = new Set(TOKEN_CLAIMS);

/** Fields by which targets let a client override the URL or the method: a classic way to poison a cache. */
const OVERRIDES = [
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-host',
  'x-forwarded-server',
  'x-original-host',
];

/** How the replies of the policy are stored. */
export const contentOptions = ({ maxEntry, disk }: CacheSettings): ContentOptions => ({
  maxEntry,
  disk,
  admission: true,
});

export class KeyMaker {
  readonly #settings: KeySettings;
  readonly #query: ReadonlySet<string> | undefined;
  readonly #except: ReadonlySet<string> | undefined;
  readonly #overrides: readonly string[];
  readonly #claims = new WeakMap<Claims, string>();
  readonly #consumers = new WeakMap<ConsumerEntry, string>();
  /** Only method, scheme, host, path, query and route count. */
  readonly #plain: boolean;

  constructor(settings: KeySettings) {
    const { query, queryExcept, fields, cookies, client } = settings;
    this.#settings = settings;
    this.#query = query === 'all' ? undefined : new Set(query);
    this.#except = queryExcept.length === 0 ? undefined : new Set(queryExcept);
    this.#overrides = OVERRIDES.filter((name) => !fields.includes(name));
    this.#plain = fields.length === 0 && cookies.length === 0 && !client;
  }

  /** The key of a request, which may have a query without the parameters outside of the key. */
  of(exchange: Exchange): Key {
    const url = this.urlOf(exchange.scheme, authorityOf(exchange), exchange.path, exchange.query);
    let text = `${exchange.route.name}\n${exchange.host}\n${url}`;
    if (this.#settings.consumer && (exchange.consumer !== undefined || exchange.claims !== undefined))
      text += `\n${this.#caller(exchange)}`;
    return { text: this.#plain ? text : text + this.#more(exchange), url: exactUrl(url) };
  }

  /** An absolute URL as keys and purges have it. `query` without `?`. */
  urlOf(scheme: string, authority: string, path: string, query: string): string {
    const own = query === '' ? '' : this.#queryOf(query);
    return own === '' ? `${scheme}://${authority}${path}` : `${scheme}://${authority}${path}?${own}`;
  }

  /** An absolute URL in the same form, for an invalidation or a purge; the given text if it is not one. */
  canonical(url: string): string {
    const match = /^(https?):\/\/([^/?#]+)([^?#]*)\??([^#]*)/i.exec(url);
    if (match === null) return url;
    const [, scheme = '', authority = '', path = '', query = ''] = match;
    const protocol = scheme.toLowerCase();
    const host = withoutPort(protocol, authority.toLowerCase());
    return exactUrl(this.urlOf(protocol, host, path === '' ? '/' : path, query));
  }

  /** Removes from the request to the target what is not part of the key. */
  hideUnkeyed(exchange: Exchange): void {
    if (exchange.query !== '' && (this.#query !== undefined || this.#except !== undefined)) {
      const kept = exchange.query.split('&').filter((pair) => this.#keeps(pair));
      exchange.query = kept.join('&');
    }
    for (const name of this.#overrides) if (exchange.header(name) !== undefined) exchange.headers.remove(name);
  }

  /** Sorted by name; parameters of one name keep their order, which has a meaning. Many parameters stay as they are. */
  #queryOf(query: string): string {
    if (!query.includes('&')) return this.#keeps(query) ? query : '';
    const pairs: string[] = [];
    const names: string[] = [];
    let sorted = true;
    for (const pair of query.split('&')) {
      const name = nameOf(pair);
      if (pair === '' || !this.#keepsName(name)) continue;
      if (pairs.length > 0 && name < names.at(-1)!) sorted = false;
      pairs.push(pair);
      names.push(name);
    }
    if (sorted || pairs.length > MOST_SORTED) return pairs.join('&');
    const order = names.map((_, at) => at).sort((a, b) => byText(names[a]!, names[b]!) || a - b);
    return order.map((at) => pairs[at]).join('&');
  }

  #keeps(pair: string): boolean {
    return (this.#query === undefined && this.#except === undefined) || this.#keepsName(nameOf(pair));
  }

  #keepsName(name: string): boolean {
    return this.#query?.has(name) !== false && this.#except?.has(name) !== true;
  }

  #caller({ consumer, claims, earlierCallers }: Exchange): string {
    let text = this.#callerText(consumer, claims);
    if (earlierCallers !== undefined)
      for (const earlier of earlierCallers) text += `,${this.#callerText(earlier.consumer, earlier.claims)}`;
    return text;
  }

  #callerText(consumer: ConsumerEntry | undefined, claims: Claims | undefined): string {
    const name = consumer === undefined ? '0:' : this.#consumerText(consumer);
    return claims === undefined ? name : name + this.#claimsText(claims);
  }

  /** With what steps inside the cache may read of it, and what an edit of the consumers changes. */
  #consumerText(consumer: ConsumerEntry): string {
    let text = this.#consumers.get(consumer);
    if (text === undefined) {
      const { name, plan, groups, tags } = consumer;
      // Lengths keep a name from being read as part of what follows.
      text = `${name.length}:${name}`;
      if (plan !== undefined || groups.length > 0 || Object.keys(tags).length > 0)
        text += JSON.stringify({ plan, groups, tags });
      this.#consumers.set(consumer, text);
    }
    return text;
  }

  /** The object is the same for all requests with a token that is remembered. */
  #claimsText(claims: Claims): string {
    let text = this.#claims.get(claims);
    if (text === undefined) {
      const wanted = this.#settings.claims;
      const names = Object.keys(claims).filter((name) =>
        wanted === 'all' ? !VOLATILE.has(name) : wanted.includes(name),
      );
      text = JSON.stringify(names.sort().map((name) => [name, claims[name]]));
      this.#claims.set(claims, text);
    }
    return text;
  }

  #more(exchange: Exchange): string {
    const { fields, cookies, client } = this.#settings;
    let text = client ? `\n${exchange.remoteAddress}` : '\n';
    // No field value contains a line break. An absent field differs from an empty one.
    for (const name of fields) {
      const value = exchange.header(name);
      text += value === undefined ? '\n' : `\n:${value}`;
    }
    if (cookies.length > 0) text += cookieText(exchange, cookies);
    return text;
  }
}

/** Host and port that the client asked for. A trusted proxy says which one it received. */
function authorityOf(exchange: Exchange): string {
  const host = exchange.received('x-forwarded-host') ?? hostOf(exchange);
  return host === undefined ? exchange.host : withoutPort(exchange.scheme, host.toLowerCase());
}

/** The Host field, unless an absolute target overrides it (RFC 9112 section 3.2.2): exchange.host is from that. */
function hostOf(exchange: Exchange): string | undefined {
  const host = exchange.received('host');
  const own = host?.toLowerCase();
  return own === exchange.host || own?.startsWith(`${exchange.host}:`) === true ? host : exchange.header('host');
}

const HTTP = /:(?:80)?$/;
const HTTPS = /:(?:443)?$/;

/**
 * Without the default port of the scheme, which is the same as none (RFC 9110 section 4.2.3), and without the dot of the DNS root, as
 * targets get it.
 */
function withoutPort(scheme: string, authority: string): string {
  const host = authority.includes(':') ? authority.replace(scheme === 'https' ? HTTPS : HTTP, '') : authority;
  if (host.endsWith('.')) return host.slice(0, -1);
  return host.includes('.:') ? host.replace('.:', ':') : host;
}

/** With a final `*`, a purge would take it for all URLs that begin with it. */
const exactUrl = (url: string): string => (url.endsWith('*') ? `${url.slice(0, -1)}%2A` : url);

/** Decoded: parameters whose names are equal for a target keep their order. */
const nameOf = (pair: string): string => {
  const equals = pair.indexOf('=');
  return decodeQuery(equals < 0 ? pair : pair.slice(0, equals));
};

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** All values of the named cookies, in the order of the names. */
function cookieText({ headers }: Exchange, names: readonly string[]): string {
  const pairs: string[] = [];
  // Line by line: what joins several lines of a field, a comma, does not separate cookies.
  for (const [field, value] of headers.entries()) if (field === 'cookie') pairs.push(...value.split(';'));
  let text = '';
  for (const name of names) {
    text += '\n';
    for (const pair of pairs) {
      const equals = pair.indexOf('=');
      // Only spaces and tabs are no part of names and values. No value contains a semicolon.
      if (trimmed(pair, 0, equals < 0 ? pair.length : equals) === name)
        text += equals < 0 ? ';' : `;=${trimmed(pair, equals + 1)}`;
    }
  }
  return text;
}
