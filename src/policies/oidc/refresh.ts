/**
 * Refreshes the tokens of sessions, RFC 6749 section 6. Many issuers accept a refresh token once (RFC 9700 section 4.14.2), and end
 * the whole session if it is used again. So one request is sent for all workers, and its result is kept for a minute: other tabs
 * still send the old cookie.
 */
import * as crypto from 'node:crypto';
import type { PolicyHost } from '../contract.js';
import type { TokenAnswer } from './endpoints.js';
import { type Issuer, isFault } from './issuer.js';
import type { Sealer } from './sealed.js';
import { needsRefresh, packSession, type Session, unpackSession } from './session.js';
import { isNone, type NoSession, type SessionMaker } from './tokens.js';

/** Milliseconds that the result is kept. */
const KEPT = 60_000;
/** Milliseconds after which another worker may try: longer than the duty takes. */
const LEASE = 15_000;
/** Milliseconds until the issuer is asked again after an outage. */
const PAUSE = 5000;
/** Milliseconds between two refreshes of a session, however soon its tokens expire. */
const LEAST = 1000;

export type Refreshed = { readonly session: Session } | NoSession;

export class Refresher {
  readonly #host: PolicyHost;
  readonly #issuer: Issuer;
  readonly #maker: SessionMaker;
  readonly #sealer: Sealer;
  /** Milliseconds before the expiry. */
  readonly #before: number;

  constructor(host: PolicyHost, issuer: Issuer, maker: SessionMaker, sealer: Sealer, before: number) {
    this.#before = before;
    this.#host = host;
    this.#issuer = issuer;
    this.#maker = maker;
    this.#sealer = sealer;
  }

  /** The session with new tokens: by this request, or by one that has just been sent. */
  async refresh(given: Session): Promise<Refreshed> {
    let session = given;
    for (;;) {
      const key = keyOf(session);
      const kept = await this.#host.cache.get(key);
      const text = kept ?? (await this.#once(key, session));
      const result = this.#read(text, key) ?? ELSEWHERE;
      if (kept === undefined || isNone(result) || !this.#isDue(result.session) || keyOf(result.session) === key)
        return result;
      // Tokens with a short life: the new ones have to be refreshed as well, before the result of the first time is forgotten.
      session = result.session;
    }
  }

  #isDue(session: Session): boolean {
    const now = this.#host.clock.now();
    return now >= (session.tokens.from ?? 0) + LEAST && needsRefresh(session, this.#before, now);
  }

  #once(key: string, session: Session): Promise<string> {
    return this.#host.once(key, LEASE, async () => {
      // Another worker may have finished while this one was waiting.
      const kept = await this.#host.cache.get(key);
      if (kept !== undefined) return kept;
      const result = await this.#send(session);
      // The result has tokens in it.
      const text = this.#sealer.seal(written(result), key);
      await this.#host.cache.set(key, text, isNone(result) && result.none === 'outage' ? PAUSE : KEPT);
      return text;
    });
  }

  async #send(session: Session): Promise<Refreshed> {
    const token = session.tokens.refresh!;
    const answer = await this.#issuer.request<TokenAnswer>({ do: 'refresh', token });
    if (isFault(answer)) return { none: answer.fault, cause: answer.cause };
    const refreshed = await this.#maker.refreshed(answer, session);
    return isNone(refreshed) ? refreshed : { session: refreshed };
  }

  #read(text: string, key: string): Refreshed | undefined {
    const opened = this.#sealer.open(text, key);
    if (opened === undefined) return undefined;
    const result = JSON.parse(opened) as { readonly session: string } | NoSession;
    return 'none' in result ? result : { session: unpackSession(result.session) };
  }
}

/** With the expiry: an issuer may leave the refresh token as it is, and each of its answers is another one. */
const keyOf = ({ tokens: { refresh = '', until = 0 } }: Session): string =>
  `refreshed ${crypto.hash('sha256', `${until} ${refresh}`, 'base64url')}`;

const ELSEWHERE: NoSession = {
  none: 'outage',
  cause: 'another worker has refreshed the session with another secret',
};

const written = (result: Refreshed): string =>
  JSON.stringify(isNone(result) ? result : { session: packSession(result.session) });
