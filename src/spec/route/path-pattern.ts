/**
 * Path patterns: `/orders/{id:int}/files/{rest...}`. Offsets refer to the text of the pattern; the caller turns them into
 * spans. Literals are returned in normalised form.
 */
import { normalizeLiteral, normalizePath } from '../../bundle/normalize.js';
import type { Dfa, NormalizeEntry } from '../../bundle/types.js';
import { commonExample } from '../../schema/regex/dfa.js';
import { compilePattern, NAMED_TYPES, PATTERN_HELP } from '../../schema/regex/regex.js';
import { suggest } from '../../schema/suggest.js';

interface Place {
  readonly start: number;
  readonly end: number;
}

export type PathSegment = Place &
  (
    | { readonly kind: 'literal'; readonly text: string }
    | { readonly kind: 'typed'; readonly name: string; readonly type: string; readonly dfa: Dfa }
    | { readonly kind: 'param'; readonly name: string }
    | { readonly kind: 'tail'; readonly name: string }
  );

export interface PathProblem extends Place {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly help?: string;
  /** Replacement text, if the intended meaning is clear. */
  readonly instead?: string;
}

export interface ParsedPath {
  /** A segment is the text after each slash: `/` is one empty literal, and `/a/` ends with one. */
  readonly segments: readonly PathSegment[];
  readonly problems: readonly PathProblem[];
}

/** Reports all problems; invalid segments are left out. Never throws. */
export function parsePath(text: string, rules: NormalizeEntry): ParsedPath {
  return new PathParser(text, rules).parse();
}

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
/** All decoded segments; typed parameters are matched against decoded text. */
const SEGMENT_TEXT = {
  refuse: compilePattern('[^\\x00-\\x1f\\x7f/\\\\]+'),
  keep: compilePattern('[^\\x00-\\x1f\\x7f]+'),
};

class PathParser {
  readonly #segments: PathSegment[] = [];
  readonly #problems: PathProblem[] = [];

  constructor(
    readonly text: string,
    readonly rules: NormalizeEntry,
  ) {}

  parse(): ParsedPath {
    if (!this.text.startsWith('/')) {
      this.#problem('path/no-slash', 0, Math.max(1, this.text.search(/\/|$/)), 'A path must begin with `/`.', {
        help: startHelp(this.text),
      });
      return { segments: [], problems: this.#problems };
    }
    const pieces = splitSegments(this.text);
    pieces.forEach((piece, index) => {
      this.#segment(piece, index === pieces.length - 1);
    });
    return { segments: this.#segments, problems: this.#problems };
  }

