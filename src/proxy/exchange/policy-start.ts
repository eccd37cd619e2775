/** How a policy that cannot start fails. */
import type { Json } from '../../bundle/types.js';
import type { PolicyInstance } from '../../policies/contract.js';
import { messageOf } from '../../reason.js';

/** A policy threw on the first value of its duty. */
export class RefusedValueError extends Error {
  constructor(
    readonly policy: string,
    /** What it threw. */
    readonly reason: string,
    options: ErrorOptions,
  ) {
    super(`The policy ${policy} refuses the value of its duty: ${reason}`, options);
  }
}

/** Hands the last value of its duty to a new instance, before its first exchange. */
export function begin(name: string, instance: PolicyInstance, value: Json | undefined): void {
  if (value === undefined) return;
  try {
    instance.published?.(value);
  } catch (error) {
    throw new RefusedValueError(name, messageOf(error), { cause: error });
  }
}

/** The error of a policy that cannot start; its message names the policy, by which the control thread finds its place in the spec. */
export function naming(policy: string, error: unknown): Error {
  const message = messageOf(error);
  return message.includes(`policy ${policy}`)
    ? (error as Error)
    : new Error(`policy ${policy}: ${message}`, { cause: error });
}
