/** Checks of `request.body` and `reply.body`. */
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { compileJsonata } from '../kits/jsonata/index.js';
import { BINDINGS, bindingNames, REPLY_BINDINGS, unknownMember } from './body/binding-names.js';
import type { BodyConfig, TransformConfig } from './schema.js';

type Report = (problem: PolicyProblem) => void;

/** Methods whose requests have no body that means anything, RFC 9110 section 9.3. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']);

export function lintBody(
  config: TransformConfig,
  side: 'request' | 'reply',
  context: PolicyContext,
  report: Report,
): void {
  const { body } = config[side];
  if (body === undefined) return;
  lintProgram(body, side, report);
  if (body.jsonata === undefined) {
    report({
      code: 'transform/no-edit',
      severity: 'error',
      at: [side, 'body'],
      message: 'The body would be read and written again as it is.',
      help: 'Add what to do with it, such as `jsonata = "$"`, or remove the table.',
    });
  }
  if (side === 'reply') return;
  const route = context.routes.find(
    ({ methods }) => methods.length > 0 && methods.every((each) => WITHOUT_BODY.has(each)),
  );
  if (route === undefined) return;
  report({
    code: 'transform/no-body',
    severity: 'warning',
    at: ['request', 'body'],
    message: `Requests of route \`${route.name}\` (${route.methods.join(', ')}) have no body.`,
    help: 'Use the policy on routes whose methods have a body, such as POST, or edit `reply.body`.',
  });
}

function lintProgram({ jsonata }: BodyConfig, side: 'request' | 'reply', report: Report): void {
  if (jsonata === undefined) return;
  const at = [side, 'body', 'jsonata'];
  const fail = (start: number, end: number, message: string, help: string): void => {
    const part = { text: jsonata, start, end: Math.max(end, Math.min(start + 1, jsonata.length)) };
    report({ code: 'transform/jsonata', severity: 'error', at, part, message, help });
  };
  const program = compileJsonata(jsonata, { bindings: bindingNames(side === 'reply') });
  if ('error' in program) {
    fail(program.start, program.end, program.error, 'Correct the program. `$` is the body.');
    return;
  }
  for (const read of program.reads.bindings) {
    const unknown = unknownMember(read);
    if (unknown === undefined) continue;
    const known = (BINDINGS[read.name] ?? REPLY_BINDINGS[read.name] ?? []) as readonly string[];
    const names = known.map((name) => `\`${name}\``).join(', ');
    fail(read.start, read.end, `\`$${read.name}\` has no \`${unknown}\`.`, `It has ${names}.`);
  }
}
