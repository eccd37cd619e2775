/** What answers a route, at the end of its chain. */
import type { Json } from '../bundle/types.js';
import type { Exchange, ExchangeEnd, Reply } from './exchange.js';
import type { PolicyHost } from './host.js';
import type { Awaitable } from './policy.js';

export interface ActionInstance {
  /**
   * Answers the request. Returns `forwarded` after host.forward(): the target's reply follows. A throw or rejection gives 500.
   */
  start(exchange: Exchange): Awaitable<Reply> | Forwarded;
  /** Once for each exchange that started it. */
  finished?(exchange: Exchange, end: ExchangeEnd): void;
  stats?(): Json;
  close?(): void;
}

/** The mark that host.forward() returns: the reply comes from a target. */
export interface Forwarded {
  readonly forwarded: true;
}

export interface ActionHost extends PolicyHost {
  /** Sends the request with its body to a target of the route's service; the reply becomes that of the exchange. */
  forward(exchange: Exchange): Forwarded;
}

export type CreateAction<Settings extends Json = Json> = (settings: Settings, host: ActionHost) => ActionInstance;
