/** Checks texts with variables at compile time: every template of a reply's body or field passes here. */

import { type ParsedText, parseText, unknownVariable } from '../compile-kit.js';
import type { ConfigPath, PolicyCode, PolicyProblem, TextPart } from '../contract.js';
import { type MarkupFault, markupFaults } from './markup/index.js';

/** The codes that lintText() reports, for the `codes` of a declaration. */
export const TEMPLATE_CODES: readonly PolicyCode[] = [
  {
    code: 'template/unknown-variable',
    severity: 'error',
    summary: 'A template uses an unknown variable or path parameter',
  },
  {
    code: 'template/unsafe-place',
    severity: 'error',
    summary: 'A template of HTML or XML has a variable where escaping does not protect it',
  },
];

export interface TemplateText {
  readonly text: string;
  readonly at: ConfigPath;
  /** The file that contains the text, as the config names it. */
  readonly file?: string | undefined;
  /** How values are escaped. */
  readonly form: 'html' | 'xml' | 'other';
  readonly params: ReadonlySet<string>;
  /** Whether it is rendered when the reply exists. */
  readonly onReply: boolean;
  /** What to do about an unknown variable. */
  readonly help: string;
}

/** At most this many variables of a text are reported. */
const MOST = 100;

/** Reports unknown variables, and those at places where the escaping does not protect. */
export function lintText(template: TemplateText, report: (problem: PolicyProblem) => void): ParsedText {
  const { at, file, form, help, onReply, params, text } = template;
  const parsed = parseText(text, params);
  const partAt = (start: number): TextPart => ({
    text,
    start,
    end: text.indexOf('}', start) + 1,
    ...(file === undefined ? {} : { file }),
  });
  let unknown = 0;
  for (const { name, offset } of parsed.variables) {
    const message = unknownVariable(name, params, onReply);
    if (message === undefined || ++unknown > MOST) continue;
    report({ code: 'template/unknown-variable', severity: 'error', at, part: partAt(offset), message, help });
  }
  if (form === 'other') return parsed;
  const faults = markupFaults(parsed.parts, form);
  const unsafe = { code: 'template/unsafe-place', severity: 'error', at } as const;
  if ('reason' in faults) report({ ...unsafe, ...unchecked(faults.reason, partAt(parsed.variables[0]!.offset)) });
  else for (const fault of faults.slice(0, MOST)) report({ ...unsafe, ...unsafeAt(fault, parsed, partAt) });
  return parsed;
}

const unchecked = (reason: string, part: TextPart) => ({
  part,
  message: `The template cannot be checked: ${reason}. So a value of a variable could change the structure of the page.`,
  help: 'Simplify the template, or write it without variables.',
});

function unsafeAt(fault: MarkupFault, { parts, variables }: ParsedText, partAt: (start: number) => TextPart) {
  const index = parts.slice(0, fault.part).filter((part) => typeof part !== 'string').length;
  const part = partAt(variables[index]!.offset);
  const message = `\`${part.text.slice(part.start, part.end)}\` is ${fault.where}: ${fault.why}.`;
  return { part, message, help: fault.help };
}
