/** Exchanges inside gw in an offline run. */
import type { Clock } from '../../state/clock.js';
import type { Downstream, ReplySource } from '../exchange/downstream.js';
import { Driver, type DriverHost } from '../exchange/driver.js';
import type { GwExchange } from '../exchange/exchange.js';
import type { InnerHost } from '../exchange/inner/exchanges.js';
import type { Service } from '../upstream/service.js';
import { type Missing, mockReply, type OfflineCall, type OfflineMocks, type OfflineReply } from './mocks.js';
import { OfflineTarget, type OfflineTargetHost } from './target.js';

/** Runs further requests of an exchange: mocks answer for their targets. */
export class OfflineInner implements InnerHost, DriverHost, OfflineTargetHost {
  readonly driver = new Driver(this);
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly #mocksOf: (exchange: GwExchange) => OfflineMocks;
  readonly #unknown: (exchange: GwExchange, missing: Missing) => void;

  constructor(
    mocksOf: (exchange: GwExchange) => OfflineMocks,
    unknown: (exchange: GwExchange, missing: Missing) => void,
    clock: Clock,
  ) {
    this.#mocksOf = mocksOf;
    this.#unknown = unknown;
    this.now = () => clock.now();
    this.monotonic = () => clock.monotonic();
  }

  begin(exchange: GwExchange, downstream: Downstream): void {
    this.driver.begin(exchange, downstream);
  }

  ask(exchange: GwExchange, service: Service): ReplySource {
    return new OfflineTarget(this, exchange, service);
  }

  asked(): void {}

  mock(exchange: GwExchange, call: OfflineCall): OfflineReply | undefined {
    return mockReply(this.#mocksOf(exchange), call);
  }

  unanswered(exchange: GwExchange, service: string): undefined {
    const would = `a further request would ask service ${service}: ${exchange.method} ${exchange.path}`;
    this.#unknown(exchange, { would, kind: 'mock', name: service });
  }

  /** What continues in the background does not change the outcome. */
  detach(): boolean {
    return false;
  }

  detached(): void {}
  end(): void {}
  routed(): void {}

  bug(error: unknown): void {
    throw error;
  }
}
