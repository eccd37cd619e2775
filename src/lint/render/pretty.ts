/** The format for terminals: message, source with marks, help. */
import type { Diagnostic, Severity, Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { frameOf, plainText, Secrets, WIDEST } from './frame.js';
import type { RenderOptions } from './options.js';
import { summarize, summaryText } from './summary.js';
import { displayWidth } from './width.js';

type Style = 'bold' | 'red' | 'yellow' | 'blue' | 'cyan' | 'green';
const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  red: [31, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
  green: [32, 39],
};
const COLORS: Readonly<Record<Severity, Style>> = { error: 'red', warning: 'yellow', info: 'blue' };

type Paint = (style: Style, text: string) => string;

export function renderPretty(
  diagnostics: readonly Diagnostic[],
  files: readonly SourceFile[],
  { color, columns }: RenderOptions,
): string {
  if (diagnostics.length === 0) return '';
  const paint: Paint = (style, text) => (color ? `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m` : text);
  const texts = new Map(files.map((file) => [file.path, file.text]));
  const secrets = secretsOf(diagnostics);
  const blocks = diagnostics.map((diagnostic) => block(diagnostic, texts, secrets, paint, columns));
  const summary = summarize(diagnostics);
  const fixable = summary.fixable === 0 ? '' : ` (${summary.fixable} fixable with --fix)`;
  return `${blocks.join('\n')}\n${paint('bold', summaryText(summary))}${fixable}\n`;
}

/** By file, the source ranges that must not be shown. */
function secretsOf(diagnostics: readonly Diagnostic[]): ReadonlyMap<string, Secrets> {
  const spans = new Map<string, Span[]>();
  for (const { sensitive, span } of diagnostics) {
    if (!sensitive) continue;
    const list = spans.get(span.file);
    if (list) list.push(span);
    else spans.set(span.file, [span]);
  }
  return new Map([...spans].map(([file, list]) => [file, new Secrets(list)]));
}

function block(
  diagnostic: Diagnostic,
  texts: ReadonlyMap<string, string>,
  secrets: ReadonlyMap<string, Secrets>,
  paint: Paint,
  columns: number | undefined,
): string {
  const { severity, code, span, message, related = [], help, fix } = diagnostic;
  const style = COLORS[severity];
  const title = paint(style, paint('bold', `${severity}[${code}]`));
  const widest = Math.max(span.start.line, ...related.map((place) => place.span.start.line));
  const frames = new Frames(texts, secrets, paint, String(widest).length, columns);
  frames.add(span, '-->', '^', '', style);
  for (const { span: at, message: label } of related) frames.add(at, ':::', '-', ` ${plainText(label)}`, 'cyan');
  const notes = [
    ...(help === undefined ? [] : [`${paint('bold', 'help')}: ${plainText(help)}`]),
    ...(fix ? [fixNote(fix, paint)] : []),
  ];
  const lines = [`${title}${paint('bold', `: ${plainText(message)}`)}`, ...frames.lines];
  for (const note of notes) lines.push(frames.note(note));
  return `${lines.join('\n')}\n`;
}

/** The places of one diagnostic, one below the other; marks on the same source line share it. */
class Frames {
  readonly lines: string[] = [];
  readonly #pad: string;
  readonly #bar: string;
  /** File, line and text of the last printed source line. */
  #last = '';

  constructor(
    readonly texts: ReadonlyMap<string, string>,
    /** Source ranges that no frame may show. */
    readonly secrets: ReadonlyMap<string, Secrets>,
    readonly paint: Paint,
    readonly gutter: number,
    readonly columns: number | undefined,
  ) {
    this.#pad = ' '.repeat(gutter);
    this.#bar = `${this.#pad} ${paint('blue', '|')}`;
  }

  add(at: Span, arrow: string, mark: string, label: string, style: Style): void {
    const { paint } = this;
    const place = `${this.#pad}${paint('blue', arrow)} ${plainText(at.file)}`;
    const text = this.texts.get(at.file);
    // The file could not be read, so there is no source to show.
    if (text === undefined || text === '') {
      const line = at.start.line > 1 ? `:${at.start.line}` : '';
      this.lines.push(`${place}${line}${label}`);
      return;
    }
    const frame = frameOf(text, at, mark, this.secrets.get(at.file), this.#room);
    const marks = `${this.#bar} ${paint(style, `${frame.mark}${label}`)}`;
    const line = `${at.file}\n${frame.line}\n${frame.source}`;
    if (line === this.#last) this.lines.splice(-1, 0, marks);
    else {
      const number = paint('blue', String(frame.line).padStart(this.gutter));
      const source = `${number} ${paint('blue', '|')} ${frame.source}`.trimEnd();
      this.lines.push(`${place}:${at.start.line}:${at.start.column}`, this.#bar, source, marks, this.#bar);
    }
    this.#last = line;
  }

  /** Columns left for source after the gutter and an ellipsis at both ends. */
  get #room(): number {
    return this.columns === undefined ? WIDEST : Math.max(LEAST, Math.min(WIDEST, this.columns - this.gutter - 5));
  }

  note(text: string): string {
    const indent = `${this.#pad}         `;
    const lines = text.split('\n').flatMap((line) => wrapped(line, (this.columns ?? 0) - indent.length));
    return `${this.#pad} ${this.paint('blue', '=')} ${lines.join(`\n${indent}`)}`;
  }
}

/** A narrower frame is not useful. */
const LEAST = 40;

/** Wraps text between words into lines of at most `columns`; a single line if `columns` is too small. */
function wrapped(text: string, columns: number): string[] {
  if (columns < LEAST) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function fixNote(fix: NonNullable<Diagnostic['fix']>, paint: Paint): string {
  const title = plainText(fix.title);
  if (fix.applicability === 'safe') return `${paint('green', 'fix available (--fix)')}: ${title}`;
  return `possible change: ${title}`;
}
