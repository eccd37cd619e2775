/** Checks the patterns and templates of `request.path`, and splits them. */
import { type ParsedTemplate, parseTemplate } from '../compile-kit.js';
import type { TextPart } from '../contract.js';
import type { PathRuleSettings } from './edits/path.js';

export interface PathProblem {
  readonly key: 'from' | 'to';
  readonly part?: TextPart;
  readonly message: string;
  readonly help?: string;
}

export interface Pattern {
  readonly segments: readonly (readonly string[])[];
  readonly tail: boolean;
  /** Names of the captures, in order; that of the tail is the last one. */
  readonly names: readonly string[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const CAPTURE = /\{([^{}]*)\}/g;
/** What a literal can contain in the normalised form of a path. */
const LITERAL = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-F]{2})*$/;

/** Reads a pattern. Undefined after a problem. */
export function readPattern(text: string, report: (problem: PathProblem) => void): Pattern | undefined {
  const before = { failed: false };
  const fail = (start: number, end: number, message: string, help: string): void => {
    before.failed = true;
    report({ key: 'from', part: { text, start, end: Math.max(end, start + 1) }, message, help });
  };
  if (!text.startsWith('/')) {
    fail(0, text.length, 'A path begins with `/`, so this pattern matches none.', `Write \`/${text}\`.`);
    return undefined;
  }
  const segments: (readonly string[])[] = [];
  const names: string[] = [];
  let tail = false;
  let at = 1;
  for (const segment of text.slice(1).split('/')) {
    const end = at + segment.length;
    const last = end === text.length;
    const rest = /^\{([^{}]*)\.\.\.\}$/.exec(segment)?.[1];
    if (rest === undefined) segments.push(readSegment(segment, at, names, fail));
    else if (last) {
      tail = true;
      names.push(rest);
    } else fail(at, end, 'Only the last segment can take the rest of the path.', 'Move it to the end of the pattern.');
    if (rest !== undefined && !NAME.test(rest)) fail(at, end, `\`${rest}\` is not a valid name.`, NAME_HELP);
    at = end + 1;
  }
  const twice = names.find((each, index) => names.indexOf(each) !== index);
  if (twice !== undefined) {
    const start = text.lastIndexOf(`{${twice}`);
    fail(
      start,
      start + twice.length + 2,
      `\`${twice}\` captures two parts of the path.`,
      'Give each capture its own name.',
    );
  }
  return before.failed ? undefined : { segments, tail, names };
}

const NAME_HELP = 'Use letters, digits, `_` and `-`, and do not begin with a digit: `{id}`, `{rest...}`.';

/** The literals of a segment, between its captures. */
function readSegment(
  segment: string,
  offset: number,
  names: string[],
  fail: (start: number, end: number, message: string, help: string) => void,
): readonly string[] {
  const literals: string[] = [];
  let done = 0;
  for (const found of segment.matchAll(CAPTURE)) {
    const [whole, captured = ''] = found;
    const start = offset + found.index;
    literals.push(segment.slice(done, found.index));
    if (!NAME.test(captured)) fail(start, start + whole.length, `\`${captured}\` is not a valid name.`, NAME_HELP);
    else if (found.index === done && done > 0)
      fail(
        start,
        start + whole.length,
        'Two captures without a literal between them have no one meaning.',
        'Put a literal between them, or use one capture.',
      );
    else names.push(captured);
    done = found.index + whole.length;
  }
  literals.push(segment.slice(done));
  for (const literal of literals) {
    if (LITERAL.test(literal)) continue;
    const start = offset + segment.indexOf(literal);
    fail(
      start,
      start + literal.length,
      `\`${literal}\` is not part of any path in its normal form.`,
      'Percent-encode it as UTF-8, with capitals: `%C3%A9`. The query is not part of the path.',
    );
  }
  return literals;
}

/** What makes every request fail in the constant parts of a template. */
export function templateProblem(text: string, { variables }: ParsedTemplate): PathProblem | undefined {
  const first = variables[0];
  const constant = withoutVariables(
    text,
    variables.map(({ offset }) => offset),
  );
  const at = (start: number, end: number): TextPart => ({ text, start, end });
  if (!text.startsWith('/') && !(first?.offset === 0 && first.name === 'request.path'))
    return { key: 'to', part: at(0, text.length), message: 'A path must begin with `/`.', help: startHelp(text) };
  const bad = /[^\x21-\x7e]|[#?\\]|%(?![0-9A-Fa-f]{2})/u.exec(constant);
  if (bad !== null) {
    const [char] = bad;
    const help =
      char === '?'
        ? 'Use `request.query` for parameters.'
        : 'Percent-encode it as UTF-8: `%20` for a space, `%25` for `%`.';
    return {
      key: 'to',
      part: at(bad.index, bad.index + char.length),
      message: `A path cannot contain \`${char}\` here.`,
      help,
    };
  }
  const dots = /(?<=\/)(?:\.|%2[Ee]){1,2}(?=\/|;|$)/.exec(constant);
  if (dots === null) return undefined;
  const part = at(dots.index, dots.index + dots[0].length);
  return {
    key: 'to',
    part,
    message: `A path for a target cannot contain the dot segment \`${dots[0]}\`.`,
    help: 'Write the resolved path: `/b` for `/a/../b`.',
  };
}

const startHelp = (text: string): string =>
  text.includes('://') ? 'Write only the path; scheme and host come from the target.' : `Write \`/${text}\`.`;

/** The text with an `x` for each character of a variable and of literal braces. */
function withoutVariables(text: string, offsets: readonly number[]): string {
  let out = '';
  let done = 0;
  for (const offset of offsets) {
    const end = text.indexOf('}', offset) + 1;
    out += text.slice(done, offset) + 'x'.repeat(end - offset);
    done = end;
  }
  return (out + text.slice(done)).replace(/\{\{|\}\}/g, 'xx');
}

/** Settings of a rule without problems. */
export function ruleSettings(from: string | undefined, to: string): PathRuleSettings {
  const pattern = from === undefined ? undefined : readPattern(from, () => {});
  const parsed = parseTemplate(to);
  const parts = 'error' in parsed ? [to] : parsed.parts;
  const names = pattern?.names ?? [];
  return {
    ...(pattern === undefined ? {} : { from: pattern.segments }),
    ...(pattern?.tail === true ? { tail: true as const } : {}),
    to: parts.map((part) => {
      if (typeof part === 'string') return part;
      const capture = part.var.startsWith('param.') ? names.indexOf(part.var.slice('param.'.length)) : -1;
      return capture < 0 ? { var: part.var } : { capture };
    }),
  };
}
