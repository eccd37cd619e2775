/**
 * JSONata within bounds.
 *
 *     const program = compileJsonata(source, { bindings: ['request', 'consumer'] });
 *     if ('error' in program) return report(program.error, program.start, program.end);
 *     const result = await program.evaluate(body, { request, consumer }, host);
 *
 * What differs from JSONata: `$eval` does not exist; regular expressions have the syntax of RE2; `$now`, `$millis`,
 * `$random` and `$shuffle` use the host's clock and numbers; an integer that a double cannot hold is a string of its
 * digits in the program. Such a string in the result becomes the number again, except if `$string()` made it, or if the input
 * has it as a string too.
 */
export { DEFAULT_JSONATA_LIMITS, JsonataFault, type JsonataFaultKind, type JsonataLimits } from './fault.js';
export type { JsonataError } from './prepare.js';
export { compileJsonata, type JsonataHost, type JsonataOptions, JsonataProgram } from './program.js';
export type { JsonataRead, JsonataReads } from './reads.js';
