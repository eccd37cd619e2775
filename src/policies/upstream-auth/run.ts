/** upstream-auth at run time: adds a credential to each attempt at a target, when all other policies have edited the request. */
import type { Attempt, Awaitable, Exchange, Json, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { runPolicy } from '../run-kit.js';
import { awsSignature } from './aws-signature.js';
import type { Credential, CredentialParts } from './credential.js';
import { messageSignature } from './message-signature.js';
import { clientCredentials, tokenExchange } from './oauth.js';
import type { UpstreamAuthSettings } from './schema.js';
import { signedToken } from './signed-token.js';
import { basicCredential, perConsumer, staticFields } from './static.js';

export const create = runPolicy<UpstreamAuthSettings>((settings, host) => {
  const credential = credentialOf({ settings, host });
  return new UpstreamAuth(settings, host, credential);
});

function credentialOf(parts: CredentialParts): Credential {
  const { kind } = parts.settings;
  switch (kind.kind) {
    case 'fields':
      return staticFields(kind);
    case 'basic':
      return basicCredential(kind, parts);
    case 'per-consumer':
      return perConsumer(kind, parts);
    case 'oauth2':
      return clientCredentials(kind, parts);
    case 'token-exchange':
      return tokenExchange(kind, parts);
    case 'jwt':
      return signedToken(kind, parts);
    case 'aws':
      return awsSignature(kind, parts);
    default:
      return messageSignature(kind, parts);
  }
}

class UpstreamAuth implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly #settings: UpstreamAuthSettings;
  readonly #host: PolicyHost;
  readonly #credential: Credential;
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;
  readonly published?: (value: Json) => void;
  readonly stats?: () => Json;

  constructor(settings: UpstreamAuthSettings, host: PolicyHost, credential: Credential) {
    this.#settings = settings;
    this.#host = host;
    this.#credential = credential;
    this.requestFields = credential.fields;
    this.identityFields = credential.identityFields ?? [];
    if (credential.after !== undefined)
      this.after = (exchange, reply) => {
        credential.after!(exchange, reply);
        return undefined;
      };
    if (credential.published !== undefined) this.published = (value) => credential.published!(value);
    if (credential.stats !== undefined) this.stats = () => credential.stats!();
  }

  /** A client must not supply what the target takes for a credential of gw, on no request of the route. */
  strip(exchange: Exchange): void {
    for (const name of this.#credential.fields) exchange.headers.remove(name);
  }

  before(exchange: Exchange): undefined {
    this.strip(exchange);
    const { kind, services } = this.#settings;
    exchange.decisions?.push({
      step: this.#host.name,
      use: 'upstream-auth',
      outcome: 'edit',
      why: `${kind.kind} for ${services.join(', ')}`,
    });
    return undefined;
  }

  /** With this hook, bodies are collected, provided that the declaration says so: to be signed, or to be sent again. */
  onRequestBody(): undefined {
    return undefined;
  }

  onAttempt(exchange: Exchange, attempt: Attempt): Awaitable<Reply | undefined> {
    // An action may call other services, which must not see the credential.
    if (!this.#settings.services.includes(attempt.service)) return undefined;
    return this.#credential.apply(exchange, attempt);
  }

  close(): void {
    this.#credential.close?.();
  }
}
