/** For people: what, where with the source, why, and what to do next. */
import type { Diagnostic, Severity, Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { frameOf, plainText } from './frame.js';
import type { RenderOptions } from './index.js';
import { summarize, summaryText } from './summary.js';

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
  { color }: RenderOptions,
): string {
  if (diagnostics.length === 0) return '';
  const paint: Paint = (style, text) => (color ? `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m` : text);
  const texts = new Map(files.map((file) => [file.path, file.text]));
  const blocks = diagnostics.map((diagnostic) => block(diagnostic, texts, paint));
  const summary = summarize(diagnostics);
  const fixable = summary.fixable === 0 ? '' : ` (${summary.fixable} fixable with --fix)`;
  return `${blocks.join('\n')}\n${paint('bold', summaryText(summary))}${fixable}\n`;
}

function block(diagnostic: Diagnostic, texts: ReadonlyMap<string, string>, paint: Paint): string {
  const { severity, code, span, message, related = [], help, fix } = diagnostic;
  const style = COLORS[severity];
  const gutter = String(Math.max(span.start.line, ...related.map((place) => place.span.start.line))).length;
  const pad = ' '.repeat(gutter);
  const bar = paint('blue', '|');
  const lines = [`${paint(style, paint('bold', `${severity}[${code}]`))}${paint('bold', `: ${plainText(message)}`)}`];
  const place = (at: Span, arrow: string, mark: string, label: string, markStyle: Style): void => {
    const name = plainText(at.file);
    const text = texts.get(at.file);
    // Nothing of the file could be read, so there is no source to show.
    if (text === undefined || text === '') {
      lines.push(`${pad}${paint('blue', arrow)} ${name}${label}`);
      return;
    }
    lines.push(`${pad}${paint('blue', arrow)} ${name}:${at.start.line}:${at.start.column}`);
    const frame = frameOf(text, at, mark, diagnostic.sensitive === true && arrow === MAIN);
    const number = paint('blue', String(frame.line).padStart(gutter));
    lines.push(`${pad} ${bar}`, `${number} ${bar} ${frame.source}`.trimEnd());
    lines.push(`${pad} ${bar} ${paint(markStyle, `${frame.mark}${label}`)}`, `${pad} ${bar}`);
  };
  place(span, MAIN, '^', '', style);
  for (const { span: at, message: label } of related) place(at, RELATED, '-', ` ${plainText(label)}`, 'cyan');
  const notes: string[] = [];
  if (help !== undefined) notes.push(`${paint('bold', 'help')}: ${plainText(help)}`);
  if (fix) notes.push(fixNote(fix, paint));
  for (const note of notes) lines.push(`${pad} ${paint('blue', '=')} ${note.replaceAll('\n', `\n${pad}         `)}`);
  return `${lines.join('\n')}\n`;
}

const MAIN = '-->';
const RELATED = ':::';

function fixNote(fix: NonNullable<Diagnostic['fix']>, paint: Paint): string {
  const title = plainText(fix.title);
  if (fix.applicability === 'safe') return `${paint('green', 'fix available (--fix)')}: ${title}`;
  return `possible change: ${title}`;
}
