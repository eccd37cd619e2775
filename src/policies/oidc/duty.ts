/**
 * Discovers the issuer, keeps its keys current, and sends the requests to its endpoints, which are known only after discovery: code
 * and refresh requests, userinfo, pushed requests. Once for all workers.
 */
import * as crypto from 'node:crypto';
import type { DutyFetchOptions, DutyHost, DutyInstance, DutyReply, Json } from '../contract.js';
import { defineDuty } from '../kits/duty.js';
import { readMetadata } from '../kits/jose/discovery.js';
import { FetchedDuty, type FetchedParts, fetchKeySet, LEAST } from '../kits/jose/fetched.js';
import { idOfSource } from '../kits/jose/key-source.js';
import { isTable, readTable } from '../kits/jose/token.js';
import { OAuthClient } from '../kits/oauth-client/client.js';
import {
  type OAuthFault,
  readTable as readReply,
  readTokenReply,
  type SentRequest,
} from '../kits/oauth-client/reply.js';
import {
  type Endpoints,
  endpointsIn,
  type IssuerFault,
  type IssuerQuestion,
  readEndpoints,
  type TableAnswer,
  type TokenAnswer,
} from './endpoints.js';
import type { OidcSettings } from './schema.js';

/** Bytes of a reply. */
const MAX_METADATA = 256 * 1024;
const MAX_TOKENS = 128 * 1024;
/** Milliseconds for a reply: less than a worker waits for the answer. */
const TIMEOUT = 10_000;

export const createDuty = defineDuty<OidcSettings>((settings, host) => new OidcDuty(settings, host));

/** Milliseconds, and number of answers: a worker may end before it has passed on what it asked for. */
const KEPT = 60_000;
const MAX_KEPT = 1000;

class OidcDuty implements DutyInstance {
  readonly #settings: OidcSettings;
  readonly #host: DutyHost;
  readonly #client: OAuthClient;
  readonly #documents: FetchedDuty;
  #endpoints: Endpoints | undefined;
  /** Tokens for codes and refresh tokens that count once, by a digest of the question. The oldest leave first. */
  readonly #granted = new Map<
    string,
    { readonly answer: Promise<TokenAnswer | IssuerFault>; readonly until: number }
  >();

  constructor(settings: OidcSettings, host: DutyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#client = new OAuthClient(settings.client, host.clock);
    this.#documents = new FetchedDuty([this.#discovery()], host, (values) => values[0]!);
    // Of an earlier duty for the same issuer.
    this.#endpoints = host.last === undefined ? undefined : endpointsIn(host.last);
  }

  run(): Promise<number> {
    return this.#documents.run();
  }

  async ask(question: Json): Promise<Json> {
    if (!isTable(question) || !('do' in question)) return this.#documents.ask(question);
    if (this.#endpoints === undefined) return outage('the issuer was not discovered yet');
    return this.#answer(question as IssuerQuestion, this.#endpoints);
  }

  /** The metadata with the key set that it names. */
  #discovery(): FetchedParts {
    const { keys } = this.#settings;
    const { cooldown, issuer, refresh, urls } = keys;
    const id = idOfSource(keys);
    if (id === undefined) throw new TypeError('The issuer is an unresolved reference.');
    const fetch = async (host: DutyHost): ReturnType<FetchedParts['fetch']> => {
      const [text, from] = await firstDocument(host, urls);
      const { jwksUri } = readMetadata(text, issuer, from);
      const metadata = readTable(text);
      if (typeof metadata === 'string') throw new Error('the metadata is not JSON');
      const endpoints = readEndpoints(metadata, from);
      const { value, reply } = await fetchKeySet(host, jwksUri);
      this.#endpoints = endpoints;
      return { value: { ...value, endpoints }, reply };
    };
    return { id, refresh, cooldown, least: LEAST, fetch };
  }

