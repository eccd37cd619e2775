/** Makes sessions of what the token endpoint has answered. */
import type { Claims, PolicyHost } from '../contract.js';
import type { TableAnswer, TokenAnswer } from './endpoints.js';
import { type Expected, readIdToken } from './id-token.js';
import { type Issuer, isFault } from './issuer.js';
import type { OidcSettings } from './schema.js';
import type { Session, SessionTokens } from './session.js';

/** Why there is no session, for the log. `outage`: trying again may help. */
export interface NoSession {
  readonly none: 'refused' | 'outage' | 'invalid';
  readonly cause: string;
}

export const isNone = (result: object): result is NoSession => 'none' in result;

/** Claims about the token, not about the person. */
const PROTOCOL: readonly string[] = ['at_hash', 'c_hash', 's_hash', 'nonce', 'azp', 'jti', 'nbf', 'iat', 'exp', 'aud'];
/** Claims that a session always has: of the issuer alone. */
const IDENTITY: readonly string[] = ['iss', 'sub', 'sid', 'auth_time', 'acr', 'amr'];

export class SessionMaker {
  readonly #settings: OidcSettings;
  readonly #host: PolicyHost;
  readonly #issuer: Issuer;

  constructor(settings: OidcSettings, host: PolicyHost, issuer: Issuer) {
    this.#settings = settings;
    this.#host = host;
    this.#issuer = issuer;
  }

  /** The claims and tokens of a login. */
  async login(answer: TokenAnswer, nonce: string): Promise<Pick<Session, 'claims' | 'tokens'> | NoSession> {
    const { idToken } = answer;
    if (idToken === undefined) return { none: 'invalid', cause: 'the reply has no ID token' };
    const read = await this.#read(idToken, { nonce, accessToken: answer.access, maxAge: this.#settings.maxAge });
    if (isNone(read)) return read;
    const full = await this.#withUserinfo(read.claims, answer.access);
    return isNone(full) ? full : { claims: this.#kept(full.claims), tokens: this.#tokens(answer, {}) };
  }

  /** The session after a refresh. */
  async refreshed(answer: TokenAnswer, session: Session): Promise<Session | NoSession> {
    const { idToken } = answer;
    let { claims } = session;
    if (idToken !== undefined) {
      const subject = String(claims['sub']);
      const read = await this.#read(idToken, { accessToken: answer.access, subject });
      if (isNone(read)) return read;
      const full = await this.#withUserinfo(read.claims, answer.access);
      if (isNone(full)) return full;
      const { sid } = claims;
      const { sid: _, ...kept } = this.#kept(full.claims);
      // Some issuers leave out at refreshes what they said at the login, or the other way round. The session stays the same one.
      claims = { ...claims, ...kept, ...(sid === undefined ? {} : { sid }) };
    }
    const now = this.#host.clock.now();
    return { ...session, claims, used: now, tokens: this.#tokens(answer, session.tokens) };
  }

  async #read(token: string, expected: Expected): Promise<{ readonly claims: Claims } | NoSession> {
    const read = await readIdToken(token, expected, this.#settings, this.#issuer, this.#host.clock.now());
    if ('claims' in read) return read;
    return 'fault' in read ? { none: 'invalid', cause: read.fault } : { none: 'outage', cause: read.why };
  }

  /** OpenID Connect Core section 5.3.2: its `sub` must be that of the ID token, whose claims have precedence. */
  async #withUserinfo(claims: Claims, token: string): Promise<{ readonly claims: Claims } | NoSession> {
    if (!this.#settings.userinfo) return { claims };
    const answer = await this.#issuer.request<TableAnswer>({ do: 'userinfo', token });
    if (isFault(answer)) return { none: answer.fault, cause: `userinfo: ${answer.cause}` };
    const { table } = answer;
    if (table['sub'] !== claims['sub']) return { none: 'invalid', cause: 'userinfo is of another subject' };
    return { claims: { ...table, ...claims } };
  }

  #kept(claims: Claims): Claims {
    const { claims: wanted } = this.#settings;
    const keeps = (name: string): boolean =>
      IDENTITY.includes(name) || (wanted === undefined ? !PROTOCOL.includes(name) : wanted.includes(name));
    return Object.fromEntries(Object.entries(claims).filter(([name]) => keeps(name)));
  }

  #tokens({ access, expiresIn, idToken, refresh }: TokenAnswer, before: SessionTokens): SessionTokens {
    const { forwardToken, logoutAtIssuer } = this.#settings;
    const now = this.#host.clock.now();
    const next = refresh ?? before.refresh;
    const hint = idToken ?? before.id;
    return {
      ...(forwardToken ? { access } : {}),
      from: now,
      // A lifetime of nothing would cause a refresh with each request.
      ...(expiresIn === undefined || expiresIn <= 0 ? {} : { until: now + expiresIn }),
      ...(next === undefined ? {} : { refresh: next }),
      ...(logoutAtIssuer && hint !== undefined ? { id: hint } : {}),
    };
  }
}