  #segment({ start, end }: Place, last: boolean): void {
    const text = this.text.slice(start, end);
    if (text.startsWith('{') && closingBrace(text, 0) === text.length - 1) this.#parameter(text, start, end, last);
    else if (/[{}]/.test(text)) this.#badBraces(text, start);
    else this.#literal(text, start, end, last);
  }

  #parameter(text: string, start: number, end: number, last: boolean): void {
    const inner = text.slice(1, -1);
    const colon = inner.indexOf(':');
    const isTail = colon < 0 && inner.endsWith('...');
    const name = colon >= 0 ? inner.slice(0, colon) : isTail ? inner.slice(0, -3) : inner;
    if (!NAME.test(name)) {
      this.#problem('path/parameter-name', start, end, `\`${name}\` is not a valid parameter name.`, {
        help: 'Use letters, digits, `_` and `-`, and do not begin with a digit: `{id}`, `{id:int}`, `{rest...}`.',
      });
    } else if (isTail) {
      if (last) this.#segments.push({ kind: 'tail', name, start, end });
      else
        this.#problem(
          'path/tail-not-last',
          start,
          end,
          'A tail must be the last segment, because it matches the rest of the path.',
          {
            help: `Use \`{${name}}\` for one segment, or move the tail to the end of the path.`,
          },
        );
    } else if (colon < 0) this.#segments.push({ kind: 'param', name, start, end });
    else this.#typed(name, inner.slice(colon + 1), start, end, start + 2 + colon);
  }

  #typed(name: string, type: string, start: number, end: number, at: number): void {
    const named = Object.hasOwn(NAMED_TYPES, type) ? NAMED_TYPES[type] : undefined;
    if (named === undefined && /^[A-Za-z][A-Za-z0-9_]*$/.test(type)) {
      const near = suggest(type, Object.keys(NAMED_TYPES));
      this.#problem('path/unknown-type', at, at + type.length, `Unknown type \`${type}\`.`, {
        help:
          near === undefined
            ? `Known types: ${Object.keys(NAMED_TYPES)
                .map((known) => `\`${known}\``)
                .join(', ')}. For this word as a pattern, write \`(${type})\`.`
            : `Did you mean \`${near}\`?`,
        ...(near === undefined ? {} : { instead: near }),
      });
      return;
    }
    if (type === '') {
      this.#problem('path/unknown-type', at - 1, at, 'Missing type or pattern after the `:`.', {
        help: `Write \`{${name}:int}\`, \`{${name}:[a-z]+}\`, or \`{${name}}\` for any text.`,
      });
      return;
    }
    const compiled = compilePattern(named ?? type);
    if ('error' in compiled) {
      const offset = at + Math.min(compiled.offset, type.length - 1);
      this.#problem('pattern/invalid', offset, offset + 1, compiled.error, { help: PATTERN_HELP });
    } else if (!fitsSegment(compiled.dfa, this.rules.encodedSlashes)) {
      this.#problem('path/never-matches', at, at + type.length, 'This pattern can never match a path segment.', {
        help: 'A segment is never empty and contains no `/`. For several segments, use a tail such as `{rest...}`.',
      });
    } else this.#segments.push({ kind: 'typed', name, type, dfa: compiled.dfa, start, end });
  }

  #badBraces(text: string, start: number): void {
    const open = text.indexOf('{');
    const close = open < 0 ? -1 : closingBrace(text, open);
    if (open < 0 || close < 0) {
      const at = start + (open < 0 ? text.indexOf('}') : open);
      const message = open < 0 ? 'Unmatched `}`.' : 'Unmatched `{`.';
      const help = 'Add the missing brace, or percent-encode a literal brace: `%7B` and `%7D`.';
      this.#problem('path/brace', at, at + 1, message, { help });
      return;
    }
    this.#problem(
      'path/partial-parameter',
      start + open,
      start + close + 1,
      'A parameter must be a whole path segment.',
      {
        help: 'Make the whole segment one parameter with a pattern: `{file:[a-z]+\\\\.json}`.',
      },
    );
  }

  #literal(text: string, start: number, end: number, last: boolean): void {
    const bad = /[?#\\\u0000-\u001f\u007f]/.exec(text);
    if (bad) {
      const at = start + bad.index;
      this.#problem('path/bad-character', at, at + 1, `A path cannot contain \`${printable(bad[0])}\`.`, {
        help:
          bad[0] === '?'
            ? 'For conditions on the query, write `match = { path = "...", query = { page = true } }`.'
            : 'Remove it, or percent-encode it.',
      });
      return;
    }
    if (text === '' && last) {
      // If the trailing slash is ignored, both forms are the same path.
      const drop = this.rules.trailingSlash === 'ignore' && this.#segments.length > 0;
      if (!drop) this.#segments.push({ kind: 'literal', text, start, end });
      return;
    }
    const literal = normalizeLiteral(text);
    if (normalizePath(`/-/${literal}/-`, this.rules) !== `/-/${literal}/-`) {
      const place = text === '' ? { start: start - 1, end: start + 1 } : { start, end };
      this.#problem('path/never-matches', place.start, place.end, whyNever(text), {
        help: 'Change the path, or the normalisation in the `[normalize]` table.',
      });
      return;
    }
    this.#warnOfForeignSyntax(text, start, end, last);
    this.#segments.push({ kind: 'literal', text: literal, start, end });
  }

  #warnOfForeignSyntax(text: string, start: number, end: number, last: boolean): void {
    const name = /^:([A-Za-z_]\w*)$/.exec(text)?.[1];
    if (name === undefined && !/^\*\*?$/.test(text)) return;
    const instead = name !== undefined ? `{${name}}` : last ? '{rest...}' : '{name}';
    const message = `\`${text}\` matches only these literal characters.`;
    const help = `Write \`${instead}\` for a parameter, or percent-encode the literal character.`;
    this.#problem('path/foreign-syntax', start, end, message, { help, instead }, 'warning');
  }

  #problem(
    code: string,
    start: number,
    end: number,
    message: string,
    extra: { readonly help?: string; readonly instead?: string } = {},
    severity: 'error' | 'warning' = 'error',
  ): void {
    this.#problems.push({ code, severity, start, end, message, ...extra });
  }
}

