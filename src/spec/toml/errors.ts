/** Says in gw's words what is wrong with the syntax of a file, and where. */
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
    { message: 'The string is never closed on its line.', help: 'End it with its opening quote; `"""` spans lines.' },
  ],
  [
    /^Unterminated table-key/,
    { message: 'The table header is never closed.', help: 'End it with `]`, or `]]` after `[[`.' },
  ],
  [/^Unterminated array/, { message: 'The array is never closed.', help: 'End it with `]`.' }],
  [/^Unterminated inline table/, { message: 'The inline table is never closed.', help: 'End it with `}`.' }],
  [/^Empty bare keys/, { message: 'A key is missing before the `=`.', help: 'Write `key = value`.' }],
  [
    /^Must be a newline/,
    { message: 'Expected the end of the line after the value.', help: 'One `key = value` a line.' },
  ],
  [
    /^Expected equal/,
    { message: 'Expected `=` after the key.', help: 'A key with spaces or other signs needs quotes.' },
  ],
  [
    /^Unspecified values/,
    {
      message: 'The value is missing after the `=`.',
      help: 'A string needs quotes; leave a key out rather than empty.',
    },
  ],
  [
    /^Expected comma/,
    { message: 'Expected a comma between two values.', help: 'Part the items of an array or inline table by commas.' },
  ],
  [
    /^The key, equals sign/,
    { message: 'The key, its `=` and the value must stand on one line.', help: 'Join the lines.' },
  ],
  [/^Leading zeros/, { message: 'A number must not begin with a zero.', help: 'Quote it if it is text.' }],
  [
    /^Invalid character in escape/,
    {
      message: 'The string holds an unknown escape.',
      help: "Write `\\\\` for a backslash, or use '...', which has no escapes.",
    },
  ],
  [
    /^Control characters/,
    { message: 'A control character must not stand here.', help: 'Write it as an escape: `\\u0007`.' },
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
  // toml judges; where the other parser refuses as well, its wording is the better one, and its place the narrower.
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
        message: 'The number is too large: TOML has 64 bits for one.',
        help: 'Write it as a string if it is text.',
      };
    }
    if (/^Expected "#", "'", "\["/.test(first))
      return { message: `Expected a key or a table header, found ${char}.`, help };
    const expected = second === undefined && !first.startsWith('Expected') ? `: ${first.replace(/\.$/, '')}` : '';
    return { message: `This is not valid TOML: unexpected ${char}${expected}.`, help };
  }
  return { message: `This is not valid TOML: ${second}.`, help: GENERAL };
}

const GENERAL = 'A spec is TOML: `[table]` headers and `key = value` lines, strings in quotes.';

/** What the character that is not understood was meant for. */
function adviceFor(text: string, at: number): string {
  const char = text[at] ?? '';
  if (/[\u201c\u201d\u2018\u2019\u00ab\u00bb\u201e]/.test(char))
    return 'TOML knows the plain quotes alone: `"` and `\'`.';
  if (char === '\u00a0') return 'This is a no-break space; put a plain one.';
  const bare = /^(true|false)\b/i.exec(text.slice(at, at + 6))?.[0];
  if (bare !== undefined) return `Write \`${bare.toLowerCase()}\`, in small letters.`;
  if (isBareWord(text, at)) return 'A string needs quotes.';
  if (char === ':') return 'TOML writes `key = value`.';
  if (char === ';') return 'A line of TOML needs no mark at its end.';
  if (/^\s*\{/.test(text)) return 'This looks like JSON; a spec is TOML: `[table]` headers and `key = value` lines.';
  return GENERAL;
}

/** What the other parser misnames: the end of the file within an array or a string of several lines. */
function unclosed(second: string, text: string, at: number): Explanation | undefined {
  const rest = text.slice(at).trim();
  if (/^Unspecified values/.test(second) && !/=[ \t]*$/.test(text.slice(0, at)) && rest === '') {
    return { message: 'The array is never closed.', help: 'End it with `]`.' };
  }
  if (!/^Unterminated string/.test(second) || rest !== '') return undefined;
  const line = text.slice(text.lastIndexOf('\n', Math.max(0, at - 1)) + 1, at);
  const quotes = /["']/.test(line) ? undefined : /"""|'''/.exec(text)?.[0];
  if (quotes === undefined) return undefined;
  return { message: 'The string of several lines is never closed.', help: `End it with \`${quotes}\`.` };
}

/** What is missing is missing from the end of the line before, not from where the parser noticed it. */
function onItsLine(text: string, offset: number, message: string | undefined): number {
  let at = offset;
  if (!/^(?:Unspecified values|The key, equals sign|Unterminated)/.test(message ?? '')) return at;
  while (at > 0 && (text[at - 1] === '\n' || text[at - 1] === '\r')) at--;
  return at;
}

const isBareWord = (text: string, at: number): boolean => /^[A-Za-z/]/.test(text.slice(at, at + 1));

/** toml's message names the key; where it was first set is found in the text before it, which is valid. */
function duplicateKey(text: string, source: Source, offset: number): Diagnostic {
  const name = /'([^']*)'/.exec(text)?.[1] ?? '';
  const first = firstDefinition(source, offset, name);
  const span = keySpanAt(source, offset);
  const extended = !text.startsWith('Cannot redefine');
  return {
    code: 'toml/duplicate-key',
    severity: 'error',
    span,
    message: extended
      ? `\`${name}\` is already complete and cannot be added to here.`
      : `\`${name}\` is set twice; TOML allows each key and each \`[table]\` once.`,
    ...(first ? { related: [{ span: first, message: 'first set here' }] } : {}),
    help: extended
      ? 'Put all of its keys in one place.'
      : 'Remove one, or rename it. A list of tables has two brackets: `[[route]]`.',
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
    message: 'Values are nested too deep here.',
    help: 'No key of a spec lies so deep: check what wrote this file.',
  };
}

/** One character, or the end of a line where nothing stands. */
function pointAt(source: Source, offset: number): Span {
  const at = Math.min(offset, source.text.length);
  const code = source.text.codePointAt(at);
  const width = code === undefined || code === 10 || code === 13 ? 0 : code > 0xffff ? 2 : 1;
  return source.span(at, at + width);
}

/** Where toml says it is: its grammar gives an offset, its compiler a line and a column. */
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
