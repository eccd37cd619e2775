/** A session: what is known of a person who has signed in. The browser keeps it, sealed. */
import type { Claims } from '../contract.js';
import type { Sealer } from './sealed.js';

export interface Session {
  /** Random; stays the same when tokens are refreshed. */
  readonly id: string;
  readonly claims: Claims;
  /** Milliseconds since 1970: when it began, and when it was last used (roughly). */
  readonly created: number;
  readonly used: number;
  readonly tokens: SessionTokens;
  /** Only of stored sessions: what is kept in the gateway for this subject, and for this session of the issuer. */
  readonly marks?: SessionMarks;
}

export interface SessionTokens {
  /** Absent if no target gets it. */
  readonly access?: string;
  /** Of the access token: when it was issued, and when it expires. */
  readonly from?: number;
  readonly until?: number;
  readonly refresh?: string;
  /** For the logout at the issuer. */
  readonly id?: string;
}

export interface SessionMarks {
  readonly subject: string;
  readonly sid?: string;
}

export interface Lifetimes {
  /** Milliseconds. */
  readonly lifetime: number;
  readonly idle?: number;
}

/** How much of the idle time may pass until the time of the last use is written again: a cookie with every reply is too much. */
const TOUCH_SHARE = 10;
/** Greatest part of the lifetime of an access token that is left when it is refreshed. */
const REFRESH_SHARE = 4;

/** Why a session has ended; undefined if it has not. A phrase for decisions. */
export function endOf(session: Session, { lifetime, idle }: Lifetimes, now: number): string | undefined {
  const { created, used, tokens } = session;
  if (now >= created + lifetime) return 'the session has reached its lifetime';
  if (idle !== undefined && now >= used + idle) return 'the session was idle for too long';
  // A target would get a token that has expired.
  if (tokens.access !== undefined && tokens.refresh === undefined && tokens.until !== undefined && now >= tokens.until)
    return 'the access token has expired, and the issuer gave no refresh token';
  return undefined;
}

/** Whether the time of the last use has to be written again. */
export const isStale = ({ used }: Session, { idle }: Lifetimes, now: number): boolean =>
  idle !== undefined && now - used >= idle / TOUCH_SHARE;

/** Whether the tokens have to be refreshed. `before`: milliseconds before the expiry. */
export function needsRefresh({ tokens }: Session, before: number, now: number): boolean {
  const { from = 0, refresh, until } = tokens;
  if (refresh === undefined || until === undefined) return false;
  return now >= until - Math.min(before, (until - from) / REFRESH_SHARE);
}

/** With short names: the cookie is sent with every request. */
interface Packed {
  readonly i: string;
  readonly c: Claims;
  readonly t: number;
  readonly u: number;
  readonly k: {
    readonly a?: string;
    readonly f?: number;
    readonly x?: number;
    readonly r?: string;
    readonly h?: string;
  };
  readonly m?: { readonly s: string; readonly d?: string };
}

/** Short names: all of it is in cookies, whose size browsers bound. */
export function packSession(session: Session): string {
  const { id, claims, created, used, tokens, marks } = session;
  const { access: a, from: f, until: x, refresh: r, id: h } = tokens;
  const m = marks === undefined ? undefined : { s: marks.subject, d: marks.sid };
  return JSON.stringify({ i: id, c: claims, t: created, u: used, k: { a, f, x, r, h }, m });
}

/** `text`: what packSession() returned, since it was sealed. */
export function unpackSession(text: string): Session {
  const { i, c, t, u, k, m } = JSON.parse(text) as Packed;
  return {
    id: i,
    claims: c,
    created: t,
    used: u,
    tokens: {
      ...(k.a === undefined ? {} : { access: k.a }),
      ...(k.f === undefined ? {} : { from: k.f }),
      ...(k.x === undefined ? {} : { until: k.x }),
      ...(k.r === undefined ? {} : { refresh: k.r }),
      ...(k.h === undefined ? {} : { id: k.h }),
    },
    ...(m === undefined ? {} : { marks: { subject: m.s, ...(m.d === undefined ? {} : { sid: m.d }) } }),
  };
}

/** Seals sessions for the cookies of a browser, and opens them. `context`: the name of the cookies. */
export class SessionBox {
  readonly #sealer: Sealer;
  readonly #context: string;
  readonly #most: number;
  /** Sessions that were opened a moment ago, by their sealed text. */
  readonly #opened = new Map<string, Session>();
  #size = 0;

  /** `most`: characters. */
  constructor(sealer: Sealer, context: string, most: number) {
    this.#sealer = sealer;
    this.#context = context;
    this.#most = most;
  }

  /** Undefined if it is too large, also without the ID token, which only the logout at the issuer uses. */
  seal(session: Session): string | undefined {
    const sealed = this.#sealer.seal(packSession(session), this.#context);
    if (sealed.length <= this.#most) return sealed;
    const { id, ...tokens } = session.tokens;
    return id === undefined ? undefined : this.seal({ ...session, tokens });
  }

  open(sealed: string | undefined): Session | undefined {
    if (sealed === undefined) return undefined;
    const known = this.#opened.get(sealed);
    if (known !== undefined) return known;
    const text = this.#sealer.open(sealed, this.#context);
    return text === undefined ? undefined : this.#remember(sealed, unpackSession(text));
  }

  /** The oldest leave first. */
  #remember(sealed: string, session: Session): Session {
    this.#opened.set(sealed, session);
    this.#size += sealed.length;
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= MAX_OPENED && this.#size <= MAX_OPENED_SIZE) break;
      this.#opened.delete(oldest);
      this.#size -= oldest.length;
    }
    return session;
  }

  /** The policy is closed. */
  clear(): void {
    this.#opened.clear();
    this.#size = 0;
  }
}

/** Sessions that a worker remembers, and the sum of their lengths in characters. */
const MAX_OPENED = 2000;
const MAX_OPENED_SIZE = 4 * 1024 * 1024;
