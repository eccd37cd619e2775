/** One attempt at a target, as the policies see it that sign requests or add credentials. */
import type { Attempt, Reply } from '../../policies/contract.js';
import type { RequestFields } from '../http/fields.js';
import { isOwnFraming } from '../http/own-names.js';
import { destinationHost } from '../http/write-head.js';
import type { Target } from '../upstream/target.js';
import type { GwExchange } from './exchange.js';
import { pathAndQuery } from './target-head.js';

/** What makes the attempt: a relay or a tunnel. */
export interface AttemptUser {
  /** The exchange has ended meanwhile. */
  readonly over: boolean;
  /** All policies have seen the attempt. */
  onAttemptReady(target: Target): void;
  /** A policy answers in place of the target. */
  onAttemptAnswered(reply: Reply): void;
  /** A policy has failed. */
  onAttemptFailed(error: unknown): void;
}

export class TargetAttempt implements Attempt {
  readonly number: number;
  readonly unauthorized: boolean;
  /** A repeat after 401 was asked for, and there was none. */
  repeats = false;
  /** The fields that policies have set, which may be credentials. Lower-case names. */
  readonly added = new Set<string>();
  readonly #exchange: GwExchange;
  readonly #target: Target;
  /** The fields of the request with the edits of this attempt; undefined if it has none. No other hook sees them. */
  #fields: RequestFields | undefined = undefined;

  constructor(exchange: GwExchange, target: Target, number: number, unauthorized: boolean) {
    this.number = number;
    this.unauthorized = unauthorized;
    this.#exchange = exchange;
    this.#target = target;
  }

  /** Shows the attempt to the policies of the route that sign requests, before it takes a connection. Never throws. */
  show(user: AttemptUser): void {
    const exchange = this.#exchange;
    let pending: Reply | undefined | Promise<Reply | undefined>;
    try {
      pending = exchange.compiled!.chain.attempt(exchange, this);
    } catch (error) {
      user.onAttemptFailed(error);
      return;
    }
    if (pending instanceof Promise) void this.#wait(user, pending);
    else this.#seen(user, pending);
  }

  #seen(user: AttemptUser, reply: Reply | undefined): void {
    if (reply === undefined) user.onAttemptReady(this.#target);
    else user.onAttemptAnswered(reply);
  }

  async #wait(user: AttemptUser, pending: Promise<Reply | undefined>): Promise<void> {
    let reply: Reply | undefined;
    try {
      reply = await pending;
    } catch (error) {
      if (!user.over) user.onAttemptFailed(error);
      return;
    }
    try {
      if (!user.over) this.#seen(user, reply);
    } catch (error) {
      // No caller of this function catches exceptions.
      this.#exchange.downstream!.broke(error);
    }
  }

  get service(): string {
    return this.#target.service;
  }

  get target(): string {
    return this.#target.url;
  }

  get method(): string {
    return this.#exchange.method;
  }

  get path(): string {
    return pathAndQuery(this.#exchange, this.#target) ?? '';
  }

  get host(): string {
    return this.withFields(() => destinationHost(this.#exchange, this.#target)) ?? '';
  }

  get body(): Uint8Array | undefined {
    return this.#exchange.bodies?.requestBytes;
  }

  get hasBody(): boolean {
    return this.#exchange.hasBody;
  }

  header(name: string): string | undefined {
    if (name === 'host') return this.host;
    return this.#isSent(name) ? (this.#fields ?? this.#exchange.headers).get(name) : undefined;
  }

  /** Whether the target gets a field of that name: it belongs to no other hop, and the client's Connection does not list it. */
  #isSent(name: string): boolean {
    if (isOwnFraming(name) && name !== 'content-length') return false;
    const fields = this.#fields ?? this.#exchange.headers;
    return fields.listed === '' || fields.touched(name) || !fields.listed.split(',').includes(name);
  }

  *headers(): Iterable<readonly [name: string, value: string]> {
    for (const field of (this.#fields ?? this.#exchange.headers).entries())
      if (field[0] !== 'host' && !isOwnFraming(field[0]) && this.#isSent(field[0])) yield field;
  }

  set(name: string, value: string): void {
    this.#fields ??= this.#exchange.headers.copy();
    this.#fields.set(name, value);
    this.added.add(name.toLowerCase());
  }

  remove(name: string): void {
    this.#fields ??= this.#exchange.headers.copy();
    this.#fields.remove(name);
  }

  repeatAfter401(): void {
    this.repeats = !this.unauthorized;
  }

  /** Runs `write` while the fields of the request have the edits of this attempt. */
  withFields<T>(write: () => T): T {
    const fields = this.#fields;
    if (fields === undefined) return write();
    const { headers } = this.#exchange;
    const before = headers.edits();
    headers.restore(fields.edits());
    try {
      return write();
    } finally {
      headers.restore(before);
    }
  }
}
