/** Why an HTTP/2 stream or connection ended early, RFC 9113 section 7. */
import { errnoCode, messageOf } from '../../../reason.js';
import { bounded } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import { codeName } from '../../http/error-codes.js';

export const ErrorCode = {
  NoError: 0,
  ProtocolError: 1,
  FlowControlError: 3,
  RefusedStream: 7,
  Cancel: 8,
  CompressionError: 9,
  EnhanceYourCalm: 11,
  InadequateSecurity: 12,
  Http11Required: 13,
} as const;

/** The reply, or what the target said about the request, was not valid HTTP/2. */
const INVALID = new Set<number>([
  ErrorCode.ProtocolError,
  ErrorCode.FlowControlError,
  ErrorCode.CompressionError,
  ErrorCode.Http11Required,
  ErrorCode.InadequateSecurity,
  5,
  6,
]);

export interface Failure {
  readonly error: ErrorSlug;
  /** For the log. */
  readonly cause: string;
}

/** Of a stream that ended with `code`. `stage` says when: `before its reply`. */
export function streamFailure(code: number, stage: string): Failure {
  if (code === ErrorCode.NoError) return { error: 'upstream/reset', cause: `stream ended by the target ${stage}` };
  const error = INVALID.has(code) ? 'upstream/invalid' : 'upstream/reset';
  return { error, cause: `stream ended with ${codeName(code)} ${stage}` };
}

/** Of a connection that ended with this error of node:http2. */
export function sessionFailure(error: unknown, stage: string): Failure {
  const invalid = errnoCode(error) === 'ERR_HTTP2_ERROR';
  return {
    error: invalid ? 'upstream/invalid' : 'upstream/reset',
    cause: bounded(invalid ? `invalid HTTP/2 from the target: ${messageOf(error)}` : `${messageOf(error)} ${stage}`),
  };
}
