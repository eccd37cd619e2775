/**
 * Errors for clients of gRPC, which read a status and a message from fields or trailer fields in place of an HTTP status and a body
 * (gRPC over HTTP/2, "Responses").
 */
import type { HeaderFields, Reply } from '../contract.js';
import { BODY_FIELDS } from './body-fields.js';
import { HeaderMap } from './fields.js';
import { BytesReply, statusText } from './replies.js';

/** The codes that gw itself answers with. */
export const GrpcCode = {
  Cancelled: 1,
  Unknown: 2,
  DeadlineExceeded: 4,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  Unauthenticated: 16,
} as const;

const CODES = new Map<number, number>([
  [400, GrpcCode.Internal],
  [401, GrpcCode.Unauthenticated],
  [403, GrpcCode.PermissionDenied],
  [404, GrpcCode.Unimplemented],
  [413, GrpcCode.ResourceExhausted],
  [429, GrpcCode.ResourceExhausted],
  [431, GrpcCode.Internal],
  [502, GrpcCode.Unavailable],
  [503, GrpcCode.Unavailable],
  [504, GrpcCode.DeadlineExceeded],
]);

/**
 * The gRPC status of an error of gw. As clients map HTTP statuses, except for those that say more: 413 and 429 are RESOURCE_EXHAUSTED,
 * 504 is DEADLINE_EXCEEDED.
 */
export const grpcCodeOf = (status: number): number => CODES.get(status) ?? GrpcCode.Unknown;

/** The code in a value of `grpc-status`; -1 if it is not a number of at most three digits. */
export const grpcCodeIn = (value: string | undefined): number =>
  value !== undefined && /^\d{1,3}$/.test(value) ? Number(value) : -1;

/** A value of `grpc-message`: UTF-8 with percent-encoding of all but printable ASCII, and of `%`. */
export function grpcMessage(text: string): string {
  let value = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) value += String.fromCharCode(byte);
    else value += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
  }
  return value;
}

/** The fields that end a call: of a reply without messages, or trailer fields. */
export const grpcStatusFields = (code: number, message: string): readonly (readonly [string, string])[] => [
  ['grpc-status', String(code)],
  ['grpc-message', grpcMessage(message)],
];

/** What an error reply says, in one line. */
function grpcTextOf(reply: Reply): string {
  if (reply instanceof BytesReply && reply.summary !== undefined) return reply.summary;
  return statusText(reply.status);
}

/** Fields that a reply of gRPC without messages does not take over. */
const LEFT_OUT = new Set([
  ...BODY_FIELDS,
  'content-range',
  'content-type',
  'grpc-message',
  'grpc-status',
  'transfer-encoding',
]);

/**
 * An error reply of gw as a reply of gRPC without messages ("Trailers-Only"): HTTP status 200, `grpc-status` and `grpc-message` in the
 * head, no body. Other fields stay, where they are metadata: Retry-After, WWW-Authenticate ... `code` of the log stays too.
 */
export function grpcErrorReply(reply: Reply, code = grpcCodeOf(reply.status)): BytesReply {
  const headers = new HeaderMap();
  for (const [name, value] of reply.headers.entries()) if (!LEFT_OUT.has(name)) headers.append(name, value);
  endWith(headers, 'application/grpc', code, reply);
  discardBody(reply);
  return new BytesReply(200, { headers, code: reply.code, cause: reply.cause });
}

/** The same for another media type, in place. */
export function toGrpcError(reply: Reply, contentType: string, code = grpcCodeOf(reply.status)): void {
  for (const name of LEFT_OUT) reply.headers.remove(name);
  endWith(reply.headers, contentType, code, reply);
  discardBody(reply);
  reply.body = null;
  reply.status = 200;
}

function endWith(headers: HeaderFields, contentType: string, code: number, reply: Reply): void {
  headers.set('content-type', contentType);
  for (const [name, value] of grpcStatusFields(code, grpcTextOf(reply))) headers.set(name, value);
}

function discardBody({ body }: Reply): void {
  if (body !== null && !(body instanceof Uint8Array)) body.discard();
}
