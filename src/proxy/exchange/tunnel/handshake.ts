/** The handshake of an exchange that asks for a WebSocket. */
import type { ErrorSlug } from '../../errors/errors.js';
import { findField } from '../../http/fields.js';
import type { ResponseHead } from '../../http/response-head.js';
import type { Extensions } from '../../websocket/frames.js';
import { extensionsIn, replyFault, requestFault, webSocketIn } from '../../websocket/handshake.js';

/** The request, as policies have edited it. */
interface Asked {
  readonly method: string;
  readonly headers: { received(name: string): string | undefined; get(name: string): string | undefined };
}

/** Why no target gets the request; undefined if it is valid, or the target may choose another protocol. */
export function handshakeFault({ headers, method }: Asked): { error: ErrorSlug; cause: string } | undefined {
  if (webSocketIn(headers.received('upgrade') ?? '') !== 'only') return undefined;
  const fault = requestFault(method, (name) => headers.get(name));
  return fault && { error: `websocket/${fault.what}`, cause: fault.cause };
}

/**
 * What is wrong with a valid 101 to `upgrade` as the begin of a WebSocket; otherwise what its frames may use, or undefined for
 * another protocol.
 */
function switched(
  { headers, method }: Asked,
  head: ResponseHead,
  upgrade: string | undefined,
): { fault: string } | { extensions: Extensions } | undefined {
  if (upgrade === undefined || webSocketIn(upgrade) === 'no') return undefined;
  const replied = (name: string): string | undefined => findField(head.text, head.fieldsAt, head.fieldsEnd, name);
  const fault = replyFault(method, (name) => headers.get(name), replied);
  return fault === undefined ? { extensions: extensionsIn(replied('sec-websocket-extensions')) } : { fault };
}

/** Why a 1xx reply that takes the place of a final one is invalid; undefined if it is valid. */
function switchFault(status: number, upgrade: string | undefined, asked: string): string | undefined {
  if (status >= 200) return undefined;
  if (status !== 101) return `status ${status} instead of a final reply`;
  if (!upgrade) return 'status 101 without Upgrade';
  return wasOffered(upgrade, asked) ? undefined : 'status 101 to a protocol that was not asked for';
}

/** Whether `asked` contains every protocol of `chosen`; both are lists. */
function wasOffered(chosen: string, asked: string): boolean {
  const offered = protocolsOf(asked);
  return protocolsOf(chosen).every((protocol) => offered.includes(protocol));
}

const protocolsOf = (list: string): string[] => list.split(',').map((protocol) => protocol.trim().toLowerCase());

/** What is wrong with a reply to an upgrade request; otherwise what the frames may use, if it begins a WebSocket. `upgrade`: of a 101. */
export function handshakeResult(
  asked: Asked,
  head: ResponseHead,
  upgrade: string | undefined,
): { fault: string } | { extensions: Extensions | undefined } {
  // A 101 must name its protocol, and the client must have offered it: RFC 9110 sections 7.8 and 15.2.2.
  const fault = switchFault(head.status, upgrade, asked.headers.received('upgrade') ?? '');
  if (fault !== undefined) return { fault };
  const result = switched(asked, head, upgrade);
  if (result !== undefined && 'fault' in result) return result;
  const wrong = head.lengthFault(asked.method === 'HEAD');
  return wrong === undefined ? { extensions: result?.extensions } : { fault: wrong };
}
