/** Puts policies of a test in front of those of a program, as if they had been compiled. */
import type { ExpressionEntry, PolicyBody, PolicyEntry, Program, ReplyPhase } from '../../src/bundle/types.js';
import type { PolicyHost, PolicyInstance } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';

export interface TestPolicy {
  readonly name?: string;
  readonly replyPhase?: ReplyPhase;
  readonly body?: PolicyBody;
  readonly when?: ExpressionEntry;
  /** Services that it calls. */
  readonly calls?: readonly string[];
  /** Creates the instance, or is it. */
  readonly run: PolicyInstance | ((host: PolicyHost) => PolicyInstance);
}

let count = 0;

/** An edit of a program: each route runs `policies` first, in this order. */
export function withPolicies(policies: readonly TestPolicy[]): (program: Program) => Program {
  const entries = policies.map(({ name, replyPhase, body, when, calls, run }): PolicyEntry => {
    const use = `test-${count++}`;
    Object.assign(runHalves, {
      [use]: (_settings: unknown, host: PolicyHost) => (typeof run === 'function' ? run(host) : run),
    });
    return {
      use,
      name: name ?? use,
      phase: 'transform',
      ...(replyPhase === undefined ? {} : { replyPhase }),
      ...(body === undefined ? {} : { body }),
      ...(when === undefined ? {} : { when }),
      ...(calls === undefined ? {} : { calls }),
      identity: use,
      settings: null,
      config: {},
      origins: {},
    };
  });
  return (program) => ({
    ...program,
    policies: [...program.policies, ...entries],
    routes: program.routes.map((route) => ({
      ...route,
      policies: [...entries.map((_, index) => program.policies.length + index), ...route.policies],
    })),
  });
}
