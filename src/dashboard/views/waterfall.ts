/** The calls of a request, one line each, with a bar for the time that it took within the request. */
import type { CallRecord, RequestRecord } from '../../telemetry/snapshot.js';
import { bytes, latency } from '../format.js';
import { cell, type Line, printable, span } from '../line.js';
import { width } from '../text.js';
import type { Theme, Tone } from '../theme.js';

/** A bar of fewer columns says nothing. */
const LEAST_BAR = 16;
/** A bar does not grow beyond it: times are read from it, not measured. */
const MOST_BAR = 80;
/** Columns for bar and request from which both are shown. */
const LEAST_WITH_REQUEST = 42;
const STATUS = 3;
const TIME = 8;

/** Lines of at most `columns`. */
export function waterfallLines({ calls = [], durationMs }: RequestRecord, columns: number, theme: Theme): Line[] {
  const inOrder = [...calls].sort((a, b) => a.startMs - b.startMs);
  const widest = (texts: readonly string[], most: number): number =>
    Math.min(most, Math.max(0, ...texts.map((text) => width(printable(text, theme)))));
  const names = widest(
    inOrder.map(({ name }) => name),
    Math.max(8, Math.floor(columns * 0.2)),
  );
  const fixed = names + STATUS + TIME * 2 + 8;
  const requests = inOrder.map(requestText);
  const left = columns - fixed - 2;
  const asked = left >= LEAST_WITH_REQUEST ? widest(requests, Math.floor(left * 0.6)) : 0;
  const bar = Math.min(MOST_BAR, columns - fixed - (asked === 0 ? 0 : asked + 2));
  const end = Math.max(durationMs, ...inOrder.map((call) => call.startMs + call.durationMs), 1e-6);
  return inOrder.map((call, index): Line => {
    const tone = toneOf(call);
    const line: Line = [
      cell(call.name, names, theme, { tone: 'accent' }),
      span('  '),
      cell(call.status === 0 ? theme.glyphs.bad : String(call.status), STATUS, theme, { tone }),
      span('  '),
      cell(`+${latency(call.startMs)}`, TIME, theme, { tone: 'dim', align: 'right' }),
      span('  '),
      cell(latency(call.durationMs), TIME, theme, { align: 'right' }),
      span('  '),
    ];
    const drawn = bar < LEAST_BAR ? [] : barSpans(call, end, bar, tone, theme);
    const what = asked === 0 ? [] : [span('  '), cell(requests[index]!, asked, theme, { tone: 'dim' })];
    return [...line, ...drawn, ...what];
  });
}

const requestText = ({ bytes: size, error, method, path, service, stored }: CallRecord): string =>
  `${service}: ${error ?? `${bytes(size)}${stored === true ? ' stored' : ''}`}, ${method} ${path}`;

function toneOf({ error, status }: CallRecord): Tone {
  if (error !== null || status >= 500) return 'bad';
  return status >= 400 ? 'warn' : 'good';
}

/** Nothing before the call, a full bar of at least one column while it lasts, nothing after it. */
function barSpans({ durationMs, startMs }: CallRecord, end: number, columns: number, tone: Tone, { glyphs }: Theme) {
  const from = Math.min(columns - 1, Math.max(0, Math.floor((startMs / end) * columns)));
  const to = Math.min(columns, Math.max(from + 1, Math.round(((startMs + durationMs) / end) * columns)));
  const full = glyphs.bar.at(-1) ?? '#';
  return [
    span(glyphs.track.repeat(from), 'dim'),
    span(full.repeat(to - from), tone),
    span(glyphs.track.repeat(columns - to), 'dim'),
  ];
}
