/** Turns syntax errors of the parsers into located diagnostics. */
import { ParseError, parseTOML } from 'toml-eslint-parser';
import { messageOf } from '../../reason.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { Source } from '../source.js';
import { type Shadow, shadowFromSyntax } from './shadow.js';

interface Explanation {
  readonly message: string;
  readonly help?: string;
}

const EXPLAINED: readonly (readonly [pattern: RegExp, explanation: Explanation])[] = [
  [
    /^Unterminated string/,
    {
      message: 'Unclosed string.',
      help: 'End it with its opening quote on the same line; use `"""` for several lines.',
    },
  ],
  [/^Unterminated table-key/, { message: 'Unclosed table header.', help: 'End it with `]`, or with `]]` after `[[`.' }],
  [/^Unterminated array/, { message: 'Unclosed array.', help: 'End it with `]`.' }],
  [/^Unterminated inline table/, { message: 'Unclosed inline table.', help: 'End it with `}`.' }],
  [/^Empty bare keys/, { message: 'Missing key before the `=`.', help: 'Write `key = value`.' }],
  [
    /^Must be a newline/,
    { message: 'Expected the end of the line after the value.', help: 'Write one `key = value` per line.' },
  ],
  [
    /^Expected equal/,
    { message: 'Expected `=` after the key.', help: 'Put a key with spaces or other special characters in quotes.' },
  ],
  [
    /^Unspecified values/,
    {
      message: 'Missing value after the `=`.',
      help: 'Add a value (a string needs quotes), or remove the key.',
    },
  ],
  [
    /^Expected comma/,
    {
      message: 'Expected a comma between two values.',
      help: 'Separate the items of an array or inline table by commas.',
    },
  ],
  [
    /^The key, equals sign/,
    { message: 'The key, the `=` and the value must be on one line.', help: 'Join the lines.' },
  ],
  [/^Leading zeros/, { message: 'A number must not begin with a zero.', help: 'Put it in quotes if it is text.' }],
  [
    /^Invalid character in escape/,
    {
      message: 'The string contains an unknown escape.',
      help: "Write `\\\\` for a backslash, or use '...', which has no escapes.",
    },
  ],
  [
    /^Control characters/,
    { message: 'Control characters are not allowed here.', help: 'Write it as an escape: `\\u0007`.' },
  ],
];

/** One located diagnostic for what `toml` threw. */
export function describeSyntaxError(error: unknown, source: Source): Diagnostic {
  if (error instanceof RangeError) return tooDeep(source, 0);
  const text = messageOf(error);
  const offset = offsetOf(error, source);
  if (/nesting depth/i.test(text)) return tooDeep(source, offset ?? 0);
  const second = secondOpinion(source.text);
  const redefined = /^Cannot (?:redefine|extend|use dotted)/.test(text);
  if (redefined) return duplicateKey(text, source, offset ?? second?.offset ?? 0);
  // `toml` decides what is valid; the message and place of the other parser are more precise.
  const at = onItsLine(source.text, second?.offset ?? offset ?? 0, second?.message);
  return {
    code: 'toml/syntax',
    severity: 'error',
    span: pointAt(source, at),
    ...explain(second?.message, text, source, at),
  };
}

function explain(second: string | undefined, first: string, source: Source, at: number): Explanation {
  const open = second === undefined ? undefined : unclosed(second, source.text, at);
  if (open) return open;
  const known = EXPLAINED.find(([pattern]) => second !== undefined && pattern.test(second))?.[1];
  if (known) return known;
  const found = source.text.codePointAt(at);
  const char =
    found === undefined
      ? 'the end of the file'
      : found === 0xa0
        ? 'a no-break space'
        : `\`${String.fromCodePoint(found)}\``;
  if (second === undefined || /^Unexpected (?:character|token)/.test(second)) {
    const help = adviceFor(source.text, at);
    if (/^Integer literal is outside/.test(first)) {
      return {
        message: 'The number is too large: TOML integers have 64 bits.',
        help: 'Put it in quotes if it is text.',
      };
    }
    if (/^Expected "#", "'", "\["/.test(first))
      return { message: `Expected a key or a table header, found ${char}.`, help };
    const expected = second === undefined && !first.startsWith('Expected') ? `: ${first.replace(/\.$/, '')}` : '';
    return { message: `This is not valid TOML: unexpected ${char}${expected}.`, help };
  }
  return { message: `This is not valid TOML: ${second}.`, help: GENERAL };
}

const GENERAL = 'Write TOML: `[table]` headers, `key = value` lines, and strings in quotes.';

