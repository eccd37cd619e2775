/** The request of an exchange that goes to a target: what choosing targets and repeating attempts need to know of it. */
import type { HashKeyEntry } from '../../bundle/service/balance.js';
import { addressKey } from '../../state/connection-table.js';
import { bounded, timeSpan } from '../errors/cause.js';
import { hashValueOf } from '../upstream/balance/hash-value.js';
import { RetryingUser } from '../upstream/retrying-user.js';
import type { Service } from '../upstream/service.js';
import type { Target } from '../upstream/target.js';
import type { TimedAttempt } from '../upstream/timed-attempt.js';
import { noteAttempt } from './attempt-notes.js';
import type { Downstream } from './downstream.js';
import type { GwExchange } from './exchange.js';
import type { RelayHost } from './relay-host.js';
import { takeStickyCookie } from './sticky-cookie.js';

export abstract class ForwardedRequest extends RetryingUser {
  readonly exchange: GwExchange;
  readonly clientAddress: string;
  readonly atOnce: boolean;
  protected readonly host: RelayHost;

  constructor(host: RelayHost, exchange: GwExchange, service: Service) {
    super(host, service);
    this.host = host;
    this.exchange = exchange;
    this.clientAddress = exchange.remoteAddress;
    this.atOnce = service.entry.http2 !== undefined;
    this.stickyValue = takeStickyCookie(exchange, service);
  }

  /** Not the same for the whole exchange: it may go on without its client. */
  protected get downstream(): Downstream {
    return this.exchange.downstream!;
  }

  get method(): string {
    return this.exchange.method;
  }

  get clientKey(): string {
    return addressKey(this.exchange.remoteAddress);
  }

  hashValue(key: HashKeyEntry): string | undefined {
    return hashValueOf(this.exchange, key);
  }

  get takesParts(): boolean {
    return this.upstream.takesParts;
  }

  get hasSpare(): boolean {
    return this.upstream.hasSpare;
  }

  protected get hasBody(): boolean {
    return this.exchange.hasBody;
  }

  protected get endsAt(): number {
    return this.exchange.deadline;
  }

  protected override get mayRepeat(): boolean {
    return !this.exchange.sendOnce && super.mayRepeat;
  }

  protected override get mayRetry(): boolean {
    return !this.exchange.sendOnce && super.mayRetry;
  }

  protected override get mayHedge(): boolean {
    return this.mayRepeat && this.mayRetry;
  }

  protected override hedging(ms: number): void {
    const { target } = this;
    const why = `no reply after ${timeSpan(ms)}: another attempt beside it`;
    this.exchange.decisions?.push({
      step: 'retry',
      use: 'hedge',
      outcome: 'pass',
      why,
      details: { target: target!.url },
    });
  }

  protected override turned({ url }: Target): void {
    this.exchange.target = url;
  }

  protected override lost({ target }: TimedAttempt, durationMs: number): void {
    this.exchange.attempts ??= [];
    this.exchange.attempts.push({ target: target.url, why: 'another attempt was answered first', durationMs });
  }

  protected override retrying(why: string, waitMs: number): void {
    const durationMs = this.host.cachedNow() - this.since;
    noteAttempt(this.exchange, { target: this.target!.url, why: bounded(why), durationMs }, this.attempts, waitMs);
  }

  protected override counts(status: number): number {
    return this.exchange.grpc?.counts(status) ?? status;
  }

  protected override outcome(status: number): string {
    const { grpc } = this.exchange;
    return grpc === undefined || grpc.status < 0 ? super.outcome(status) : `grpc-status ${grpc.name}`;
  }

  onReset(code: number): void {
    if (this.exchange.grpc !== undefined) this.exchange.grpc.resetCode = code;
  }

  broke(error: unknown): void {
    this.downstream.broke(error);
  }
}
