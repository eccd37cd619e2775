/** Exchanges inside gw in an offline run. */
import type { Reply } from '../../policies/contract.js';
import { BytesReply, HeaderMap } from '../../policies/run-kit.js';
import type { Downstream, ReplySource } from '../exchange/downstream.js';
import { Driver, type DriverHost } from '../exchange/driver.js';
import type { GwExchange } from '../exchange/exchange.js';
import type { InnerHost } from '../exchange/inner/exchanges.js';
import type { Service } from '../upstream/service.js';
import { mockReply, type OfflineMocks, type OfflineReply } from './mocks.js';
import { OfflineSource } from './source.js';

/** Runs further requests of an exchange: mocks answer for their targets. */
export class OfflineInner implements InnerHost, DriverHost {
  readonly driver = new Driver(this);
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly #mocksOf: (exchange: GwExchange) => OfflineMocks;
  readonly #unknown: (exchange: GwExchange, would: string) => void;

  constructor(
    mocksOf: (exchange: GwExchange) => OfflineMocks,
    unknown: (exchange: GwExchange, would: string) => void,
    now: () => number,
  ) {
    this.#mocksOf = mocksOf;
    this.#unknown = unknown;
    this.now = now;
    this.monotonic = now;
  }

  begin(exchange: GwExchange, downstream: Downstream): void {
    this.driver.begin(exchange, downstream);
  }

  ask(exchange: GwExchange, service: Service): ReplySource {
    return new OfflineSource(() => {
      const { name } = service.entry;
      const { method, path, query } = exchange;
      const headers = [...exchange.headers.entries()];
      const call = { service: name, method, path: query === '' ? path : `${path}?${query}`, headers, body: NO_BYTES };
      const found = mockReply(this.#mocksOf(exchange), call);
      if (found !== undefined) this.driver.replied(exchange, mockedReply(found));
      else this.#unknown(exchange, `a further request would ask service ${name}: ${method} ${path}`);
    });
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

const NO_BYTES = new Uint8Array(0);

const mockedReply = ({ status = 200, headers = {}, body = '' }: OfflineReply): Reply =>
  new BytesReply(status, { headers: new HeaderMap(Object.entries(headers)), body });
