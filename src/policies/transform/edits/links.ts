/**
 * Rewrites the URLs of a reply from the target's place to the public one: origin and base path of the target, and the prefix that the
 * route has removed from the path or put in front of it.
 */
import type { Exchange, HeaderFields } from '../../contract.js';

export type LinksSettings = {
  /** Derive the mapping from the target and the route. */
  readonly auto: boolean;
  /** Origins, or paths, or both, without a slash at the end; the longest first. */
  readonly map: readonly (readonly [from: string, to: string])[];
};

interface Target {
  /** `http://host:port`, in lower case, without a default port. */
  readonly origin: string;
  readonly host: string;
  /** Path of its URL, without a slash at the end. */
  readonly base: string;
}

interface Mapping {
  /** Absent: of the target, and of gw itself. */
  readonly origin: string | undefined;
  readonly path: string;
  readonly to: string;
}

/** Where a reply comes from, and where its client finds it. */
export interface Place {
  readonly target: Target;
  /** Origin by which the client has sent the request. */
  readonly own: string;
  /** In front of the target's paths, with the base path of its URL. */
  readonly inner: string;
  /** In front of the same paths of gw. */
  readonly outer: string;
}

/** Targets whose URLs are kept parsed; there are more only if processes are restarted on other ports. */
const MOST_TARGETS = 1024;
const URL_PARTS = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(\/\/[^/?#]*)?([^?#]*)/;
/** As browsers read it: `url=` may be absent, and a space may stand for the semicolon. */
const REFRESH = /^([\t ]*[\d.]+(?:[\t ]*[;,]|[\t ])[\t ]*(?:url[\t ]*=[\t ]*)?)(["']?)([^"']*)/i;

export class Links {
  readonly #auto: boolean;
  readonly #map: readonly Mapping[];
  readonly #targets = new Map<string, Target>();

  constructor({ auto, map }: LinksSettings) {
    this.#auto = auto;
    this.#map = map.map(([from, to]) => {
      const [, scheme, authority, path = ''] = URL_PARTS.exec(from)!;
      const origin = scheme === undefined || authority === undefined ? undefined : originOf(scheme, authority);
      return { origin, path, to };
    });
  }

  /** The fields with URLs, and the Path and Domain of cookies. */
  apply(headers: HeaderFields, exchange: Exchange): void {
    const location = headers.get('location');
    const content = headers.get('content-location');
    const link = headers.get('link');
    const refresh = headers.get('refresh');
    if ((location ?? content ?? link ?? refresh) === undefined) return;
    const place = this.placeOf(exchange);
    const map = (url: string): string => this.map(url, place);
    if (location !== undefined) replace(headers, 'location', location, map(location));
    if (content !== undefined) replace(headers, 'content-location', content, map(content));
    if (link !== undefined) replace(headers, 'link', link, mapLink(link, map));
    if (refresh !== undefined) replace(headers, 'refresh', refresh, mapRefresh(refresh, map));
  }

  placeOf(exchange: Exchange): Place {
    const target = this.#targetOf(exchange.target);
    const [inner, outer] = prefixes(exchange.path, exchange.targetPath ?? exchange.path);
    const own = originOf(exchange.scheme, `//${exchange.header('host') ?? exchange.host}`);
    return { target, own, inner: target.base + inner, outer };
  }

  #targetOf(url: string | null): Target {
    const known = this.#targets.get(url ?? '');
    if (known !== undefined) return known;
    if (this.#targets.size >= MOST_TARGETS) this.#targets.clear();
    const parsed = url !== null && URL.canParse(url) ? new URL(url) : undefined;
    const base = parsed?.pathname.replace(/\/$/, '') ?? '';
    const target = { origin: parsed?.origin ?? '', host: parsed?.hostname ?? '', base };
    this.#targets.set(url ?? '', target);
    return target;
  }

  /** The URL for the client; the same text if no rule is for it. */
  map(url: string, place: Place): string {
    const [all, scheme, authority, path = ''] = URL_PARTS.exec(url)!;
    if (authority === undefined && (scheme !== undefined || !path.startsWith('/'))) return url;
    const rest = url.slice(all.length);
    const origin = authority === undefined ? undefined : originOf(scheme ?? schemeOf(place), authority);
    for (const mapping of this.#map) {
      const tail = appliesTo(mapping, origin, place) ? below(path, mapping.path) : undefined;
      if (tail !== undefined) return `${safePath(mapping.to + tail)}${rest}`;
    }
    if (!this.#auto) return url;
    const tail = below(path, place.inner);
    if (tail === undefined) return url;
    const isOwn = isOfHost(origin, place);
    if (origin === undefined || (origin === place.target.origin && !isOwn))
      return `${safePath(place.outer + tail)}${rest}`;
    // A target that knows its public URL writes the prefix itself.
    if (!isOwn || below(path, place.outer) !== undefined) return url;
    return `${all.slice(0, all.length - path.length)}${place.outer}${tail}${rest}`;
  }

  /** The Path of a cookie. */
  mapPath(path: string, place: Place): string {
    if (!path.startsWith('/')) return path;
    for (const mapping of this.#map) {
      if (mapping.origin !== undefined && mapping.origin !== place.target.origin) continue;
      const tail = below(path, mapping.path);
      if (tail !== undefined) return cookiePath((URL_PARTS.exec(mapping.to)?.[3] ?? '') + tail);
    }
    const tail = this.#auto ? below(path, place.inner) : undefined;
    return tail === undefined ? path : cookiePath(place.outer + tail);
  }

  /** Whether a Domain of a cookie names the target, and not the host of the request. */
  isOfTarget(domain: string, { target }: Place, exchange: Exchange): boolean {
    const host = domain.replace(/^\./, '').toLowerCase();
    return this.#auto && host === target.host && host !== exchange.host;
  }
}

/** `/api/` would not match `/api`, RFC 6265 section 5.1.4. */
const cookiePath = (path: string): string => (path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path || '/');

/** Browsers read `\` as `/`, and leave out tabs and ends of lines. */
const NAMES_HOST = /^\/[\t\r\n]*[/\\]/;

/** A path must not begin with `//`, which would name a host. `made`: a path, or a URL with an origin. */
const safePath = (made: string): string => (made === '' ? '/' : NAMES_HOST.test(made) ? `/.${made}` : made);

const schemeOf = ({ target }: Place): string => target.origin.slice(0, target.origin.indexOf(':'));

function appliesTo({ origin: wanted }: Mapping, origin: string | undefined, place: Place): boolean {
  const { target } = place;
  if (wanted === undefined) return origin === undefined || origin === target.origin || isOfHost(origin, place);
  return (origin ?? target.origin) === wanted;
}

/** Whether an origin is of the host that the client has asked, by http or https: a target may not know which one clients use. */
function isOfHost(origin: string | undefined, { own }: Place): boolean {
  return origin !== undefined && origin.slice(origin.indexOf(':')) === own.slice(own.indexOf(':'));
}

/** What follows a prefix of whole segments; undefined if the path does not begin with it. */
function below(path: string, prefix: string): string | undefined {
  if (!path.startsWith(prefix)) return undefined;
  return path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f
    ? path.slice(prefix.length)
    : undefined;
}

/**
 * What stands in front of the target's path and what in front of the client's, if one of them is the other with a prefix. Both are ''
 * if nothing can be told.
 */
function prefixes(path: string, target: string): readonly [inner: string, outer: string] {
  if (target === '' || (target.startsWith('/') && path.endsWith(target)))
    return ['', path.slice(0, path.length - target.length)];
  return target.endsWith(path) ? [target.slice(0, target.length - path.length), ''] : ['', ''];
}

/** `authority`: with the slashes. A default port is left out; user information makes it no known origin. */
function originOf(scheme: string, authority: string): string {
  const name = scheme.toLowerCase();
  return `${name}:${authority.toLowerCase().replace(name === 'https' ? /:443$/ : /:80$/, '')}`;
}

function replace(headers: HeaderFields, name: string, value: string, mapped: string): void {
  if (mapped !== value) headers.set(name, mapped);
}

/** RFC 8288 section 3: a URL is in angle brackets, outside of quoted strings. */
export function mapLink(field: string, map: (url: string) => string): string {
  let out = '';
  let done = 0;
  let quoted = false;
  for (let at = 0; at < field.length; at++) {
    const char = field.charCodeAt(at);
    if (quoted && char === 0x5c) at++;
    else if (char === 0x22) quoted = !quoted;
    else if (!quoted && char === 0x3c) {
      const end = field.indexOf('>', at);
      if (end < 0) break;
      out += field.slice(done, at + 1) + map(field.slice(at + 1, end));
      done = end;
      at = end;
    }
  }
  return out + field.slice(done);
}

/** `5; url=/next`, as browsers read it. */
export function mapRefresh(field: string, map: (url: string) => string): string {
  const found = REFRESH.exec(field);
  if (found === null) return field;
  const [all, before = '', quote = '', url = ''] = found;
  const end = url.trimEnd();
  return before + quote + map(end) + url.slice(end.length) + field.slice(all.length);
}
