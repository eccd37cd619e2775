/** Errors as gRPC sends them: HTTP status 200, and a status of gRPC in the fields. */
import type { Reply } from '../contract.js';
import { statusText } from './replies.js';

const INTERNAL = 13;
const UNIMPLEMENTED = 12;
const RESOURCE_EXHAUSTED = 8;
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;

const STATUSES: ReadonlyMap<number, number> = new Map([
  [400, INTERNAL],
  [401, 16],
  [403, 7],
  [404, UNIMPLEMENTED],
  [405, UNIMPLEMENTED],
  [408, DEADLINE_EXCEEDED],
  [413, RESOURCE_EXHAUSTED],
  [415, UNIMPLEMENTED],
  [429, RESOURCE_EXHAUSTED],
  [431, RESOURCE_EXHAUSTED],
  [500, INTERNAL],
  [501, UNIMPLEMENTED],
  [502, UNAVAILABLE],
  [503, UNAVAILABLE],
  [504, DEADLINE_EXCEEDED],
]);

/** The status of gRPC for an error with this HTTP status; UNKNOWN (2) for other ones. */
export const grpcStatusOf = (status: number): number => STATUSES.get(status) ?? 2;

/** A text as the value of grpc-message: bytes of UTF-8, percent-encoded unless they are printable ASCII. */
export function grpcMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Fields that describe the body of a problem. */
const OF_THE_BODY = ['content-length', 'content-encoding', 'content-language', 'etag', 'accept-ranges'];

/** Makes an error of gw or of a policy one of gRPC, in place: the status is in the head, and there is no body. */
export function toGrpcError(reply: Reply, contentType: string): void {
  const { headers, status } = reply;
  const message = messageOf(reply);
  if (reply.body !== null && !(reply.body instanceof Uint8Array)) reply.body.discard();
  reply.body = null;
  for (const name of OF_THE_BODY) headers.remove(name);
  headers.set('content-type', contentType);
  headers.set('grpc-status', String(grpcStatusOf(status)));
  headers.set('grpc-message', grpcMessage(message));
  reply.status = 200;
}

/** The title and detail of a problem; for another body, the name of its status. */
function messageOf({ headers, body, status }: Reply): string {
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json') === true;
  const members = isProblem && body instanceof Uint8Array ? membersOf(body) : {};
  const { title, detail } = members;
  const first = typeof title === 'string' ? title : statusText(status);
  return typeof detail === 'string' ? `${first}: ${detail}` : first;
}

function membersOf(body: Uint8Array): { readonly title?: unknown; readonly detail?: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // A policy has changed the body.
    return {};
  }
}
