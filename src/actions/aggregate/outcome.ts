/** What calls end with, and what the failure of one means for the reply. */
import type { CallFailure, CallReply, DeclaredProblem } from '../../policies/contract.js';
import { PROBLEMS } from './problems.js';

/** The reply of a call that can be used. */
export interface Answer {
  readonly status: number;
  readonly headers: CallReply['headers'];
  /** The body as JSON text. */
  readonly json: Uint8Array | string;
  readonly requestedAt: number;
  readonly receivedAt: number;
}

/** Why a call has no usable reply. */
export interface Failure {
  readonly call: string;
  readonly problem: DeclaredProblem;
  /** Of the reply to the client. */
  readonly status: number;
  /** Of the service's reply; absent: it sent none. */
  readonly from?: number;
  /** For the log. */
  readonly cause: string;
  /** Fields that the status requires or explains: WWW-Authenticate, Retry-After. */
  readonly fields?: { readonly [name: string]: string };
  /** The exchange has ended. */
  readonly ended?: true;
}

/** Fields of a refusing reply that the client needs. */
const PASSED = ['www-authenticate', 'retry-after', 'allow'] as const;

/** A reply with a status that is not a success. */
export function refusal(call: string, { headers, status }: CallReply): Failure {
  const refused = status >= 400 && status < 500 && status !== 407;
  const fields: Record<string, string> = {};
  if (refused)
    for (const name of PASSED) {
      const value = headers.get(name);
      if (value !== undefined) fields[name] = value;
    }
  const problem = refused ? PROBLEMS.refused : PROBLEMS.failed;
  return {
    call,
    problem,
    status: refused ? status : problem.status,
    from: status,
    cause: `answered with ${status}`,
    fields,
  };
}

/** A reply whose body cannot be used, or a request that cannot be sent. */
export const unusable = (call: string, cause: string, from?: number): Failure => ({
  call,
  problem: PROBLEMS.failed,
  status: PROBLEMS.failed.status,
  ...(from === undefined ? {} : { from }),
  cause,
});

export const timedOut = (call: string, cause: string): Failure => ({
  call,
  problem: PROBLEMS.timeout,
  status: PROBLEMS.timeout.status,
  cause,
});

const overloaded = (call: string, cause: string): Failure => ({
  call,
  problem: PROBLEMS.overloaded,
  status: PROBLEMS.overloaded.status,
  cause,
});

export const noMemory = (call: string): Failure => overloaded(call, 'no memory left for bodies');

/** The gateway itself has no room for the call: the service is not at fault. */
const OVERLOADED = new Set([
  'gateway/overloaded',
  'upstream/calls-full',
  'upstream/queue-full',
  'upstream/queue-timeout',
]);

/** Failures before a target has got anything. */
const UNSENT = new Set([
  'gateway/drained',
  'upstream/calls-full',
  'upstream/connect-timeout',
  'upstream/none',
  'upstream/queue-full',
  'upstream/queue-timeout',
  'upstream/unreachable',
]);
/** RFC 9110 section 9.2.2: gw may have sent these to another target before. */
const REPEATED = new Set(['PUT', 'DELETE']);

/** Whether no target has got a request with effects. */
export const isUnsent = (method: string, { error }: CallFailure): boolean => UNSENT.has(error) && !REPEATED.has(method);

/** No reply. */
export function failed(call: string, { cause, error }: CallFailure): Failure {
  if (error === 'upstream/timeout') return timedOut(call, cause);
  if (OVERLOADED.has(error)) return overloaded(call, cause);
  const failure = unusable(call, cause);
  return error === 'downstream/aborted' ? { ...failure, ended: true } : failure;
}
