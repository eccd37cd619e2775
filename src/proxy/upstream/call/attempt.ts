/** One attempt of a call, as the policies see it that sign requests or add credentials. */
import type { Attempt, Awaitable, Reply } from '../../../contract/index.js';
import { messageOf } from '../../../reason.js';
import { findField, type HeadFields } from '../../http/fields.js';
import { isOwnFraming } from '../../http/own-names.js';
import { ShownAttempt } from '../shown-attempt.js';
import type { Target } from '../target.js';
import type { OutgoingCall } from './request.js';

/** Shows an attempt to the policies that sign it. The result is the reply of one in its place. Throws or rejects if one does. */
export type ShowAttempt = (attempt: Attempt) => Awaitable<Reply | undefined>;

/** How the attempts of a call are signed. */
export interface CallSigning {
  readonly show: ShowAttempt;
  /** Policies may replace fields that the call has: it is one of an action, which passes on those of its client. */
  readonly replaces: boolean;
}

export class CallAttempt extends ShownAttempt implements Attempt {
  readonly #request: OutgoingCall;
  readonly #fields: HeadFields;
  readonly #signing: CallSigning;
  readonly #broke: (error: unknown) => void;

  /** `broke`: what uses the attempt has thrown. */
  constructor(
    request: OutgoingCall,
    target: Target,
    { number, unauthorized }: { readonly number: number; readonly unauthorized: boolean },
    signing: CallSigning,
    broke: (error: unknown) => void,
  ) {
    super(target, number, unauthorized);
    this.#request = request;
    this.#fields = request.fields();
    this.#signing = signing;
    this.#broke = broke;
  }

  protected sign(): Awaitable<Reply | undefined> {
    return this.#signing.show(this);
  }

  protected broke(error: unknown): void {
    this.#broke(error);
  }

  /** The request's head with the edits of the policies. */
  get head(): string {
    return this.#request.head(this.to, this.#fields);
  }

  get method(): string {
    return this.#request.method;
  }

  get path(): string {
    return this.to.basePath + this.#request.path;
  }

  get host(): string {
    return this.#request.host ?? this.to.authority;
  }

  get body(): Uint8Array | undefined {
    const { body } = this.#request;
    return body.length === 0 ? undefined : body;
  }

  get hasBody(): boolean {
    return this.#request.body.length > 0;
  }

  header(name: string): string | undefined {
    if (name === 'host') return this.host;
    if (!isOwnFraming(name) && name !== 'via') return this.#fields.get(name);
    const { head } = this;
    return findField(head, head.indexOf('\n') + 1, head.length - 2, name);
  }

  headers(): Iterable<readonly [name: string, value: string]> {
    return this.#fields.entries();
  }

  /**
   * Throws TypeError for a field that a policy has given to its own call. If it is a credential, the service could take the one of
   * gw for the one that the policy asks about.
   */
  set(name: string, value: string): void {
    const key = name.toLowerCase();
    if (!this.#signing.replaces && !this.added.has(key) && key !== 'user-agent' && this.#fields.get(key) !== undefined)
      throw new TypeError(`the call has a field ${key} of its own`);
    this.#fields.set(name, value);
    this.added.add(key);
  }

  remove(name: string): void {
    this.#fields.remove(name);
  }
}

/** Why a call fails that is not signed. */
export const refusedBy = ({ cause, code }: Reply): string => `refused by a policy: ${cause ?? code}`;
export const failedBy = (error: unknown): string => `a policy failed before an attempt: ${messageOf(error)}`;
