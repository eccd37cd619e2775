/** One attempt of a call, as the policies see it that sign requests or add credentials. */
import type { Attempt, Reply } from '../../../contract/index.js';
import type { HeadFields } from '../../http/fields.js';
import type { Target } from '../target.js';
import type { OutgoingCall } from './request.js';

/** Shows an attempt to the policies of an exchange. The result is the reply of one in its place. Throws or rejects if one does. */
export type ShowAttempt = (attempt: Attempt) => Reply | undefined | Promise<Reply | undefined>;

export class CallAttempt implements Attempt {
  readonly number: number;
  readonly unauthorized: boolean;
  /** A repeat after 401 was asked for, and there was none. */
  repeats = false;
  readonly #request: OutgoingCall;
  readonly #target: Target;
  readonly #fields: HeadFields;

  constructor(request: OutgoingCall, target: Target, number: number, unauthorized: boolean) {
    this.number = number;
    this.unauthorized = unauthorized;
    this.#request = request;
    this.#target = target;
    this.#fields = request.fields();
  }

  /** The request's head with the edits of the policies. */
  get head(): string {
    return this.#request.head(this.#target, this.#fields);
  }

  get service(): string {
    return this.#target.service;
  }

  get target(): string {
    return this.#target.url;
  }

  get method(): string {
    return this.#request.method;
  }

  get path(): string {
    return this.#target.basePath + this.#request.path;
  }

  get host(): string {
    return this.#request.host ?? this.#target.authority;
  }

  get body(): Uint8Array | undefined {
    const { body } = this.#request;
    return body.length === 0 ? undefined : body;
  }

  get hasBody(): boolean {
    return this.#request.body.length > 0;
  }

  header(name: string): string | undefined {
    return name === 'host' ? this.host : this.#fields.get(name);
  }

  headers(): Iterable<readonly [name: string, value: string]> {
    return this.#fields.entries();
  }

  set(name: string, value: string): void {
    this.#fields.set(name, value);
  }

  remove(name: string): void {
    this.#fields.remove(name);
  }

  repeatAfter401(): void {
    this.repeats = !this.unauthorized;
  }
}
