/**
 * Path patterns: `/orders/{id:int}/files/{rest...}`. Offsets are in the text of the pattern; whoever calls turns them
 * into spans. Literals come out in the form that normalised request paths have.
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
  /** Text to write in the place, when what was meant is clear. */
  readonly instead?: string;
}

export interface ParsedPath {
  /** `/` is one empty literal, `/a/` ends in one: a segment is what stands behind each slash. */
  readonly segments: readonly PathSegment[];
  readonly problems: readonly PathProblem[];
}

/** All problems at once; a segment that is wrong is left out. Never throws. */
export function parsePath(text: string, rules: NormalizeEntry): ParsedPath {
  return new PathParser(text, rules).parse();
}

const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
/** What a segment can hold once it is decoded, which is what typed parameters are matched with. */
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
      this.#problem('path/no-slash', 0, Math.max(1, this.text.search(/\/|$/)), 'A path begins with `/`.', {
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
      this.#problem('path/parameter-name', start, end, `\`${name}\` is no name for a parameter.`, {
        help: 'A name is letters, digits, `_` and `-`, not beginning with a digit: `{id}`, `{id:int}`, `{rest...}`.',
      });
    } else if (isTail) {
      if (last) this.#segments.push({ kind: 'tail', name, start, end });
      else
        this.#problem('path/tail-not-last', start, end, 'A tail takes the rest of the path, so it must stand last.', {
          help: `Take one segment with \`{${name}}\`, or end the path with the tail.`,
        });
    } else if (colon < 0) this.#segments.push({ kind: 'param', name, start, end });
    else this.#typed(name, inner.slice(colon + 1), start, end, start + 2 + colon);
  }

  #typed(name: string, type: string, start: number, end: number, at: number): void {
    const named = Object.hasOwn(NAMED_TYPES, type) ? NAMED_TYPES[type] : undefined;
    if (named === undefined && /^[A-Za-z][A-Za-z0-9_]*$/.test(type)) {
      const near = suggest(type, Object.keys(NAMED_TYPES));
      this.#problem('path/unknown-type', at, at + type.length, `\`${type}\` is no known type.`, {
        help:
          near === undefined
            ? `Types are ${Object.keys(NAMED_TYPES)
                .map((known) => `\`${known}\``)
                .join(', ')}. For the word itself as a pattern write \`(${type})\`.`
            : `Did you mean \`${near}\`?`,
        ...(near === undefined ? {} : { instead: near }),
      });
      return;
    }
    if (type === '') {
      this.#problem('path/unknown-type', at - 1, at, 'A type or a pattern is missing after the `:`.', {
        help: `Write \`{${name}:int}\`, \`{${name}:[a-z]+}\`, or \`{${name}}\` for any text.`,
      });
      return;
    }
    const compiled = compilePattern(named ?? type);
    if ('error' in compiled) {
      const offset = at + Math.min(compiled.offset, type.length - 1);
      this.#problem('pattern/invalid', offset, offset + 1, compiled.error, { help: PATTERN_HELP });
    } else if (!fitsSegment(compiled.dfa, this.rules.encodedSlashes)) {
      this.#problem('path/never-matches', at, at + type.length, 'No path segment can match this pattern.', {
        help: 'A segment is never empty and holds no `/`; a tail such as `{rest...}` takes several segments.',
      });
    } else this.#segments.push({ kind: 'typed', name, type, dfa: compiled.dfa, start, end });
  }

  #badBraces(text: string, start: number): void {
    const open = text.indexOf('{');
    const close = open < 0 ? -1 : closingBrace(text, open);
    if (open < 0 || close < 0) {
      const at = start + (open < 0 ? text.indexOf('}') : open);
      const message = open < 0 ? 'A `}` without a `{`.' : 'The `{` is never closed.';
      const help = 'A literal brace is percent-encoded in a path: `%7B` and `%7D`.';
      this.#problem('path/brace', at, at + 1, message, { help });
      return;
    }
    this.#problem(
      'path/partial-parameter',
      start + open,
      start + close + 1,
      'A parameter takes a whole path segment.',
      {
        help: 'Take the segment as one parameter, with a pattern where it must have a form: `{file:[a-z]+\\\\.json}`.',
      },
    );
  }

  #literal(text: string, start: number, end: number, last: boolean): void {
    const bad = /[?#\\\u0000-\u001f\u007f]/.exec(text);
    if (bad) {
      const at = start + bad.index;
      this.#problem('path/bad-character', at, at + 1, `\`${printable(bad[0])}\` never stands in a path.`, {
        help:
          bad[0] === '?'
            ? 'Conditions on the query are `match = { path = "...", query = { page = true } }`.'
            : 'Take it out, or percent-encode it where the path really holds it.',
      });
      return;
    }
    if (text === '' && last) {
      // Where a trailing slash makes no difference, both spellings are one path.
      const drop = this.rules.trailingSlash === 'ignore' && this.#segments.length > 0;
      if (!drop) this.#segments.push({ kind: 'literal', text, start, end });
      return;
    }
    const literal = normalizeLiteral(text);
    if (normalizePath(`/-/${literal}/-`, this.rules) !== `/-/${literal}/-`) {
      const place = text === '' ? { start: start - 1, end: start + 1 } : { start, end };
      this.#problem('path/never-matches', place.start, place.end, whyNever(text), {
        help: 'Request paths are normalised before they are matched; the `[normalize]` table says how.',
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
    const message = `\`${text}\` matches only these very characters here.`;
    const help = `A parameter is written \`${instead}\`; percent-encode the sign if the character itself is meant.`;
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

/** What to do about a path that begins with something else. */
function startHelp(text: string): string {
  const word = /^[^/\s]*/.exec(text)?.[0] ?? '';
  if (METHOD.test(text))
    return 'Methods stand beside a path in a table: `match = { path = "/...", methods = ["GET"] }`.';
  if (/^[A-Z,\s]+\//.test(text)) return 'Methods are parted by single commas: `GET,POST /path`.';
  if (/^[A-Z]+$/.test(text)) return `The path is missing behind the method: \`${text} /...\`.`;
  if (/^https?:/.test(text) || /[.:]/.test(word)) {
    return 'A host or a scheme does not belong here: write `match = { host = "...", path = "/..." }`.';
  }
  return /^[\w{]/.test(text) ? `Write \`/${text}\`.` : 'Write `/` for the root, or a path such as `/orders/{id}`.';
}

const METHOD = /^[A-Z]+(\s*,\s*[A-Z]+)*\s+\//;

function whyNever(text: string): string {
  if (text === '') return 'No request path holds `//`: normalisation merges or refuses double slashes.';
  if (text === '.' || text === '..')
    return 'No request path holds a `.` or `..` segment: normalisation resolves or refuses them.';
  if (/%2f|%5c/i.test(text)) return 'Requests with an encoded slash are refused, so this path never matches.';
  return `No request path holds \`${text}\` after normalisation.`;
}

const printable = (char: string): string =>
  char < ' ' || char === '\u007f' ? JSON.stringify(char).slice(1, -1) : char;

/** The text behind each slash; slashes within braces part nothing. */
function splitSegments(text: string): Place[] {
  const places: Place[] = [];
  let start = 1;
  // Where one brace is never closed, the others around it are not looked at again and again.
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

/** Offset of the brace that closes the one at `open`; -1 when there is none. Knows escapes and classes of patterns. */
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

/** Whether any segment can match; the answer is kept beside the automaton, since patterns repeat. */
const fits = { refuse: new WeakMap<Dfa, boolean>(), keep: new WeakMap<Dfa, boolean>() };
function fitsSegment(dfa: Dfa, encodedSlashes: 'refuse' | 'keep'): boolean {
  const known = fits[encodedSlashes].get(dfa);
  if (known !== undefined) return known;
  const segment = SEGMENT_TEXT[encodedSlashes];
  const answer = 'dfa' in segment && commonExample(dfa, segment.dfa, 1) !== undefined;
  fits[encodedSlashes].set(dfa, answer);
  return answer;
}
