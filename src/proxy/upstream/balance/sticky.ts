/**
 * The signed cookie by which a client keeps its target:
 *
 *     NAME=TARGET.PERIOD.SIGNATURE
 *
 * TARGET is a keyed hash of the target's URL, so that it tells nothing about the network behind gw. PERIOD is the number of the period
 * (an eighth of `max_age`) in which the cookie expires; 0: it does not. All clients of a target have the same value within a period,
 * so a value is no name of a client, and values are signed and verified once, not for each request.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { resolvedText } from '../../../bundle/references.js';
import type { StickyEntry } from '../../../bundle/service/sticky.js';
import type { Candidate } from './candidate.js';

/** Least bytes of a key. */
export const LEAST_KEY = 16;
/** Verified values that are remembered. */
const MOST_KNOWN = 4096;
/** Characters of the longest value. */
const LONGEST = 64;
/** Periods in the life of a cookie. */
const PERIODS = 8;

interface Issued {
  readonly period: number;
  /** The value of Set-Cookie, without Secure. */
  readonly cookie: string;
}

interface Verified<C> {
  readonly target: C;
  readonly period: number;
}

export class Sticky<C extends Candidate> {
  readonly name: string;
  readonly #service: string;
  readonly #entry: StickyEntry;
  readonly #key: string;
  /** Milliseconds since 1970. */
  readonly #now: () => number;
  readonly #attributes: string;
  #tags = new Map<string, string>();
  #byTag = new Map<string, C>();
  readonly #verified = new Map<string, Verified<C>>();
  readonly #issued = new Map<C, Issued>();

  /** Throws RangeError for a key that is too short. */
  constructor(service: string, entry: StickyEntry, now: () => number) {
    const key = resolvedText(entry.key);
    if (Buffer.byteLength(key) < LEAST_KEY)
      throw new RangeError(`the key of \`sticky\` of service ${service} has less than ${LEAST_KEY} bytes`);
    this.name = entry.cookie;
    this.#service = service;
    this.#entry = entry;
    this.#key = key;
    this.#now = now;
    const { path, domain, maxAge, sameSite } = entry;
    const age = maxAge === undefined ? '' : `; Max-Age=${Math.ceil(maxAge / 1000)}`;
    const where = `; Path=${path}${domain === undefined ? '' : `; Domain=${domain}`}`;
    this.#attributes = `${where}${age}; HttpOnly; SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`;
  }

  /** The service has other targets. */
  use(targets: readonly C[]): void {
    const tags = new Map<string, string>();
    this.#byTag = new Map();
    this.#verified.clear();
    this.#issued.clear();
    for (const target of targets) {
      const { identity } = target;
      const tag = this.#tags.get(identity) ?? this.#sign('target', identity).slice(0, 12);
      tags.set(identity, tag);
      this.#byTag.set(tag, target);
    }
    this.#tags = tags;
  }

  /** The target that a value of the cookie names; undefined if it is forged, has expired, or the target has left. */
  target(value: string): C | undefined {
    let found = this.#verified.get(value);
    if (found === undefined) {
      found = this.#verify(value);
      if (found === undefined) return undefined;
      // Values of earlier periods.
      if (this.#verified.size >= MOST_KNOWN) this.#verified.clear();
      this.#verified.set(value, found);
    }
    return found.period === 0 || found.period > this.#period() ? found.target : undefined;
  }

  /**
   * The value of Set-Cookie for a client whose request went to `target`; undefined if its cookie, `given`, is good enough. `secure`: the
   * request has come by https.
   */
  cookieFor(target: C, given: string | undefined, secure: boolean): string | undefined {
    const period = this.#expiry();
    const known = given === undefined ? undefined : this.#verified.get(given);
    if (known?.target === target && known.period === period) return undefined;
    let issued = this.#issued.get(target);
    if (issued === undefined || issued.period !== period) {
      const tag = this.#tags.get(target.identity);
      // It has left meanwhile.
      if (tag === undefined) return undefined;
      const text = `${tag}.${period.toString(36)}`;
      issued = { period, cookie: `${this.name}=${text}.${this.#signature(text)}${this.#attributes}` };
      this.#issued.set(target, issued);
    }
    return (this.#entry.secure ?? secure) || this.#entry.sameSite === 'none'
      ? `${issued.cookie}; Secure`
      : issued.cookie;
  }

  #verify(value: string): Verified<C> | undefined {
    if (value.length > LONGEST) return undefined;
    const [tag = '', period = '', signature, more] = value.split('.');
    const target = this.#byTag.get(tag);
    if (target === undefined || signature === undefined || more !== undefined) return undefined;
    if (!/^(0|[1-9a-z][0-9a-z]{0,9})$/.test(period)) return undefined;
    const expected = Buffer.from(this.#signature(`${tag}.${period}`));
    const actual = Buffer.from(signature);
    if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
    return { target, period: Number.parseInt(period, 36) };
  }

  #signature(text: string): string {
    return this.#sign('cookie', text).slice(0, 22);
  }

  #sign(purpose: string, text: string): string {
    return createHmac('sha256', this.#key)
      .update(`gw sticky ${purpose}\0${this.#service}\0${text}`)
      .digest('base64url');
  }

  #period(): number {
    return Math.floor(this.#now() / (this.#entry.maxAge! / PERIODS));
  }

  /** The period in which a cookie of now expires: its last whole one ends after `max_age` at the earliest. */
  #expiry(): number {
    return this.#entry.maxAge === undefined ? 0 : this.#period() + PERIODS + 1;
  }
}
