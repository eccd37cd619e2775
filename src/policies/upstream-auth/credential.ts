/** What the kinds of credentials have in common. */
import type { Attempt, Awaitable, Exchange, Json, PolicyHost, Reply } from '../contract.js';
import { problem, Template } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { UpstreamAuthSettings } from './schema.js';
import type { TemplateParts } from './templates.js';

export interface Credential {
  /** Fields that it sets, in lower case: those of clients are removed. */
  readonly fields: readonly string[];
  /** The ones among them whose values say who calls: a service that trusts them must not get those of clients on any route. */
  readonly identityFields?: readonly string[];
  /** Adds itself to an attempt. A reply takes the place of the attempt. */
  apply(exchange: Exchange, attempt: Attempt): Awaitable<Reply | undefined>;
  /** Sees the reply to the last attempt. */
  after?(exchange: Exchange, reply: Reply): void;
  /** Of its duty. */
  published?(value: Json): void;
  stats?(): Json;
  close?(): void;
}

export interface CredentialParts {
  readonly host: PolicyHost;
  readonly settings: UpstreamAuthSettings;
}

/** A template of settings. Throws for an unresolved reference. */
export const templateOf = (parts: TemplateParts): Template =>
  new Template(parts as ConstructorParameters<typeof Template>[0]);

/** The value of a reference. Throws if it is not resolved. */
export function resolved(value: string | { readonly $ref: string }, what: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`The ${what} is an unresolved reference.`);
}

/** Answers in place of the target. `cause` is for the log, without secrets. */
export const unavailable = (exchange: Exchange, cause: string): Reply => {
  const { code, status, title } = PROBLEMS.unavailable;
  const detail = 'Try again later.';
  return problem(exchange, { code, status, title, detail, cause, headers: { 'retry-after': '5' } });
};

/** Sets the field with a credential. */
export function present(attempt: Attempt, { header, scheme }: UpstreamAuthSettings, credential: string): void {
  attempt.set(header, scheme === '' ? credential : `${scheme} ${credential}`);
}
