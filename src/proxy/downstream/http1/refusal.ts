/** Replies to input that is not a request: there is no exchange. */
import { problem } from '../../../policies/run-kit.js';
import { ERRORS, type ErrorSlug } from '../../errors/errors.js';
import { fieldLines, statusLine } from '../../http/write-head.js';

/** A 426 must name the required protocol, RFC 9110 section 15.5.22 and RFC 2817 section 4.2. */
const TLS_REQUIRED = 'upgrade: TLS/1.2, HTTP/1.1\r\nconnection: upgrade, close\r\n';

/** The complete reply as text, with Connection: close. `headOnly`: without body, for HEAD. */
export function refusal(error: ErrorSlug, id: string, dateLine: string, headOnly = false): string {
  const reply = problem({ id }, { code: error, ...ERRORS[error] });
  const body = Buffer.from(reply.body ?? []);
  const steer = reply.status === 426 ? TLS_REQUIRED : 'connection: close\r\n';
  return (
    `${statusLine(reply.status)}${fieldLines(reply.headers)}${dateLine}x-request-id: ${id}\r\n` +
    `content-length: ${body.length}\r\n${steer}\r\n${headOnly ? '' : body.toString('latin1')}`
  );
}