/** Help for an unexpected character. */
function adviceFor(text: string, at: number): string {
  const char = text[at] ?? '';
  if (/[\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e]/.test(char)) return 'Use plain quotes: `"` or `\'`.';
  if (char === '\u00a0') return 'Replace the no-break space with a normal space.';
  const bare = /^(true|false)\b/i.exec(text.slice(at, at + 6))?.[0];
  if (bare !== undefined) return `Write \`${bare.toLowerCase()}\` in lower case.`;
  if (isBareWord(text, at)) return 'Put strings in quotes.';
  if (char === ':') return 'Write `key = value`.';
  if (char === ';') return 'Remove the `;`: lines in TOML have no end mark.';
  if (/^\s*\{/.test(text)) return 'This looks like JSON. Write TOML: `[table]` headers and `key = value` lines.';
  return GENERAL;
}

/** Better messages than the parser's for an array or multi-line string that is not closed at the end of the file. */
function unclosed(second: string, text: string, at: number): Explanation | undefined {
  const rest = text.slice(at).trim();
  if (/^Unspecified values/.test(second) && !/=[ \t]*$/.test(text.slice(0, at)) && rest === '') {
    return { message: 'Unclosed array.', help: 'End it with `]`.' };
  }
  if (!/^Unterminated string/.test(second) || rest !== '') return undefined;
  const line = text.slice(text.lastIndexOf('\n', Math.max(0, at - 1)) + 1, at);
  const quotes = /["']/.test(line) ? undefined : /"""|'''/.exec(text)?.[0];
  if (quotes === undefined) return undefined;
  return { message: 'Unclosed multi-line string.', help: `End it with \`${quotes}\`.` };
}

/** Points a missing part to the end of the line before, not to where the parser noticed it. */
function onItsLine(text: string, offset: number, message: string | undefined): number {
  let at = offset;
  if (!/^(?:Unspecified values|The key, equals sign|Unterminated)/.test(message ?? '')) return at;
  while (at > 0 && (text[at - 1] === '\n' || text[at - 1] === '\r')) at--;
  return at;
}

const isBareWord = (text: string, at: number): boolean => /^[A-Za-z/]/.test(text.slice(at, at + 1));

/** The message of `toml` names the key; its first definition is in the valid text before it. */
function duplicateKey(text: string, source: Source, offset: number): Diagnostic {
  const name = /'([^']*)'/.exec(text)?.[1] ?? '';
  const first = firstDefinition(source, offset, name);
  const span = keySpanAt(source, offset);
  const extended = !text.startsWith('Cannot redefine');
  return {
    code: 'toml/duplicate-key',
    severity: 'error',
    span,
    message: extended ? `\`${name}\` is already defined and cannot be extended here.` : `\`${name}\` is defined twice.`,
    ...(first ? { related: [{ span: first, message: 'first defined here' }] } : {}),
    help: extended
      ? 'Put all its keys in one place.'
      : 'Remove or rename one of them. For a list of tables, use double brackets: `[[route]]`.',
  };
}

function firstDefinition(source: Source, offset: number, name: string): Span | undefined {
  let at: Shadow | undefined;
  try {
    at = shadowFromSyntax(source.text.slice(0, offset));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
  for (const step of name.split('.')) at = at?.entries.get(step) ?? at?.items.at(-1)?.entries.get(step);
  const range = at?.keys[0];
  return range ? source.span(...range) : undefined;
}

/** The key or header that begins at the offset, without its value. */
function keySpanAt(source: Source, offset: number): Span {
  const length =
    /^(?:\[[^\]\n]*\]{1,2}|[^=\n]*?(?=[ \t]*=))/.exec(source.text.slice(offset, offset + 500))?.[0].length ?? 1;
  return source.span(offset, offset + Math.max(1, length));
}

function tooDeep(source: Source, offset: number): Diagnostic {
  return {
    code: 'toml/too-deep',
    severity: 'error',
    span: pointAt(source, offset),
    message: 'Values are nested too deeply here.',
    help: 'Reduce the nesting: no key of a spec is nested this deeply.',
  };
}

/** One character, or an empty span at the end of a line. */
function pointAt(source: Source, offset: number): Span {
  const at = Math.min(offset, source.text.length);
  const code = source.text.codePointAt(at);
  const width = code === undefined || code === 10 || code === 13 ? 0 : code > 0xffff ? 2 : 1;
  return source.span(at, at + width);
}

/** The position reported by `toml`: its grammar gives an offset, its compiler a line and a column. */
function offsetOf(error: unknown, source: Source): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('location' in error) {
    const location = error.location as { readonly start?: { readonly offset?: unknown } } | undefined;
    if (typeof location?.start?.offset === 'number') return location.start.offset;
  }
  if (!('line' in error) || !('column' in error)) return undefined;
  const { line, column } = error;
  if (typeof line !== 'number' || typeof column !== 'number') return undefined;
  let start = 0;
  for (let count = 1; count < line; count++) {
    const next = source.text.indexOf('\n', start);
    if (next < 0) break;
    start = next + 1;
  }
  return start + column - 1;
}

function secondOpinion(text: string): { readonly offset: number; readonly message: string } | undefined {
  try {
    parseTOML(text.startsWith('\ufeff') ? ` ${text.slice(1)}` : text, { tomlVersion: '1.1' });
  } catch (error) {
    if (error instanceof ParseError) return { offset: error.index, message: error.message };
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}
