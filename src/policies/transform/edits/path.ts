/** Rewrites the path that a target gets: the first rule whose pattern matches it. */
import type { Exchange } from '../../contract.js';
import { pathPart, type UrlPart } from './url-text.js';

export type PathRuleSettings = {
  /**
   * The segments of the pattern: the texts between its captures, so `report-{year}.{ext}` is `["report-", ".", ""]`. Absent: it
   * matches every path.
   */
  readonly from?: readonly (readonly string[])[];
  /** Whether a further capture takes the rest of the path. */
  readonly tail?: true;
  /** Literals, variables, and captures by their number. */
  readonly to: readonly (string | { readonly var: string } | { readonly capture: number })[];
};

const NO_CAPTURES: readonly string[] = [];

/** What has become of a path: no rule matches it, it is another one, or the result cannot be sent. */
export type Rewritten = 'unchanged' | 'rewritten' | 'invalid';

export class PathRewrite {
  readonly #rules: readonly PathRule[];

  constructor(rules: readonly PathRuleSettings[]) {
    this.#rules = rules.map((rule) => new PathRule(rule));
  }

  apply(exchange: Exchange): Rewritten {
    const path = exchange.targetPath;
    if (path === undefined) return 'unchanged';
    for (const rule of this.#rules) {
      const captures = rule.match(path);
      if (captures === undefined) continue;
      const made = rule.render(exchange, captures);
      return made !== undefined && exchange.setTargetPath(made) ? 'rewritten' : 'invalid';
    }
    return 'unchanged';
  }
}

class PathRule {
  readonly #from: readonly (readonly string[])[] | undefined;
  readonly #tail: boolean;
  readonly #to: readonly (UrlPart | number)[];
  /** For each part, whether it may be empty where it is a whole segment: a parameter of a route never is, but for a tail. */
  readonly #mayBeEmpty: readonly boolean[];

  constructor({ from, tail, to }: PathRuleSettings) {
    this.#from = from;
    this.#tail = tail === true;
    this.#to = to.map((part) => (typeof part !== 'string' && 'capture' in part ? part.capture : pathPart(part)));
    this.#mayBeEmpty = to.map(
      (part) => typeof part !== 'string' && ('capture' in part || part.var.startsWith('param.')),
    );
  }

  /** The captured texts; undefined if the pattern does not match. */
  match(path: string): readonly string[] | undefined {
    const pattern = this.#from;
    if (pattern === undefined) return NO_CAPTURES;
    const captures: string[] = [];
    let at = 0;
    for (const [index, literals] of pattern.entries()) {
      if (path.charCodeAt(at) !== 0x2f) return undefined;
      const last = !this.#tail && index === pattern.length - 1;
      const slash = path.indexOf('/', at + 1);
      if (last !== slash < 0) return undefined;
      const end = slash < 0 ? path.length : slash;
      if (!matchSegment(path.slice(at + 1, end), literals, captures)) return undefined;
      at = end;
    }
    if (this.#tail) {
      if (path.charCodeAt(at) !== 0x2f) return undefined;
      captures.push(path.slice(at + 1));
    }
    return captures;
  }

  /** Undefined for a variable that leaves its whole segment empty: merging slashes would shift the segments after it. */
  render(exchange: Exchange, captures: readonly string[]): string | undefined {
    let path = '';
    for (let at = 0; at < this.#to.length; at++) {
      const part = this.#to[at]!;
      if (typeof part === 'string') {
        path += part;
        continue;
      }
      const text = typeof part === 'number' ? captures[part]! : part(exchange);
      const next = this.#to[at + 1];
      const alone = path.endsWith('/') && typeof next === 'string' && next.startsWith('/');
      if (text === '' && alone && !this.#mayBeEmpty[at]) return undefined;
      path += text;
    }
    return path;
  }
}

/**
 * Adds the captures of one segment. Each is the shortest text up to the next literal, and the last literal ends the segment: what
 * is left is longest so, and no other choice could match where this one does not.
 */
function matchSegment(text: string, literals: readonly string[], captures: string[]): boolean {
  const [first = ''] = literals;
  if (literals.length === 1) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (let index = 1; index < literals.length; index++) {
    const literal = literals[index]!;
    const last = index === literals.length - 1;
    const end = last ? text.length - literal.length : text.indexOf(literal, at + 1);
    if (end <= at || (last && !text.endsWith(literal))) return false;
    captures.push(text.slice(at, end));
    at = end + literal.length;
  }
  return true;
}
