/**
 * Whether a failed request is sent again, to another target or on another connection. Only if the target cannot have acted
 * on it: nothing was sent, or the method is idempotent and nothing of a reply came (RFC 9110 section 9.2.2).
 */
import type { ErrorSlug } from '../errors/errors.js';
import type { Service } from './service.js';

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Failures that do not indicate a fault of the target; a retry on the same target is useless. */
const BLAMELESS = new Set<ErrorSlug>([
  'upstream/queue-full',
  'upstream/queue-timeout',
  'gateway/exhausted',
  'gateway/failed',
]);

/** Failures before a byte of an upgrade request was sent. */
const UNSENT = new Set<ErrorSlug>(['upstream/unreachable', 'upstream/connect-timeout', 'gateway/exhausted']);

export const isIdempotent = (method: string): boolean => IDEMPOTENT.has(method);

export const isBlameless = (error: ErrorSlug): boolean => BLAMELESS.has(error);

/** Whether an error of a tunnel came before anything was sent. */
export const isUnsent = (error: ErrorSlug): boolean => UNSENT.has(error);

/** Whether the service allows one more attempt after so many. */
export const attemptsLeft = (service: Service, attempts: number): boolean => attempts <= service.entry.retries;

/** Of a request of which nothing was sent: any method may be sent to another target. */
export const mayTryElsewhere = (error: ErrorSlug, service: Service, attempts: number): boolean =>
  attemptsLeft(service, attempts) && (!isBlameless(error) || service.targets.length > 1);
