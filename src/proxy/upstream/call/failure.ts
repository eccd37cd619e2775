/** Why a call has no reply. */
import type { CallFailure } from '../../../contract/index.js';

export class CallError extends Error implements CallFailure {
  override readonly name = 'CallFailure';
  readonly error: string;
  override readonly cause: string;

  constructor(service: string, error: string, cause: string) {
    super(`call of ${service} failed: ${cause}`);
    this.error = error;
    this.cause = cause;
  }
}
