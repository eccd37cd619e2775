/** The body of a request for the action of its route. */
import type { Exchange, Reply } from '../../policies/contract.js';
import { refuseEncoded, refuseRequestBody } from './chain/hooks.js';
import type { ChainedExchange } from './chain/step.js';

/** `use`: of the action, for the cause. Rejects with TypeError for an exchange that is not one of gw. */
export async function collectForAction(exchange: Exchange, use: string, max: number): Promise<Uint8Array | Reply> {
  if (!isChained(exchange)) throw new TypeError('The exchange is not one of gw');
  if (!exchange.hasBody) return new Uint8Array(0);
  const by = { name: use };
  if ((exchange.headers.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity')
    return refuseEncoded(exchange, by);
  const body = await exchange.ensureBodies().collectRequest(max);
  return typeof body === 'string' ? refuseRequestBody(exchange, by, body, max) : body;
}

const isChained = (exchange: Exchange): exchange is ChainedExchange => 'ensureBodies' in exchange;