/** Help for a path that does not begin with a slash. */
function startHelp(text: string): string {
  const word = /^[^/\s]*/.exec(text)?.[0] ?? '';
  if (METHOD.test(text)) return 'Put the methods into a table: `match = { path = "/...", methods = ["GET"] }`.';
  if (/^[A-Z,\s]+\//.test(text)) return 'Separate methods by single commas: `GET,POST /path`.';
  if (/^[A-Z]+$/.test(text)) return `Add a path after the method: \`${text} /...\`.`;
  if (/^https?:/.test(text) || /[.:]/.test(word)) {
    return 'Put the host into a table: `match = { host = "...", path = "/..." }`.';
  }
  return /^[\w{]/.test(text) ? `Write \`/${text}\`.` : 'Write `/` for the root, or a path such as `/orders/{id}`.';
}

const METHOD = /^[A-Z]+(\s*,\s*[A-Z]+)*\s+\//;

function whyNever(text: string): string {
  if (text === '') return 'This path never matches: normalisation merges or refuses double slashes.';
  if (text === '.' || text === '..')
    return 'This path never matches: normalisation resolves or refuses `.` and `..` segments.';
  if (/%2f|%5c/i.test(text)) return 'This path never matches: requests with an encoded slash are refused.';
  return `This path never matches: no normalised path contains \`${text}\`.`;
}

const printable = (char: string): string =>
  char < ' ' || char === '\u007f' ? JSON.stringify(char).slice(1, -1) : char;

/** The text after each slash; slashes within braces do not count. */
function splitSegments(text: string): Place[] {
  const places: Place[] = [];
  let start = 1;
  // After one unclosed brace, later ones are not searched again.
  let closes = true;
  for (let at = 1; at <= text.length; at++) {
    if (text[at] === '{' && closes) {
      const close = closingBrace(text, at);
      if (close > 0) at = close;
      else closes = false;
    } else if (at === text.length || text[at] === '/') {
      places.push({ start, end: at });
      start = at + 1;
    }
  }
  return places;
}

/** Offset of the brace that closes the one at `open`, or -1. Handles escapes and character classes in patterns. */
function closingBrace(text: string, open: number): number {
  let depth = 0;
  let inClass = false;
  for (let at = open; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (inClass) inClass = char !== ']';
    else if (char === '[') inClass = true;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return at;
  }
  return -1;
}

/** Whether any segment can match. Cached per automaton, because patterns repeat. */
const fits = { refuse: new WeakMap<Dfa, boolean>(), keep: new WeakMap<Dfa, boolean>() };
function fitsSegment(dfa: Dfa, encodedSlashes: 'refuse' | 'keep'): boolean {
  const known = fits[encodedSlashes].get(dfa);
  if (known !== undefined) return known;
  const segment = SEGMENT_TEXT[encodedSlashes];
  const answer = 'dfa' in segment && commonExample(dfa, segment.dfa, 1) !== undefined;
  fits[encodedSlashes].set(dfa, answer);
  return answer;
}
