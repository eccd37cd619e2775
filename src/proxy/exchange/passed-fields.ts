/** The fields of a request that an action may pass on in its calls. */
import type { Exchange } from '../../policies/contract.js';
import { endToEndLines, type OutgoingRequest } from '../http/write-head.js';

/** Those that a target gets, without Host, Via, x-request-id and framing. Throws TypeError for an exchange that is not one of gw. */
export function* passedFields(exchange: Exchange): Generator<readonly [name: string, value: string]> {
  if (!isOutgoing(exchange)) throw new TypeError('The exchange is not one of gw');
  for (const line of endToEndLines(exchange).split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    if (name !== '' && name !== 'via' && name !== 'max-forwards') yield [name, line.slice(colon + 1).trim()];
  }
}

const isOutgoing = (exchange: Exchange): exchange is Exchange & OutgoingRequest => 'peer' in exchange;
