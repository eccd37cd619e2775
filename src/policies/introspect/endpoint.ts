/** Asks the introspection endpoint about a token, RFC 7662, and reads its answer. */
import type { CallReply, Claims, Exchange, Json, PolicyHost } from '../contract.js';
import { OAuthClient } from '../kits/oauth-client/client.js';
import { readTable, type SentRequest } from '../kits/oauth-client/reply.js';
import { callFailure } from '../run-kit.js';
import type { IntrospectSettings } from './schema.js';
import type { SignedAnswers } from './signed.js';

/** Plain data, for the shared cache. `cause`: the endpoint cannot say. */
export type Answer =
  | { readonly state: 'active'; readonly claims: Claims }
  | { readonly state: 'inactive' }
  | { readonly state: 'unknown'; readonly cause: string };

const SIGNED_TYPE = 'application/token-introspection+jwt';

export class Endpoint {
  readonly #settings: IntrospectSettings;
  readonly #host: PolicyHost;
  readonly #client: OAuthClient | undefined;
  readonly #signed: SignedAnswers | undefined;

  constructor(settings: IntrospectSettings, host: PolicyHost, signed: SignedAnswers | undefined) {
    this.#settings = settings;
    this.#host = host;
    this.#client = settings.client === undefined ? undefined : new OAuthClient(settings.client, host.clock);
    this.#signed = signed;
  }

  /** Rejects for what is no failure of the endpoint. */
  async ask(token: string, exchange: Exchange): Promise<Answer> {
    const { service, path, timeout, maxAnswer: maxReply } = this.#settings;
    const form = this.#form(token);
    const { method, headers, body } = form;
    let reply: CallReply;
    try {
      // Not as part of the exchange, unless its decisions are recorded: other requests wait for the same answer.
      const parent = exchange.decisions === undefined ? {} : { exchange, shared: true };
      reply = await this.#host.call(service, { method, path, headers, body, timeout, maxReply, ...parent });
    } catch (error) {
      const failure = callFailure(error);
      // The end of this exchange says nothing about the token: another request asks.
      if (failure === undefined || failure.error === 'downstream/aborted') throw error;
      return unknown(failure.cause);
    }
    return this.#read(reply, form);
  }

  #form(token: string) {
    const params: [string, string][] = [
      ['token', token],
      ['token_type_hint', this.#settings.hint],
    ];
    const accept = this.#signed === undefined ? 'application/json' : SIGNED_TYPE;
    if (this.#client !== undefined) return this.#client.form(this.#settings.endpoint, params, accept);
    const headers = [
      ['content-type', 'application/x-www-form-urlencoded'],
      ['accept', accept],
    ] as const;
    return { method: 'POST', headers, body: new URLSearchParams(params).toString() };
  }

  async #read(reply: CallReply, sent: SentRequest): Promise<Answer> {
    if (this.#signed !== undefined && reply.status === 200) {
      // An answer without a signature is none: it could be forged.
      const type = reply.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
      if (type !== SIGNED_TYPE) return unknown('the answer is not signed');
      const table = await this.#signed.read(Buffer.from(reply.body).toString('latin1').trim());
      return typeof table === 'string' ? unknown(table) : answerOf(table);
    }
    const read = readTable(reply, sent);
    return 'fault' in read ? unknown(read.fault.cause) : answerOf(read.table);
  }
}

const unknown = (cause: string): Answer => ({ state: 'unknown', cause });

/** RFC 7662 section 2.2: `active` is a boolean. Anything else, such as the text `false`, must not open the route. */
function answerOf({ active, ...claims }: { readonly [name: string]: Json }): Answer {
  if (typeof active !== 'boolean') return unknown('the answer does not say whether the token is active');
  return active ? { state: 'active', claims } : { state: 'inactive' };
}
