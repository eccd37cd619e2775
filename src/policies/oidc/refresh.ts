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
import { packSession, type Session, unpackSession } from './session.js';
import { isNone, type NoSession, type SessionMaker } from './tokens.js';

/** Milliseconds that the result is kept. */
const KEPT = 60_000;
/** Milliseconds after which another worker may try: longer than the duty takes. */
const LEASE = 15_000;
/** Milliseconds until the issuer is asked again after an outage. */
const PAUSE = 5000;

export type Refreshed = { readonly session: Session } | NoSession;

export class Refresher {
  readonly #host: PolicyHost;
  readonly #issuer: Issuer;
  readonly #maker: SessionMaker;
  readonly #sealer: Sealer;

  constructor(host: PolicyHost, issuer: Issuer, maker: SessionMaker, sealer: Sealer) {
    this.#host = host;
    this.#issuer = issuer;
    this.#maker = maker;
    this.#sealer = sealer;
  }

  /** The session with new tokens: by this request, or by one that has just been sent. */
  async refresh(session: Session): Promise<Refreshed> {
    const token = session.tokens.refresh!;
    const key = `refreshed ${crypto.hash('sha256', token, 'base64url')}`;
    const kept = await this.#host.cache.get(key);
    const text = kept ?? (await this.#once(key, token, session));
    return (
      this.#read(text, key) ?? { none: 'outage', cause: 'another worker has refreshed the session with another secret' }
    );
  }

  #once(key: string, token: string, session: Session): Promise<string> {
    return this.#host.once(key, LEASE, async () => {
      // Another worker may have finished while this one was waiting.
      const kept = await this.#host.cache.get(key);
      if (kept !== undefined) return kept;
      const result = await this.#send(token, session);
      // The result has tokens in it.
      const text = this.#sealer.seal(written(result), key);
      await this.#host.cache.set(key, text, isNone(result) && result.none === 'outage' ? PAUSE : KEPT);
      return text;
    });
  }

  async #send(token: string, session: Session): Promise<Refreshed> {
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

const written = (result: Refreshed): string =>
  JSON.stringify(isNone(result) ? result : { session: packSession(result.session) });
