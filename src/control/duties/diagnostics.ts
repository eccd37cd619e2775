/** Diagnostics of duties whose first run failed. */
import type { Diagnostic } from '../../schema/diagnostic.js';
import { controlError, controlWarning } from '../codes.js';
import type { Places } from '../references/places.js';
import type { DutyFailure } from './set.js';

/** An error for each failure that rejects the load, a warning for each other one. */
export function dutyDiagnostics(failures: readonly DutyFailure[], places: Places): Diagnostic[] {
  return failures.map(({ policy, cause, rejects, hasValue }) => {
    const { name, use, origins } = policy;
    const span = Object.values(origins)
      .map((source) => places.at(source))
      .find((found) => found !== undefined);
    // A policy of its own is where its name is; an inline one where its first key is.
    const at = places.find(`policy.${name}`) ?? span ?? places.of('');
    const failed = `The first run of the duty of policy \`${name}\` (${use}) failed: ${cause}.`;
    if (rejects)
      return controlError(
        'duty/failed',
        at,
        failed,
        'The policy cannot start without it. Correct the cause and reload.',
      );
    const meanwhile = hasValue ? 'the value of the last generation' : 'no value';
    const help = 'gw repeats the run until it succeeds; `gw dash` shows the last error in its Targets view.';
    return controlWarning('duty/pending', at, `${failed} The policy starts with ${meanwhile}.`, help);
  });
}
