/** Replies to what is no request yet: there is no exchange, only a reason. */
import { problem } from '../../policies/run-kit.js';
import { ERRORS, type ErrorSlug } from '../errors.js';
import { fieldLines, statusLine } from './write-head.js';

/** The whole reply as text, saying that the connection closes. */
export function refusal(error: ErrorSlug, id: string, dateLine: string): string {
  const reply = problem({ id }, { code: error, ...ERRORS[error] });
  const body = Buffer.from(reply.body ?? []);
  return (
    `${statusLine(reply.status)}${fieldLines(reply.headers)}${dateLine}x-request-id: ${id}\r\n` +
    `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body.toString('latin1')}`
  );
}
