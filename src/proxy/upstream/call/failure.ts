/** Why a call has no reply. */
import type { CallFailure } from '../../../contract/index.js';
import type { ErrorSlug } from '../../errors/errors.js';

export class CallError extends Error implements CallFailure {
  override readonly name = 'CallFailure';
  readonly error: ErrorSlug;
  override readonly cause: string;

  constructor(service: string, error: ErrorSlug, cause: string) {
    super(`call of ${service} failed: ${cause}`);
    this.error = error;
    this.cause = cause;
  }
}
