/** Signs requests for AWS. */
import type { Attempt, Awaitable, Exchange, Json, Reply } from '../contract.js';
import { type AwsCredentials, amzDate, authorization, sha256, UNSIGNED_PAYLOAD } from './aws/sigv4.js';
import type { SourcedCredentials } from './aws/source.js';
import { type Credential, type CredentialParts, resolved, unavailable } from './credential.js';
import type { KindSettings } from './schema.js';

type AwsSettings = Extract<KindSettings, { readonly kind: 'aws' }>;

const EMPTY = sha256('');
/** Milliseconds until the duty is asked again if it has none. */
const ASK_AGAIN = 1000;
const FIELDS = ['authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token'] as const;

export function awsSignature(settings: AwsSettings, { host }: CredentialParts): Credential {
  const { region, service, payload, keys } = settings;
  const fixed: AwsCredentials | undefined =
    keys === undefined
      ? undefined
      : {
          accessKeyId: resolved(keys.accessKeyId, 'access key id'),
          secretAccessKey: resolved(keys.secretAccessKey, 'secret access key'),
          sessionToken: keys.sessionToken === undefined ? undefined : resolved(keys.sessionToken, 'session token'),
        };
  let fetched: SourcedCredentials | undefined;
  /** Before this time (monotonic) the duty is not asked again; and why its last answer was none. */
  let notBefore = Number.NEGATIVE_INFINITY;
  let why = '';

  /** Undefined if there are none, or if they have expired. */
  const current = (): AwsCredentials | undefined => {
    if (fixed !== undefined) return fixed;
    const expired = fetched?.expires !== undefined && fetched.expires <= host.clock.now();
    return expired ? undefined : fetched;
  };

  const payloadOf = (attempt: Attempt): string | undefined => {
    if (payload === 'unsigned') return attempt.target.startsWith('https:') ? UNSIGNED_PAYLOAD : undefined;
    if (attempt.body !== undefined) return sha256(attempt.body);
    return attempt.hasBody ? undefined : EMPTY;
  };

  const signed = (exchange: Exchange, attempt: Attempt, credentials: AwsCredentials): Reply | undefined => {
    const hash = payloadOf(attempt);
    if (hash === undefined)
      return unavailable(
        exchange,
        payload === 'unsigned' ? 'an unsigned body needs TLS' : 'the body was not collected',
      );
    const date = amzDate(host.clock.now());
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
  };

  /** Asks the duty for credentials, once at a time. */
  const later = async (exchange: Exchange, attempt: Attempt): Promise<Reply | undefined> => {
    let cause = 'the AWS credentials have expired';
    if (host.clock.monotonic() >= notBefore) {
      try {
        await host.ask(null);
      } catch (error) {
        notBefore = host.clock.monotonic() + ASK_AGAIN;
        why = error instanceof Error ? error.message : 'unknown';
      }
    }
    const credentials = current();
    if (credentials !== undefined) return signed(exchange, attempt, credentials);
    if (fetched === undefined) cause = 'no AWS credentials yet';
    return unavailable(exchange, why === '' ? cause : `${cause}: ${why}`);
  };

  return {
    fields: FIELDS,
    published(value: Json) {
      fetched = value as SourcedCredentials;
      why = '';
    },
    apply(exchange: Exchange, attempt: Attempt): Awaitable<Reply | undefined> {
      const credentials = current();
      return credentials === undefined ? later(exchange, attempt) : signed(exchange, attempt, credentials);
    },
  };
}
