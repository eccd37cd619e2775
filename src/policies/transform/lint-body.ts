/** Checks of `request.body` and `reply.body`. */
import type { ConfigPath, PolicyContext, PolicyProblem } from '../contract.js';
import { lintTemplate, RouteParams } from '../kits/field-edits-schema.js';
import { compileJsonEdit, type PathError, parsePath } from '../kits/json-edit/index.js';
import { compileJsonata } from '../kits/jsonata/index.js';
import { BINDINGS, bindingNames, REPLY_BINDINGS, unknownMember } from './body/binding-names.js';
import { templatesIn } from './member-value.js';
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
  const body: BodyConfig | undefined = config[side].body;
  if (body === undefined) return;
  const at = [side, 'body'];
  lintProgram(body, side, report);
  lintMembers(body, at, report);
  lintArrays(body, at, report);
  const routes = new RouteParams(context.routes);
  for (const [path, value] of Object.entries(body.set)) {
    for (const [text, where] of templatesIn(value, [...at, 'set', path]))
      lintTemplate(text, where, { routes, onReply: side === 'reply' }, report);
  }
  if (!hasEdit(body)) {
    report({
      code: 'transform/no-edit',
      severity: 'error',
      at,
      message: 'The body would be read and written again as it is.',
      help: 'Add what to do with it, such as `omit = ["password"]`, or remove the table.',
    });
  }
  if (side === 'reply') lintLinks(config, report);
  else lintMethods(context, report);
}

/** Whether a body is changed at all. */
const hasEdit = ({ from, to, jsonata, pick, omit, rename, set, links = [] }: BodyConfig): boolean =>
  (to !== undefined && to !== from) ||
  jsonata !== undefined ||
  pick !== undefined ||
  omit.length + links.length + Object.keys(rename).length + Object.keys(set).length > 0;

function lintArrays({ from, xml_arrays }: BodyConfig, at: ConfigPath, report: Report): void {
  if (from === 'xml' || xml_arrays.length === 0) return;
  report({
    code: 'transform/conflict',
    severity: 'error',
    at: [...at, 'xml_arrays'],
    message: `\`xml_arrays\` is for bodies that are read as XML, and these are read as \`${from}\`.`,
    help: 'Add `from = "xml"`, or remove the key.',
  });
}

function lintLinks({ reply }: TransformConfig, report: Report): void {
  if (reply.body === undefined || reply.body.links.length === 0 || reply.links !== undefined) return;
  report({
    code: 'transform/conflict',
    severity: 'error',
    at: ['reply', 'body', 'links'],
    message: 'Links in the body are rewritten like those of `reply.links`, which is not set.',
    help: 'Add `reply.links = {}`.',
  });
}

function lintMethods({ routes }: PolicyContext, report: Report): void {
  const route = routes.find(({ methods }) => methods.length > 0 && methods.every((each) => WITHOUT_BODY.has(each)));
  if (route === undefined) return;
  report({
    code: 'transform/no-body',
    severity: 'warning',
    at: ['request', 'body'],
    message: `Requests of route \`${route.name}\` (${route.methods.join(', ')}) have no body.`,
    help: 'Use the policy on routes whose methods have a body, such as POST, or edit `reply.body`.',
  });
}

/** The paths of the simple forms. */
function lintMembers(body: BodyConfig, at: ConfigPath, report: Report): void {
  const { jsonata, pick, omit, rename, set, links = [] } = body;
  const { errors } = compileJsonEdit({ ...(pick === undefined ? {} : { pick }), omit, rename, set });
  const say = (where: ConfigPath, { error, start, end }: PathError, path: string, isValue: boolean): void =>
    report({
      code: 'transform/member',
      severity: 'error',
      at: [...at, ...where],
      ...(isValue ? { part: { text: path, start, end: Math.max(end, start + 1) } } : {}),
      message: error,
      help: 'Write `items[*].price`, `items[0]`, or `"a name.with dots"`.',
    });
  for (const { form, index, path, ...error } of errors) {
    const isList = form === 'pick' || form === 'omit';
    say([form, isList ? index : path], error, path, isList);
  }
  for (const [index, path] of links.entries()) {
    const parsed = parsePath(path);
    if ('error' in parsed) say(['links', index], parsed, path, true);
  }
  const conflict = (where: ConfigPath, other: ConfigPath, message: string, help: string): void =>
    report({
      code: 'transform/conflict',
      severity: 'error',
      at: [...at, ...where],
      message,
      help,
      related: [{ at: [...at, ...other], message: 'the other edit' }],
    });
  const form = (['pick', 'omit', 'rename', 'set'] as const).find((each) => Object.keys(body[each] ?? {}).length > 0);
  if (jsonata !== undefined && form !== undefined)
    conflict(
      [form],
      ['jsonata'],
      `\`jsonata\` and \`${form}\` both say what becomes of the body.`,
      'Write the edit in the program, or use a second policy.',
    );
  for (const [index, path] of omit.entries()) {
    const other = (['rename', 'set'] as const).find((each) => Object.hasOwn(body[each], path));
    if (other !== undefined)
      conflict(
        ['omit', index],
        [other, path],
        `\`${path}\` is removed, and in \`${other}\` too.`,
        'Remove one of the two.',
      );
  }
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
