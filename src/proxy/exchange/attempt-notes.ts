/** What the records of an exchange say about its attempts at targets. */
import type { Reply } from '../../policies/contract.js';
import { problem } from '../../policies/run-kit.js';
import type { AttemptRecord } from '../../telemetry/snapshot.js';
import { ERRORS } from '../errors/errors.js';
import type { GuardRefusal } from '../upstream/guard.js';
import type { GwExchange } from './exchange.js';

/** The attempt with this number has ended, and another one follows after `waitMs` milliseconds. */
export function noteAttempt(exchange: GwExchange, record: AttemptRecord, number: number, waitMs: number): void {
  exchange.attempts ??= [];
  exchange.attempts.push(record);
  exchange.decisions?.push({
    step: 'retry',
    use: 'retry',
    outcome: 'pass',
    why: `attempt ${number} failed: ${record.why}`,
    details: { target: record.target, waitMs: Math.round(waitMs) },
  });
}

/** The guard of the service lets the request not pass. */
export function refusalOf(exchange: GwExchange, { cause, error, retryAfter }: GuardRefusal): Reply {
  exchange.error = error;
  exchange.cause = cause;
  return problem(exchange, { code: error, ...ERRORS[error], headers: { 'retry-after': String(retryAfter) } });
}
