/** One attempt at a target, as the policies see it that sign requests or add credentials. */
import type { Attempt, Awaitable, Reply } from '../../policies/contract.js';
import { findField, HeadFields, type RequestFields } from '../http/fields.js';
import { isOwnFraming, isOwnLine } from '../http/own-names.js';
import { destinationHost } from '../http/write-head.js';
import { ShownAttempt } from '../upstream/shown-attempt.js';
import type { Target } from '../upstream/target.js';
import type { GwExchange } from './exchange.js';
import { pathAndQuery, requestHead } from './target-head.js';

export class TargetAttempt extends ShownAttempt implements Attempt {
  readonly #exchange: GwExchange;
  /** The fields of the request with the edits of this attempt; undefined if it has none. No other hook sees them. */
  #fields: RequestFields | undefined = undefined;

  constructor(exchange: GwExchange, target: Target, number: number, unauthorized: boolean) {
    super(target, number, unauthorized);
    this.#exchange = exchange;
  }

  protected sign(): Awaitable<Reply | undefined> {
    const exchange = this.#exchange;
    return exchange.compiled!.chain.attempt(exchange, this);
  }

  protected broke(error: unknown): void {
    this.#exchange.downstream!.broke(error);
  }

  get method(): string {
    return this.#exchange.method;
  }

  get path(): string {
    return pathAndQuery(this.#exchange, this.to) ?? '';
  }

  get host(): string {
    return this.withFields(() => destinationHost(this.#exchange, this.to)) ?? '';
  }

  get body(): Uint8Array | undefined {
    return this.#exchange.bodies?.requestBytes;
  }

  get hasBody(): boolean {
    return this.#exchange.hasBody;
  }

  header(name: string): string | undefined {
    if (name === 'host') return this.host;
    if (isOwnLine(name) || name === 'content-length' || name === 'expect') {
      const head = this.#head();
      return findField(head, head.indexOf('\n') + 1, head.length - 2, name);
    }
    return this.#isSent(name) ? (this.#fields ?? this.#exchange.headers).get(name) : undefined;
  }

  /** Whether the target gets a field of that name: it belongs to no other hop, and the client's Connection does not list it. */
  #isSent(name: string): boolean {
    if (isOwnFraming(name)) return false;
    const fields = this.#fields ?? this.#exchange.headers;
    return fields.listed === '' || fields.touched(name) || !fields.listed.split(',').includes(name);
  }

  *headers(): Iterable<readonly [name: string, value: string]> {
    const head = this.#head();
    const fields = new HeadFields(head, head.indexOf('\n') + 1, head.length - 2, '', '');
    for (const field of fields.receivedEntries())
      if (field[0] !== 'host' && field[0] !== 'expect' && !isOwnFraming(field[0])) yield field;
  }

  /** With the fields that gw writes for this hop. A line break if the request has a path or Host that must not go on the wire. */
  #head(): string {
    return this.withFields(() => requestHead(this.#exchange, this.to)) ?? '\r\n';
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
