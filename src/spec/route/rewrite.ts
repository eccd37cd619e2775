/** Checks the constant parts of a route's `rewrite` and splits it into path and query. */
import { normalizeLiteral, normalizePath } from '../../bundle/normalize.js';
import type { NormalizeEntry, TemplateEntry } from '../../bundle/types.js';
import { type ParsedTemplate, parseTemplate } from '../../schema/template.js';

/** Offsets are in the text of the rewrite. */
export interface RewriteProblem {
  readonly start: number;
  readonly end: number;
  readonly message: string;
  readonly help: string;
}

/** Replaces a variable: a character that is valid in a path and in a query and is not a hex digit. */
const STAND_IN = 'x';
const REFERENCE = /\$\{(?:env|file|vault):[^}]*\}/g;

/** All constant parts that make every request of the route fail. `parsed`: the result of parseTemplate(text). */
export function rewriteProblems(text: string, parsed: ParsedTemplate, rules: NormalizeEntry): RewriteProblem[] {
  const constant = withoutVariables(text, parsed);
  const queryAt = constant.indexOf('?');
  const pathEnd = queryAt < 0 ? text.length : queryAt;
  const problems = characterProblems(constant, pathEnd);
  const paths = parsed.variables.filter(({ name }) => name === 'request.path').map(({ offset }) => offset);
  if (!text.startsWith('/') && paths[0] !== 0) return [noSlash(text), ...problems];
  // A segment with a forbidden character is reported once, at that character.
  const bad = problems.map(({ start }) => start);
  const path = constant.slice(0, pathEnd);
  const inSegments = segmentProblems(path, bad, rules);
  const empty = rules.doubleSlashes === 'refuse' ? emptySegments(path, paths) : [];
  return [...problems, ...inSegments, ...empty].sort((a, b) => a.start - b.start);
}

/** The text with stand-ins of the same length for everything that is not constant. */
function withoutVariables(text: string, { variables }: ParsedTemplate): string {
  const constant = text.replace(REFERENCE, (reference) => STAND_IN.repeat(reference.length));
  let out = '';
  let done = 0;
  for (const { offset } of variables) {
    const end = text.indexOf('}', offset) + 1;
    out += constant.slice(done, offset) + STAND_IN.repeat(end - offset);
    done = end;
  }
  out += constant.slice(done);
  // `{{` and `}}` are literal braces, which are sent percent-encoded.
  return out.replace(/\{\{|\}\}/g, STAND_IN.repeat(2));
}

function noSlash(text: string): RewriteProblem {
  return {
    start: 0,
    end: text.length,
    message: 'A rewritten path must begin with `/`.',
    help: text.includes('://')
      ? 'Write only the path; scheme and host come from the target.'
      : `Write \`rewrite = "/${text}"\`.`,
  };
}

const BAD_CHARACTER = /[^\x21-\x7e]|[#\\]|%(?![0-9A-Fa-f]{2})/gu;

function characterProblems(constant: string, pathEnd: number): RewriteProblem[] {
  const problems: RewriteProblem[] = [];
  for (const { index, 0: found } of constant.matchAll(BAD_CHARACTER)) {
    // A query may contain a backslash.
    if (found === '\\' && index > pathEnd) continue;
    const end = found === '%' ? Math.min(index + 3, constant.length) : index + found.length;
    problems.push({ start: index, end, ...whyForbidden(found) });
  }
  return problems;
}

function whyForbidden(char: string): { message: string; help: string } {
  if (char === '%')
    return {
      message: 'A `%` must be followed by two hex digits, so this rewrite cannot be sent.',
      help: 'Write `%25` for a percent sign.',
    };
  if (char === '#')
    return {
      message: 'A `#` begins a fragment, and fragments are never sent to a server.',
      help: 'Remove the fragment, or write `%23` for the character itself.',
    };
  if (char === '\\')
    return { message: 'A path cannot contain a backslash, so this rewrite cannot be sent.', help: 'Write `/`.' };
  if (char < ' ' || char === '\u007f')
    return {
      message: `A request target cannot contain the control character \`${JSON.stringify(char).slice(1, -1)}\`.`,
      help: 'Remove it.',
    };
  return {
    message: `A request target cannot contain \`${char}\`, so this rewrite cannot be sent.`,
    help: `Percent-encode it: \`${normalizeLiteral(char)}\`.`,
  };
}

/** Segments that normalisation always refuses. `bad`: sorted offsets that are already reported. */
function segmentProblems(path: string, bad: readonly number[], rules: NormalizeEntry): RewriteProblem[] {
  const strict: NormalizeEntry = { ...rules, dotSegments: 'refuse' };
  const problems: RewriteProblem[] = [];
  let start = 0;
  let next = 0;
  for (const segment of path.split('/')) {
    const end = start + segment.length;
    while (next < bad.length && bad[next]! < start) next++;
    const reported = next < bad.length && bad[next]! < end;
    if (!reported && segment !== '' && normalizePath(`/-/${segment}/-`, strict) === undefined)
      problems.push({ start, end, ...whyRefused(segment) });
    start = end + 1;
  }
  return problems;
}

/** `//`, including a second slash from `{request.path}` at one of the offsets `paths`. */
function emptySegments(path: string, paths: readonly number[]): RewriteProblem[] {
  const characters = path.split('');
  for (const at of paths) if (at < characters.length) characters[at] = '/';
  const at = characters.join('').indexOf('//');
  if (at < 0) return [];
  return [
    {
      start: at,
      end: at + 2,
      message: 'This produces an empty segment, which `[normalize] double_slashes = "refuse"` refuses.',
      help: 'Write a single slash; `{request.path}` already begins with one.',
    },
  ];
}

function whyRefused(segment: string): { message: string; help: string } {
  if (/%2f|%5c/i.test(segment))
    return {
      message: `\`${segment}\` contains an encoded slash, which \`[normalize] encoded_slashes\` refuses.`,
      help: 'Write a plain `/`, or set `encoded_slashes = "keep"` if the targets expect encoded slashes.',
    };
  if (/^(\.|%2e){1,2}(;|%3b|$)/i.test(segment))
    return {
      message: `A rewritten path cannot contain the dot segment \`${segment}\`.`,
      help: 'Write the resolved path: `/b` for `/a/../b`.',
    };
  return {
    message: `\`${segment}\` contains an escape that is not allowed in a path, so this rewrite cannot be sent.`,
    help: 'Remove the escaped control character.',
  };
}

/**
 * Splits a rewrite at its first constant `?` into path and query; the query may be empty. A text with invalid braces is
 * treated as a path.
 */
export function splitRewrite(text: string): { readonly path: TemplateEntry; readonly query?: TemplateEntry } {
  const parsed = parseTemplate(text);
  if ('error' in parsed) return { path: [text] };
  const path: (string | { readonly var: string })[] = [];
  for (const [index, part] of parsed.parts.entries()) {
    const at = typeof part === 'string' && !parsed.references.has(index) ? part.indexOf('?') : -1;
    if (typeof part !== 'string' || at < 0) {
      path.push(part);
      continue;
    }
    if (at > 0) path.push(part.slice(0, at));
    const rest = part.slice(at + 1);
    return { path, query: [...(rest === '' ? [] : [rest]), ...parsed.parts.slice(index + 1)] };
  }
  return { path };
}
