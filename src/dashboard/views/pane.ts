/** Details panes: rows of a label and a text, with a sparkline where a value changes over time. */
import { columnChart, resample } from '../chart.js';
import { HISTORY_SECONDS, type Series } from '../history.js';
import { frame, type Line, lineWidth, printable, type Span, span } from '../line.js';
import { width, wrap } from '../text.js';
import type { Theme, Tone } from '../theme.js';

export interface Sparkline {
  readonly values: Series;
  /** What its highest value is called: `peak 40/s`. */
  readonly show: (value: number) => string;
  readonly tone?: Tone;
}

export interface PaneRow {
  readonly label: string;
  /** Text is wrapped; a line is cut. */
  readonly text: string | Line;
  readonly tone?: Tone;
  readonly sparkline?: Sparkline | undefined;
}

const LABEL_COLUMNS = 13;
/** Narrower sparklines show nothing. */
const LEAST_CHART = 12;

/** Last whole second of a snapshot taken at `now` (milliseconds): what the newest value of a series is of. */
export const endSecond = (now: number): number => Math.floor(now / 1000) - 1;

/** The rows in `columns`. All sparklines begin at the same column, right of the longest text beside one. */
export function paneLines(rows: readonly PaneRow[], columns: number, theme: Theme, second: number): Line[] {
  const room = columns - LABEL_COLUMNS;
  const beside = rows.filter(({ sparkline }) => sparkline !== undefined);
  const longest = Math.max(0, ...beside.map(({ text }) => textWidth(text, theme)));
  const peaks = Math.max(0, ...beside.map(({ sparkline }) => peakText(sparkline).length));
  const textColumns = Math.min(longest + 2, room - LEAST_CHART - peaks - 2);
  const chartColumns = Math.min(HISTORY_SECONDS, room - textColumns - peaks - 2);
  return rows.flatMap(({ label, text, tone = 'plain', sparkline }) => {
    const head = span(label.padEnd(LABEL_COLUMNS), 'dim');
    if (typeof text === 'string' && sparkline === undefined) {
      const [first = '', ...rest] = wrap(printable(text, theme), Math.max(10, room));
      return [
        [head, span(first, tone)],
        ...rest.map((line): Line => [span(' '.repeat(LABEL_COLUMNS)), span(line, tone)]),
      ];
    }
    const line: Line = typeof text === 'string' ? [span(printable(text, theme), tone)] : text;
    if (sparkline === undefined) return [[head, ...line]];
    const chart = chartSpans(sparkline, chartColumns, theme, second);
    if (textColumns < longest)
      return [
        [head, ...line],
        [span(' '.repeat(LABEL_COLUMNS)), ...chart],
      ];
    return [[head, ...line, span(' '.repeat(textColumns - lineWidth(line))), ...chart]];
  });
}

/** The lines in a frame of `height` rows, cut or filled up. */
export function paneFrame(title: Line, lines: readonly Line[], height: number, columns: number, theme: Theme): Line[] {
  const inner = lines.slice(0, height - 2).map((line): Line => [span(' '), ...line]);
  while (inner.length < height - 2) inner.push([]);
  return frame([{ title, lines: inner }], columns, theme);
}

const textWidth = (text: string | Line, theme: Theme): number =>
  typeof text === 'string' ? width(printable(text, theme)) : lineWidth(text);

function peakText(sparkline: Sparkline | undefined): string {
  if (sparkline === undefined || sparkline.values.length === 0) return '';
  return `peak ${sparkline.show(Math.max(...sparkline.values))}`;
}

function chartSpans(sparkline: Sparkline, columns: number, theme: Theme, second: number): Span[] {
  const { values, tone = 'chart' } = sparkline;
  if (values.length === 0) return [span('measuring', 'dim')];
  const peak = Math.max(...values);
  const [chart = ''] = columnChart(resample(values, columns, second), columns, 1, peak, theme.glyphs);
  return [span(chart, tone), span(`  ${peakText(sparkline)}`, 'dim')];
}
