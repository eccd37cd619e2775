/**
 * Consumers as JSON lines: an object per line, with `name` and the keys of `[consumer.NAME]`. Of a changed file only the lines
 * that differ are parsed.
 */
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import { shown } from '../../schema/scalars.js';
import type { TableEntry, TableNode } from '../../schema/tree.js';
import { LocatedText } from '../source.js';
import { locatedNode, plainNode, TooDeep } from './json-nodes.js';

const LINE_FEED = 10;
const CHUNK = 64 * 1024;
const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** A range of bytes. */
export interface Region {
  readonly start: number;
  readonly end: number;
}

/** The lines in which two files differ: the same bytes are before both regions, and after both. */
export function changedLines(before: Buffer, after: Buffer): { before: Region; after: Region } {
  const most = Math.min(before.length, after.length);
  const common = commonStart(before, after, most);
  const start = common === 0 ? 0 : after.lastIndexOf(LINE_FEED, common - 1) + 1;
  const same = commonEnd(before, after, most - start);
  const found = after.indexOf(LINE_FEED, after.length - same);
  // A last line without a line end is no whole line: it may continue the changed part.
  const end = same === 0 || found < 0 ? after.length : found + 1;
  return { before: { start, end: before.length - (after.length - end) }, after: { start, end } };
}

function commonStart(one: Buffer, other: Buffer, most: number): number {
  let at = 0;
  while (at < most) {
    const end = Math.min(most, at + CHUNK);
    if (one.compare(other, at, end, at, end) !== 0) break;
    at = end;
  }
  while (at < most && one[at] === other[at]) at++;
  return at;
}

function commonEnd(one: Buffer, other: Buffer, most: number): number {
  let length = 0;
  while (length < most) {
    const next = Math.min(most, length + CHUNK);
    const [a, b] = [one.length, other.length];
    if (one.compare(other, b - next, b - length, a - next, a - length) !== 0) break;
    length = next;
  }
  while (length < most && one[one.length - 1 - length] === other[other.length - 1 - length]) length++;
  return length;
}

/** A line with something on it. */
interface Line {
  /** Offset in bytes. */
  readonly at: number;
  readonly text: string;
}

function* linesOf(bytes: Buffer, { start, end }: Region): Iterable<Line> {
  let at = start === 0 && bytes.subarray(0, MARK.length).equals(MARK) ? MARK.length : start;
  while (at < end) {
    const found = bytes.indexOf(LINE_FEED, at);
    const stop = found < 0 || found > end ? end : found;
    const text = bytes.toString('utf8', at, stop);
    if (text.trim() !== '') yield { at, text };
    at = stop + 1;
  }
}

/** A line as the entity that it declares. */
export interface LineEntry {
  /** Its spans are not those in the file: `located()` has them. */
  readonly entry: TableEntry;
  readonly at: number;
}

const NOWHERE: Span = {
  file: '',
  start: { offset: 0, line: 1, column: 1 },
  end: { offset: 0, line: 1, column: 1 },
};

/** The consumers of some lines. `wrong`: called for each line that is not a consumer. */
export function* readLines(bytes: Buffer, region: Region, wrong: (at: number) => void): Iterable<LineEntry> {
  for (const { at, text } of linesOf(bytes, region)) {
    const entry = lineEntry(text, (value) => plainNode(value, NOWHERE));
    if (typeof entry === 'string') wrong(at);
    else yield { entry, at };
  }
}

/** What is wrong with a line, or its entity: `name` is its key. */
function lineEntry(text: string, node: (value: unknown) => TableEntry['value']): TableEntry | string {
  let value: TableEntry['value'];
  try {
    const parsed: unknown = JSON.parse(text);
    value = node(parsed);
    if (hasKeyTwice(text, parsed)) return 'This line has a key twice.';
  } catch (error) {
    if (error instanceof TooDeep) return 'This line is nested too deeply for a consumer.';
    if (error instanceof SyntaxError) return 'This line is not valid JSON.';
    throw error;
  }
  if (value.kind !== 'table') return 'This line is not a JSON object.';
  const name = value.entries.get('name');
  if (name?.value.kind !== 'string') return 'This line has no `name`.';
  const entries = new Map(value.entries);
  entries.delete('name');
  return { key: name.value.value, keySpan: name.value.span, value: { ...value, entries } satisfies TableNode };
}

const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/** Whether an object of a JSON text has a key twice: JSON.parse() would take the last one, in TOML it is an error. */
function hasKeyTwice(text: string, parsed: unknown): boolean {
  const keys = keysIn(parsed);
  // Almost every line: each `":` ends a key.
  let ends = 0;
  for (let at = text.indexOf('":'); at >= 0; at = text.indexOf('":', at + 2)) ends++;
  if (ends === keys && !/"\s+:/.test(text)) return false;
  let written = 0;
  for (const [, colon] of text.matchAll(STRING)) if (colon !== undefined) written++;
  return written !== keys;
}

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = Array.isArray(value) ? 0 : Object.keys(value).length;
  for (const item of Object.values(value)) count += keysIn(item);
  return count;
}

/** The names in some lines that were read before. */
export function* namesIn(bytes: Buffer, region: Region): Iterable<string> {
  for (const { entry } of readLines(bytes, region, () => {})) yield entry.key;
}

/** Where things are in a file with errors. `path`: as in spans. */
export class LocatedLines {
  readonly source: LocatedText;
  readonly #bytes: Buffer;

  constructor(path: string, bytes: Buffer) {
    this.#bytes = bytes;
    this.source = new LocatedText(path, bytes.toString('utf8'));
  }

  /** The line at a byte offset, with the spans of its parts; or what is wrong with it. */
  entry(at: number): TableEntry | Diagnostic {
    const start = this.#bytes.toString('utf8', 0, at).length;
    const line = this.source.lineSpan(start);
    const text = this.source.text.slice(start, line.end.offset);
    // The first pass finds what is wrong; the second one needs valid JSON.
    const plain = lineEntry(text, (value) => plainNode(value, line));
    if (typeof plain !== 'string') return lineEntry(text, () => locatedNode(this.source, start)) as TableEntry;
    return {
      code: 'consumer/file',
      severity: 'error',
      span: line,
      sensitive: true,
      message: `${plain} Each line of ${shown(this.source.path)} declares a consumer.`,
      help: 'Write one object per line, such as `{"name": "acme", "plan": "pro", "api_keys": ["sha256:..."]}`.',
    };
  }

  /** The declaration of a consumer. */
  entryOf(name: string): TableEntry | undefined {
    const whole = { start: 0, end: this.#bytes.length };
    const quoted = JSON.stringify(name);
    for (const { at, text } of linesOf(this.#bytes, whole)) {
      // A name may be written with escapes.
      if (!text.includes(quoted) && !text.includes('\\')) continue;
      const found = this.entry(at);
      if ('keySpan' in found && found.key === name) return found;
    }
    return undefined;
  }
}
