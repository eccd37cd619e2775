/** Edits of the Set-Cookie fields of a reply. */
import type { Exchange, HeaderFields } from '../../contract.js';
import type { Links, Place } from './links.js';

export type SetCookieSettings = {
  /** Names of cookies that are not passed on. */
  readonly remove: readonly string[];
  /** The cookies that the rest is for. Absent: all. */
  readonly names?: readonly string[];
  readonly path?: string;
  /** '': none, so that only the host itself gets the cookie. */
  readonly domain?: string;
  readonly secure?: boolean;
  readonly httpOnly?: boolean;
  readonly sameSite?: 'Strict' | 'Lax' | 'None';
};

export class SetCookieEdits {
  readonly #settings: SetCookieSettings;
  readonly #remove: ReadonlySet<string>;
  readonly #names: ReadonlySet<string> | undefined;
  readonly #links: Links | undefined;

  /** `links`: Path and Domain are mapped as well. */
  constructor(settings: SetCookieSettings, links: Links | undefined) {
    this.#settings = settings;
    this.#remove = new Set(settings.remove);
    this.#names = settings.names === undefined ? undefined : new Set(settings.names);
    this.#links = links;
  }

  apply(headers: HeaderFields, exchange: Exchange): void {
    if (headers.get('set-cookie') === undefined) return;
    const given: string[] = [];
    for (const [name, value] of headers.entries()) if (name === 'set-cookie') given.push(value);
    const place = this.#links?.placeOf(exchange);
    const edited = given.map((cookie) => this.#edit(cookie, exchange, place));
    if (edited.every((cookie, index) => cookie === given[index])) return;
    headers.remove('set-cookie');
    for (const cookie of edited) if (cookie !== undefined) headers.append('set-cookie', cookie);
  }

  /** The cookie for the client; undefined for none. */
  #edit(cookie: string, exchange: Exchange, place: Place | undefined): string | undefined {
    const attributes = cookie.split(';');
    const pair = attributes[0]!;
    const equals = pair.indexOf('=');
    const name = (equals < 0 ? '' : pair.slice(0, equals)).trim();
    if (this.#remove.has(name)) return undefined;
    const fields = new Attributes(attributes.slice(1));
    const isHost = /^__Host-/i.test(name);
    if (place !== undefined && !isHost) this.#map(fields, exchange, place);
    if (this.#names?.has(name) !== false) this.#set(fields, isHost, prefixOf(name));
    return fields.edited ? pair + fields.text : cookie;
  }

  #map(fields: Attributes, exchange: Exchange, place: Place): void {
    const links = this.#links!;
    const path = fields.get('path');
    if (path !== undefined) {
      const mapped = links.mapPath(path, place);
      if (mapped !== path) fields.set('Path', mapped);
    }
    const domain = fields.get('domain');
    if (domain !== undefined && links.isOfTarget(domain, place, exchange)) fields.remove('domain');
  }

  /** The prefixes of names require certain attributes, RFC 6265bis section 4.1.3: an edit would make browsers drop the cookie. */
  #set(fields: Attributes, keepsPlace: boolean, prefix: string | undefined): void {
    const { path, domain, secure, httpOnly, sameSite } = this.#settings;
    if (path !== undefined && !keepsPlace) fields.set('Path', path);
    if (domain === '') fields.remove('domain');
    else if (domain !== undefined && !keepsPlace) fields.set('Domain', domain);
    if (secure === true) fields.flag('Secure');
    else if (secure === false && prefix === undefined) fields.remove('secure');
    if (httpOnly === true) fields.flag('HttpOnly');
    else if (httpOnly === false && prefix?.endsWith('http-') !== true) fields.remove('httponly');
    if (sameSite !== undefined) fields.set('SameSite', sameSite);
  }
}

/** A prefix of a name that means something, in lower case. All of them require `Secure`, and those that end in `http-` `HttpOnly`. */
const prefixOf = (name: string): string | undefined =>
  /^__(host-http-|host-|secure-|http-)/.exec(name.toLowerCase())?.[0];

/** The attributes of a cookie. Of several with one name, the last one counts (RFC 6265 section 5.3). */
class Attributes {
  readonly #parts: string[];
  edited = false;

  constructor(parts: readonly string[]) {
    this.#parts = [...parts];
  }

  get(name: string): string | undefined {
    const part = this.#parts.findLast((each) => nameOf(each) === name);
    if (part === undefined) return undefined;
    const equals = part.indexOf('=');
    return equals < 0 ? '' : part.slice(equals + 1).trim();
  }

  set(name: string, value: string): void {
    this.remove(name.toLowerCase());
    this.#parts.push(` ${name}=${value}`);
    this.edited = true;
  }

  flag(name: string): void {
    if (this.#parts.some((part) => nameOf(part) === name.toLowerCase())) return;
    this.#parts.push(` ${name}`);
    this.edited = true;
  }

  remove(name: string): void {
    for (let at = this.#parts.length - 1; at >= 0; at--) {
      if (nameOf(this.#parts[at]!) !== name) continue;
      this.#parts.splice(at, 1);
      this.edited = true;
    }
  }

  get text(): string {
    return this.#parts.map((part) => `;${part}`).join('');
  }
}

function nameOf(part: string): string {
  const equals = part.indexOf('=');
  return (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
}
