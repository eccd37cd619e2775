/** Error replies of gw. */
import { type BytesReply, problem } from '../../../policies/run-kit.js';
import { ERRORS, type ErrorSlug } from '../../errors/errors.js';

/** An error reply of gw, recorded in the exchange. `cause` is for the log only. */
export function refuse(
  exchange: { readonly id: string; error: string | null; cause: string | null },
  error: ErrorSlug,
  cause: string | null,
  headers?: { readonly [name: string]: string },
): BytesReply {
  exchange.error = error;
  exchange.cause = cause;
  return problem(exchange, { code: error, ...ERRORS[error], ...(headers === undefined ? {} : { headers }) });
}