  #answer(question: IssuerQuestion, endpoints: Endpoints): Promise<Json> {
    const { redirectUri } = this.#settings;
    switch (question.do) {
      case 'code':
        return this.#once(question, endpoints, [
          ['grant_type', 'authorization_code'],
          ['code', question.code],
          ['redirect_uri', redirectUri],
          ['code_verifier', question.verifier],
        ]);
      case 'refresh':
        return this.#once(question, endpoints, [
          ['grant_type', 'refresh_token'],
          ['refresh_token', question.token],
        ]);
      case 'userinfo':
        return this.#userinfo(endpoints, question.token);
      case 'push':
        return this.#push(endpoints, question.params);
    }
  }

  /**
   * Sends a code or a refresh token once: issuers end the session if one is used again (RFC 6749 section 4.1.2, RFC 9700 section
   * 4.14.2), and another worker asks again if the first one has ended in the meantime.
   */
  async #once(
    question: IssuerQuestion,
    endpoints: Endpoints,
    params: readonly (readonly [string, string])[],
  ): Promise<TokenAnswer | IssuerFault> {
    const now = this.#host.clock.monotonic();
    const id = crypto.hash('sha256', JSON.stringify(question), 'base64url');
    const known = this.#granted.get(id);
    if (known !== undefined && now < known.until) return known.answer;
    for (const [key, { until }] of this.#granted) {
      if (now < until && this.#granted.size < MAX_KEPT) break;
      this.#granted.delete(key);
    }
    const answer = this.#token(endpoints, params);
    this.#granted.set(id, { answer, until: now + KEPT });
    const found = await answer;
    // A refresh token that stays the same may be sent again.
    if ('fault' in found || (question.do === 'refresh' && (found.refresh ?? question.token) === question.token))
      this.#granted.delete(id);
    return found;
  }

  async #token(
    { token }: Endpoints,
    params: readonly (readonly [string, string])[],
  ): Promise<TokenAnswer | IssuerFault> {
    const request = this.#form(token, params);
    const reply = await this.#fetch(token, request);
    if ('cause' in reply) return reply;
    const granted = readTokenReply(reply, sent(request));
    if (granted.fault !== undefined) return faultOf(granted);
    const { accessToken, expiresIn, idToken, refreshToken, tokenType } = granted;
    return {
      access: accessToken,
      type: tokenType,
      ...(expiresIn === undefined ? {} : { expiresIn }),
      ...(refreshToken === undefined ? {} : { refresh: refreshToken }),
      ...(idToken === undefined ? {} : { idToken }),
    };
  }

  /** OpenID Connect Core section 5.3. */
  async #userinfo({ userinfo }: Endpoints, token: string): Promise<TableAnswer | IssuerFault> {
    if (userinfo === undefined) return outage('the issuer has no userinfo endpoint');
    const headers = { accept: 'application/json', authorization: `Bearer ${token}` };
    const reply = await this.#fetch(userinfo, { headers });
    if ('cause' in reply) return reply;
    const read = readReply(reply, sent({ headers }));
    return 'fault' in read ? faultOf(read) : read;
  }

  /** RFC 9126 section 2. */
  async #push({ push }: Endpoints, params: readonly (readonly [string, string])[]): Promise<TableAnswer | IssuerFault> {
    if (push === undefined) return outage('the issuer has no endpoint for pushed requests');
    const request = this.#form(push, params);
    const reply = await this.#fetch(push, request);
    if ('cause' in reply) return reply;
    // Its status is 201, section 2.2.
    const read = readReply(reply.status === 201 ? { ...reply, status: 200 } : reply, sent(request));
    return 'fault' in read ? faultOf(read) : read;
  }

  #form(url: string, params: readonly (readonly [string, string])[]): DutyFetchOptions {
    const { body, headers, method } = this.#client.form(url, params);
    return { method, headers: Object.fromEntries(headers), body };
  }

  async #fetch(url: string, options: DutyFetchOptions): Promise<DutyReply | IssuerFault> {
    try {
      return await this.#host.fetch(url, { ...options, timeout: TIMEOUT, maxReply: MAX_TOKENS });
    } catch (error) {
      return outage(error instanceof Error ? error.message : String(error));
    }
  }
}

const sent = ({ headers = {}, body = '' }: DutyFetchOptions): SentRequest => ({
  headers: Object.entries(headers),
  body,
});

/** The first document that there is, and its URL. */
async function firstDocument(host: DutyHost, urls: readonly string[]): Promise<readonly [Uint8Array, string]> {
  let status = 0;
  for (const url of urls) {
    const reply = await host.fetch(url, { headers: { accept: 'application/json' }, maxReply: MAX_METADATA });
    if (reply.status === 200) return [reply.body, url];
    status = reply.status;
    if (status !== 404) break;
  }
  throw new Error(`the metadata of the issuer has status ${status}`);
}

const outage = (cause: string): IssuerFault => ({ fault: 'outage', cause });

function faultOf({ fault: { cause, error, kind } }: OAuthFault): IssuerFault {
  return { fault: kind, cause, ...(error === undefined ? {} : { error }) };
}
