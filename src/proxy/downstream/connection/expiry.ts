/** The end of the time of an exchange. */
import { deadlineCause, timeoutCause } from '../../errors/cause.js';
import type { Driver } from '../../exchange/driver.js';
import type { GwExchange } from '../../exchange/exchange.js';
import { outlivesTimeout } from '../../exchange/streams.js';

/** Ends an exchange whose deadline has passed, unless it is a stream. `collecting`: gw waits for its request's body. */
export function expire(exchange: GwExchange, collecting: boolean, driver: Pick<Driver, 'fail'>): void {
  if (outlivesTimeout(exchange)) exchange.deadline = 0;
  else {
    const { grpc, route } = exchange;
    const error = collecting && grpc === undefined ? 'request/timeout' : 'exchange/timeout';
    driver.fail(exchange, error, grpc?.timeout ? deadlineCause(grpc.timeout) : timeoutCause(route.timeout, collecting));
  }
}
