/** The short form of a match: `GET /orders`, `GET,POST /orders`, `/orders`. */
import { suggest } from '../../schema/suggest.js';
import type { PathProblem } from './path-pattern.js';

export const METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'QUERY',
];

/** Names of other routers for any method. */
const EVERY: ReadonlySet<string> = new Set(['ANY', 'ALL', '*']);

export interface MatchText {
  readonly methods: readonly string[];
  readonly path: string;
  /** Offset of the path in the text. */
  readonly pathStart: number;
  readonly problems: readonly PathProblem[];
}

/** Splits the text; offsets of problems refer to it. Never throws. */
export function parseMatchText(text: string): MatchText {
  const found = /^(\s*)([^\s/,]+(?:\s*,\s*[^\s/,]+)*)\s+(?=\S)/.exec(text);
  if (!found) return { methods: [], path: text.trim(), pathStart: text.length - text.trimStart().length, problems: [] };
  const problems: PathProblem[] = [];
  const methods: string[] = [];
  let start = (found[1] ?? '').length;
  for (const piece of (found[2] ?? '').split(',')) {
    const written = piece.trim();
    const at = start + (piece.length - piece.trimStart().length);
    problems.push(...judgeMethod(written, at));
    if (!methods.includes(written)) methods.push(written);
    start += piece.length + 1;
  }
  const pathStart = found[0].length;
  return { methods, path: text.slice(pathStart).trimEnd(), pathStart, problems };
}

/** Any token is a valid method (RFC 9110 section 9.1), but one similar to a known method is probably a mistake. */
export function judgeMethod(written: string, start: number): PathProblem[] {
  const end = start + Math.max(1, written.length);
  const upper = written.toUpperCase();
  if (EVERY.has(upper)) {
    const message = `\`${written}\` is not a method: it would match only requests with that literal method.`;
    const help = 'For any method, write none: `match = "/path"`, or a table without `methods`.';
    return [{ code: 'match/method', severity: 'error', start, end, message, help }];
  }
  if (upper === 'CONNECT') {
    const message = '`CONNECT` requests have no path, so no route can match them (RFC 9110 section 9.3.6).';
    return [{ code: 'match/method', severity: 'error', start, end, message, help: 'Remove this method.' }];
  }
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(written)) {
    const message = `\`${written}\` is not a valid method.`;
    const help = 'Write `METHOD /path`, `GET,POST /path`, or `/path` for any method.';
    return [{ code: 'match/method', severity: 'error', start, end, message, help }];
  }
  if (written !== upper) {
    const message = `\`${written}\` is not a known method: methods are case-sensitive.`;
    const help = `Write \`${upper}\`.`;
    return [{ code: 'match/method', severity: 'error', start, end, message, help, instead: upper }];
  }
  const near = METHODS.includes(written) ? undefined : suggest(written, METHODS);
  if (near === undefined) return [];
  const message = `Unknown method \`${written}\`.`;
  const help = `Did you mean \`${near}\`?`;
  return [{ code: 'match/unknown-method', severity: 'warning', start, end, message, help, instead: near }];
}
