/** Tokens of an authorization server: client credentials (RFC 6749 section 4.4), and token exchange (RFC 8693). */
import * as crypto from 'node:crypto';
import type { Attempt, Awaitable, Exchange, Reply } from '../contract.js';
import { OAuthClient } from '../kits/oauth-client/client.js';
import { readTokenReply } from '../kits/oauth-client/reply.js';
import { afterScheme, callFailure, problem } from '../run-kit.js';
import { type Credential, type CredentialParts, present, templateOf, unavailable } from './credential.js';
import { PROBLEMS } from './problems.js';
import type { KindSettings, OAuthSettings } from './schema.js';
import { type Fetched, type FetchToken, isFresh, type Token, TokenCache, tokenOf } from './token-cache.js';

type Params = readonly (readonly [name: string, value: string])[];

/** Bytes of a reply, and milliseconds that a fetch may take beyond the time limit of its call. */
const MAX_REPLY = 64 * 1024;
const SLACK = 1000;
/** RFC 6749 section 5.2: the server does not accept gw, whatever token a caller has. */
const OWN_FAULTS: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client', 'unsupported_grant_type']);
/** Longer subject tokens are refused unread. */
const MAX_SUBJECT = 16 * 1024;

/** The store bounds keys, and a token does not belong in them. */
const digest = (text: string): string => crypto.hash('sha256', text, 'base64url');

/** Asks the token endpoint. */
class TokenEndpoint {
  readonly tokens: TokenCache;
  readonly #settings: OAuthSettings;
  readonly #parts: CredentialParts;
  readonly #client: OAuthClient;
  /** The state outlives a reload with other values of references: a token of another client must not. */
  readonly #of: string;

  /** Throws for a client whose secret or key cannot be used. */
  constructor(settings: OAuthSettings, parts: CredentialParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#client = new OAuthClient(settings.client, parts.host.clock);
    this.tokens = new TokenCache(parts.host, settings.timeout + SLACK);
    this.#of = `${digest(this.#client.id)} `;
  }

  /** A token for this attempt: after a 401 another one than before. `what`: what tells tokens of the client apart. */
  token(exchange: Exchange, attempt: Attempt, owner: object, what: string, fetch: FetchToken): Awaitable<Fetched> {
    const key = this.#of + what;
    const old = attempt.unauthorized ? (exchange.noted(owner) as Token | undefined) : undefined;
    return old === undefined ? this.tokens.get(key, fetch) : this.tokens.replace(key, old, fetch);
  }

  /** A request that cannot be repeated tells of a token that was revoked, too. */
  replied(exchange: Exchange, { status }: Reply, owner: object): void {
    const token = status === 401 ? (exchange.noted(owner) as Token | undefined) : undefined;
    if (token !== undefined) this.tokens.suspect(token);
  }

  /** Never rejects. */
  fetch = async (params: Params): Promise<Fetched> => {
    const { endpoint, path, service, timeout } = this.#settings;
    const { call, clock } = this.#parts.host;
    const at = clock.now();
    try {
      const request = this.#client.form(endpoint, [...params, ...this.#settings.params]);
      const reply = await call(service, { ...request, path, timeout, maxReply: MAX_REPLY });
      const read = readTokenReply(reply, request);
      if (read.fault !== undefined) {
        const { cause, error, kind } = read.fault;
        // Errors of the server have a code: without one, the URL may be wrong.
        const refused = kind === 'refused' && error !== undefined && !OWN_FAULTS.has(error);
        return { refused, cause: `${service}: ${cause}` };
      }
      if (read.tokenType !== 'bearer' && read.tokenType !== 'n_a')
        return { refused: false, cause: `${service}: tokens of the type ${read.tokenType} are not supported` };
      return tokenOf(read.accessToken, at, read.expiresIn);
    } catch (error) {
      const failure = callFailure(error);
      // Other messages could quote the request.
      return { refused: false, cause: `${service}: ${failure?.cause ?? 'the request failed'}` };
    }
  };
}

/** Adds a token to an attempt; after a 401 another one. */
function apply(
  exchange: Exchange,
  attempt: Attempt,
  { host, settings }: CredentialParts,
  found: Awaitable<Fetched>,
  owner: object,
  refused: (cause: string) => Reply,
): Awaitable<Reply | undefined> {
  if (found instanceof Promise)
    return found.then((late) => apply(exchange, attempt, { host, settings }, late, owner, refused));
  if (!('value' in found)) return found.refused ? refused(found.cause) : unavailable(exchange, found.cause);
  exchange.note(owner, found);
  present(attempt, settings, found.value);
  // A token that was fetched just now would be the same again.
  if (!isFresh(found, host.clock.now())) attempt.repeatAfter401();
  return undefined;
}

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** One token for all requests. Throws for a client whose secret or key cannot be used. */
export function clientCredentials(
  kind: Extract<KindSettings, { readonly kind: 'oauth2' }>,
  parts: CredentialParts,
): Credential {
  const server = new TokenEndpoint(kind.oauth, parts);
  const fetch = (): Promise<Fetched> => server.fetch([['grant_type', 'client_credentials']]);
  const credential: Credential = {
    fields: [parts.settings.header],
    apply(exchange, attempt) {
      const found = server.token(exchange, attempt, credential, 'client', fetch);
      // The client of the gateway can do nothing about it.
      return apply(exchange, attempt, parts, found, credential, (cause) => unavailable(exchange, cause));
    },
    after: (exchange, reply) => server.replied(exchange, reply, credential),
    stats: () => ({ tokens: server.tokens.count }),
  };
  return credential;
}

/** A token for each subject token. Throws for a client whose secret or key cannot be used. */
export function tokenExchange(
  kind: Extract<KindSettings, { readonly kind: 'token-exchange' }>,
  parts: CredentialParts,
): Credential {
  const server = new TokenEndpoint(kind.oauth, parts);
  const { subjectToken, subjectType } = kind;
  const template = subjectToken === undefined ? undefined : templateOf(subjectToken);
  const subjectOf = (exchange: Exchange): string =>
    template === undefined
      ? (afterScheme(exchange.received('authorization') ?? '', 'bearer') ?? '')
      : template.render(exchange);
  const credential: Credential = {
    fields: [parts.settings.header],
    apply(exchange, attempt) {
      const subject = subjectOf(exchange);
      if (subject === '') return refusal(exchange, PROBLEMS.missing, 'no subject token');
      if (subject.length > MAX_SUBJECT) return refusal(exchange, PROBLEMS.invalid, 'the subject token is too long');
      const fetch = (): Promise<Fetched> =>
        server.fetch([
          ['grant_type', GRANT],
          ['subject_token', subject],
          ['subject_token_type', subjectType],
        ]);
      const found = server.token(exchange, attempt, credential, digest(subject), fetch);
      const refused = (cause: string): Reply => refusal(exchange, PROBLEMS.invalid, cause);
      return apply(exchange, attempt, parts, found, credential, refused);
    },
    after: (exchange, reply) => server.replied(exchange, reply, credential),
    stats: () => ({ tokens: server.tokens.count }),
  };
  return credential;
}

function refusal(
  exchange: Exchange,
  { code, status, title }: (typeof PROBLEMS)['missing' | 'invalid'],
  cause: string,
): Reply {
  const error = code === 'auth/invalid' ? ', error="invalid_token"' : '';
  return problem(exchange, {
    code,
    status,
    title,
    cause,
    headers: { 'www-authenticate': `Bearer realm="api"${error}` },
  });
}
