/** proxy at run time. */
import type { ActionHost, ActionInstance, Exchange, Forwarded } from '../../policies/contract.js';
import { runAction } from '../../policies/run-kit.js';

export const create = runAction<null>((_settings, host) => new ProxyAction(host));

class ProxyAction implements ActionInstance {
  readonly #host: ActionHost;

  constructor(host: ActionHost) {
    this.#host = host;
  }

  start(exchange: Exchange): Forwarded {
    return this.#host.forward(exchange);
  }
}
