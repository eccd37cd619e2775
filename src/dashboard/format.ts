/** Numbers with three significant digits and a unit. */
import { nounFor } from '../plural.js';

const NONE = '-';

function short(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2).replace(/0$/, '');
}

/** 9,999 in full, then `12.3k`, `1.25M`, `3.4G`. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return NONE;
  if (Math.abs(value) < 10_000) return String(Math.round(value));
  for (const [size, unit] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
  ] as const) {
    if (value >= size * 0.99995) return short(value / size) + unit;
  }
  return `${short(value / 1e3)}k`;
}

/** Events a second: one decimal below ten. */
export function rate(value: number): string {
  if (!Number.isFinite(value)) return NONE;
  if (value === 0) return '0';
  if (value < 0.05) return '<0.1';
  return value < 9.95 ? value.toFixed(1) : count(value);
}

/** A latency in milliseconds: `0.42ms`, `1.2ms`, `12ms`, `1.3s`; `-` where there was none. */
export function latency(ms: number | null): string {
  if (ms === null || !Number.isFinite(ms)) return NONE;
  if (ms < 0.995) return `${ms.toFixed(2)}ms`;
  if (ms < 9.95) return `${ms.toFixed(1)}ms`;
  if (ms < 999.5) return `${ms.toFixed(0)}ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)}s`;
  return span(ms);
}

/** A span of time: `0.6s`, `42s`, `3m 05s`, `2h 05m`, `3d 4h`. */
export function span(ms: number): string {
  if (!Number.isFinite(ms)) return NONE;
  const all = Math.max(0, ms) / 1000;
  if (all < 0.05) return '0s';
  if (all < 9.95) return `${all.toFixed(1)}s`;
  const seconds = Math.round(all);
  if (seconds < 60) return `${seconds}s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  return `${Math.floor(minutes / 1440)}d ${Math.floor((minutes % 1440) / 60)}h`;
}

/** How old something is, in its largest unit: `6s`, `2m`, `3h`, `4d`. */
export function age(ms: number): string {
  if (!Number.isFinite(ms)) return NONE;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Bytes in powers of 1024. */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) return NONE;
  if (value < 1024) return `${Math.round(value)}B`;
  for (const [size, unit] of [
    [1024 ** 4, 'TiB'],
    [1024 ** 3, 'GiB'],
    [1024 ** 2, 'MiB'],
  ] as const) {
    if (value >= size * 0.9995) return short(value / size) + unit;
  }
  return `${short(value / 1024)}KiB`;
}

/** `part` of `whole`: never rounded to nothing, never rounded to all. */
export function percent(part: number, whole: number): string {
  if (!(whole > 0) || !Number.isFinite(part)) return NONE;
  const value = (part / whole) * 100;
  if (value <= 0) return '0%';
  if (value < 0.1) return '<0.1%';
  if (value < 9.95) return `${value.toFixed(1)}%`;
  if (part < whole && value > 99) return '>99%';
  return `${Math.min(100, value).toFixed(0)}%`;
}

/** Local time of day, `12:31:05`; with milliseconds where order within a second matters. */
export function timeOfDay(at: number, millis = false): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return NONE;
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return millis ? `${time}.${String(date.getMilliseconds()).padStart(3, '0')}` : time;
}

/** Local date and time, for what may be days old. */
export function dateTime(at: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return NONE;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(at)}`;
}

/** `1 route`, `2 routes`. */
export function plural(amount: number, word: string): string {
  return `${count(amount)} ${nounFor(amount, word)}`;
}

/** A path with the home folder as `~`. */
export function homePath(path: string, home: string | undefined): string {
  if (home && home !== '/' && (path === home || path.startsWith(`${home}/`))) return `~${path.slice(home.length)}`;
  return path;
}
