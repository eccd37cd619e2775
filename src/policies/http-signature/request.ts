/** A request as its signer saw it. */
import type { Exchange } from '../contract.js';
import { normalAuthority, type SignedRequest } from '../kits/http-signature/index.js';
import type { HttpSignatureSettings } from './schema.js';

export function signedRequest(exchange: Exchange, origin: HttpSignatureSettings['origin']): SignedRequest {
  const { receivedTarget: requestTarget, headers, method } = exchange;
  const scheme = origin?.scheme ?? exchange.scheme;
  const question = requestTarget.indexOf('?');
  return {
    method,
    scheme,
    authority: origin?.authority ?? normalAuthority(headers.get('host') ?? exchange.host, scheme),
    requestTarget,
    path: question < 0 ? requestTarget : requestTarget.slice(0, question),
    query: question < 0 ? undefined : requestTarget.slice(question + 1),
    values(name) {
      const values: string[] = [];
      for (const [of, value] of headers.entries()) if (of.toLowerCase() === name) values.push(value);
      return values;
    },
  };
}
