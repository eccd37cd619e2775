/**
 * The cookies of a policy, RFC 6265bis. All of them begin with one name:
 *
 *     NAME.0, NAME.1 ...   the session, in parts that browsers accept; the first one says how many there are
 *     NAME.l.ID            a login that has begun
 *     NAME.m               how many logins have ended a moment ago
 *
 * With `__Host-` in the name, browsers accept them only over https, for this host alone, and for every path: no other host and no
 * other path can plant or read them.
 */
import type { Exchange, HeaderFields } from '../contract.js';
import { cookieField, removeCookies } from '../kits/cookies.js';

/** Characters of a part. Browsers accept 4096 for name, value and attributes together. */
const PART = 3800;
/** Parts of a session. */
const MAX_PARTS = 5;
/** Characters of the longest session. */
export const MAX_SESSION = MAX_PARTS * PART - 2;

/** Values by name. Empty: the request has none. */
export type OwnCookies = ReadonlyMap<string, readonly string[]>;

export class PolicyCookies {
  readonly name: string;
  readonly #attributes: string;
  readonly #own: RegExp;

  /** `name`: with its prefix. `secure`: only over https. */
  constructor(name: string, secure: boolean) {
    this.name = name;
    this.#attributes = `; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
    this.#own = new RegExp(`^${escaped(name)}\\.(?:\\d|m|l\\.[A-Za-z0-9_-]+)$`);
  }

  /** Those of this policy. */
  of(headers: HeaderFields): OwnCookies {
    const field = cookieField(headers);
    if (field === undefined || !field.includes(this.name)) return NONE;
    const found = new Map<string, string[]>();
    for (const pair of field.split(';')) {
      const equals = pair.indexOf('=');
      const name = equals < 0 ? '' : pair.slice(0, equals).trim();
      if (!this.#own.test(name)) continue;
      const values = found.get(name) ?? [];
      values.push(pair.slice(equals + 1).trim());
      found.set(name, values);
    }
    return found;
  }

  owns(name: string): boolean {
    return this.#own.test(name);
  }

  /** Removes those of this policy from the request; the cookies of others stay. */
  strip({ headers }: Exchange): void {
    removeCookies(headers, (name) => this.#own.test(name));
  }

  // ---------------------------------------------------------------- the session

  /** The text of the session; undefined for none, and if its parts do not fit. */
  session(cookies: OwnCookies): string | undefined {
    const first = single(cookies, `${this.name}.0`);
    const count = first === undefined ? 0 : Number(first[0]);
    if (first?.[1] !== '~' || !(count >= 1 && count <= MAX_PARTS)) return undefined;
    let text = first.slice(2);
    for (let part = 1; part < count; part++) {
      const more = single(cookies, `${this.name}.${part}`);
      if (more === undefined) return undefined;
      text += more;
    }
    return text;
  }

  /** Whether the request has parts of a session, valid or not. */
  hasSession(cookies: OwnCookies): boolean {
    for (let part = 0; part < 10; part++) if (cookies.has(`${this.name}.${part}`)) return true;
    return false;
  }

  /** Set-Cookie values for a session of at most MAX_SESSION characters, in place of the one in the request. */
  setSession(text: string, cookies: OwnCookies): string[] {
    const count = Math.ceil((text.length + 2) / PART);
    const whole = `${count}~${text}`;
    const set: string[] = [];
    for (let part = 0; part < count; part++)
      set.push(this.#set(`${this.name}.${part}`, whole.slice(part * PART, (part + 1) * PART)));
    return [...set, ...this.#dropParts(cookies, count)];
  }

  /** Set-Cookie values that remove the session in the request. */
  dropSession(cookies: OwnCookies): string[] {
    return this.#dropParts(cookies, 0);
  }

  #dropParts(cookies: OwnCookies, from: number): string[] {
    const dropped: string[] = [];
    for (let part = from; part < 10; part++) {
      const name = `${this.name}.${part}`;
      if (cookies.has(name)) dropped.push(this.drop(name));
    }
    return dropped;
  }

  // ---------------------------------------------------------------- logins

  loginName(id: string): string {
    return `${this.name}.l.${id}`;
  }

  /** Names and values of the logins that have begun. */
  logins(cookies: OwnCookies): (readonly [name: string, value: string | undefined])[] {
    const prefix = `${this.name}.l.`;
    return [...cookies.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => [name, single(cookies, name)] as const);
  }

  get markerName(): string {
    return `${this.name}.m`;
  }

  /** `seconds`: how long the browser keeps it. */
  setFor(seconds: number, name: string, value: string): string {
    return `${this.#set(name, value)}; Max-Age=${Math.max(1, Math.floor(seconds))}`;
  }

  drop(name: string): string {
    return `${this.#set(name, '')}; Max-Age=0`;
  }

  #set(name: string, value: string): string {
    return `${name}=${value}${this.#attributes}`;
  }
}

const NONE: OwnCookies = new Map();

const escaped = (text: string): string => text.replace(/[^A-Za-z0-9_]/g, '\\$&');

/** The value of a cookie; undefined for none, and for several: gw does not choose one. */
export function single(cookies: OwnCookies, name: string): string | undefined {
  const values = cookies.get(name);
  return values?.length === 1 ? values[0] : undefined;
}
