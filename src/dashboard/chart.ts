/** Charts of characters: columns of eighths, and bars. */
import { RATE_SECONDS } from '../telemetry/snapshot.js';
import type { Glyphs } from './theme.js';

/** Mean of the last seconds (`values` are one a second, oldest first), of as many as each route's rate is the mean of. */
export function recent(values: readonly number[]): number {
  const last = values.slice(-RATE_SECONDS);
  return last.reduce((sum, value) => sum + value, 0) / Math.max(1, last.length);
}

/**
 * `values` (one a second, oldest first, the last one at second `endSecond`) as at most `columns` columns. A column keeps
 * the peak of the seconds that it covers, and its seconds are aligned to the clock, so that columns move left whole and
 * do not shimmer.
 */
export function resample(values: readonly number[], columns: number, endSecond: number): number[] {
  if (columns <= 0 || values.length === 0) return [];
  const step = Math.max(1, Math.ceil(values.length / columns));
  if (step === 1) return values.slice(-columns);
  const firstSecond = endSecond - values.length + 1;
  const out: number[] = [];
  let bucket = Number.NaN;
  for (let i = 0; i < values.length; i++) {
    const own = Math.floor((firstSecond + i) / step);
    const value = values[i] ?? 0;
    if (own !== bucket) {
      bucket = own;
      out.push(value);
    } else {
      out[out.length - 1] = Math.max(out[out.length - 1] ?? 0, value);
    }
  }
  return out.slice(-columns);
}

/** `values` as a column chart, rows from top to bottom, right-aligned in `columns`. Above zero it is at least one step high. */
export function columnChart(
  values: readonly number[],
  columns: number,
  rows: number,
  top: number,
  glyphs: Glyphs,
): string[] {
  const steps = glyphs.columns.length - 1;
  const lines: string[] = [];
  const shown = values.slice(-columns);
  const pad = ' '.repeat(Math.max(0, columns - shown.length));
  const heights = shown.map((value) => {
    if (!(value > 0) || !(top > 0)) return 0;
    return Math.min(rows * steps, Math.max(1, Math.round((value / top) * rows * steps)));
  });
  for (let row = rows - 1; row >= 0; row--) {
    let line = pad;
    for (const height of heights) {
      line += glyphs.columns[Math.max(0, Math.min(steps, height - row * steps))];
    }
    lines.push(line);
  }
  return lines;
}

/** A fill bar of exactly `columns`; more than nothing shows, and only what is full looks full. */
export function bar(fraction: number, columns: number, glyphs: Glyphs): { full: string; rest: string } {
  const steps = glyphs.bar.length;
  const most = columns * steps;
  const share = Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
  let units = Math.round(share * most);
  if (share > 0) units = Math.max(1, units);
  if (share < 1) units = Math.min(most - 1, units);
  const whole = Math.floor(units / steps);
  const part = units % steps;
  const last = glyphs.bar[steps - 1] ?? '#';
  const full = last.repeat(whole) + (part > 0 ? (glyphs.bar[part - 1] ?? '') : '');
  return { full, rest: glyphs.track.repeat(Math.max(0, columns - whole - (part > 0 ? 1 : 0))) };
}
