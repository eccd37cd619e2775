/** Signs requests for AWS. */
import type { Attempt, Awaitable, Exchange, Json, PolicyHost, Reply } from '../contract.js';
import { type AwsCredentials, amzDate, authorization, sha256, UNSIGNED_PAYLOAD } from './aws/sigv4.js';
import type { SourcedCredentials } from './aws/source.js';
import { type Credential, type CredentialParts, resolved, unavailable } from './credential.js';
import type { KindSettings } from './schema.js';

type AwsSettings = Extract<KindSettings, { readonly kind: 'aws' }>;

const EMPTY = sha256('');
/** Milliseconds until the duty is asked again if it has none. */
const ASK_AGAIN = 1000;
const FIELDS = ['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token'] as const;

export const awsSignature = (settings: AwsSettings, { host }: CredentialParts): Credential =>
  new AwsSignature(settings, host);

class AwsSignature implements Credential {
  readonly fields = FIELDS;
  readonly #settings: AwsSettings;
  readonly #host: PolicyHost;
  /** Of the spec. */
  readonly #fixed: AwsCredentials | undefined;
  /** Of the duty. */
  #fetched: SourcedCredentials | undefined;
  /** Before this time (monotonic) the duty is not asked again; and why its last answer was none. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #why = '';

  /** Throws for an unresolved reference. */
  constructor(settings: AwsSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#fixed = settings.keys === undefined ? undefined : fixedCredentials(settings.keys);
  }

  published(value: Json): void {
    this.#fetched = value as SourcedCredentials;
    this.#why = '';
  }

  apply(exchange: Exchange, attempt: Attempt): Awaitable<Reply | undefined> {
    const credentials = this.#current();
    return credentials === undefined ? this.#applyLater(exchange, attempt) : this.#sign(exchange, attempt, credentials);
  }

  /** Undefined if there are none, or if they have expired. */
  #current(): AwsCredentials | undefined {
    if (this.#fixed !== undefined) return this.#fixed;
    const fetched = this.#fetched;
    const expired = fetched?.expires !== undefined && fetched.expires <= this.#host.clock.now();
    return expired ? undefined : fetched;
  }

  /** Asks the duty for credentials, once at a time. */
  async #applyLater(exchange: Exchange, attempt: Attempt): Promise<Reply | undefined> {
    const { clock } = this.#host;
    if (clock.monotonic() >= this.#notBefore) {
      try {
        await this.#host.ask(null);
      } catch (error) {
        this.#notBefore = clock.monotonic() + ASK_AGAIN;
        this.#why = error instanceof Error ? error.message : 'unknown';
      }
    }
    const credentials = this.#current();
    if (credentials !== undefined) return this.#sign(exchange, attempt, credentials);
    const cause = this.#fetched === undefined ? 'no AWS credentials yet' : 'the AWS credentials have expired';
    return unavailable(exchange, this.#why === '' ? cause : `${cause}: ${this.#why}`);
  }

  #sign(exchange: Exchange, attempt: Attempt, credentials: AwsCredentials): Reply | undefined {
    const { region, service, payload } = this.#settings;
    const hash = payloadHash(attempt, payload);
    if (hash === undefined) {
      const cause = payload === 'unsigned' ? 'an unsigned body needs TLS' : 'the body was not collected';
      return unavailable(exchange, cause);
    }
    const date = amzDate(this.#host.clock.now());
    attempt.set('x-amz-date', date);
    attempt.set('x-amz-content-sha256', hash);
    if (credentials.sessionToken === undefined) attempt.remove('x-amz-security-token');
    else attempt.set('x-amz-security-token', credentials.sessionToken);
    const headers: [string, string][] = [['host', attempt.host]];
    for (const [name, value] of attempt.headers())
      if (name === 'content-type' || name.startsWith('x-amz-')) headers.push([name, value]);
    const request = { method: attempt.method, target: attempt.path, headers, payload: hash };
    attempt.set('authorization', authorization(request, credentials, { region, service }, date));
    return undefined;
  }
}

/** Throws for an unresolved reference. */
const fixedCredentials = (keys: NonNullable<AwsSettings['keys']>): AwsCredentials => ({
  accessKeyId: resolved(keys.accessKeyId, 'access key id'),
  secretAccessKey: resolved(keys.secretAccessKey, 'secret access key'),
  sessionToken: keys.sessionToken === undefined ? undefined : resolved(keys.sessionToken, 'session token'),
});

/** What the signature says of the body; undefined if it cannot be signed, or may not stay unsigned. */
function payloadHash(attempt: Attempt, payload: AwsSettings['payload']): string | undefined {
  if (payload === 'unsigned') return attempt.target.startsWith('https:') ? UNSIGNED_PAYLOAD : undefined;
  if (attempt.body !== undefined) return sha256(attempt.body);
  return attempt.hasBody ? undefined : EMPTY;
}
