/** Parses and formats durations, sizes and rates. Parsers return undefined for malformed text. */
import type { LimitRate } from '../state/types.js';

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  KiB: 1024,
  MB: 1_000_000,
  MiB: 1024 ** 2,
  GB: 1_000_000_000,
  GiB: 1024 ** 3,
};

const RATE_UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
};

/** The longest duration: a timer is limited to 2^31 - 1 milliseconds, which is about 24 days. */
export const LONGEST_DURATION = 24 * 86_400_000;
/** The longest period of a rate: a year. */
export const LONGEST_PERIOD = 366 * 86_400_000;

/** `"5s"`, `"250ms"`, `"1.5h"` -> milliseconds. */
export function parseDuration(text: string): number | undefined {
  return scaled(text, /^(\d+(?:\.\d+)?)(ms|s|min|m|h|d)$/, DURATION_UNITS);
}

/** `"10MiB"`, `"64KiB"`, `"512B"` -> bytes. */
export function parseSize(text: string): number | undefined {
  return scaled(text, /^(\d+(?:\.\d+)?)(B|kB|KB|KiB|MB|MiB|GB|GiB)$/, SIZE_UNITS);
}

/** `"100/min"`, `"5/s"`, `"1000/15min"` -> capacity and period in milliseconds. */
export function parseRate(text: string): LimitRate | undefined {
  const found = /^(\d+)\/(\d*)(s|sec|second|m|min|minute|h|hour|d|day)$/.exec(text);
  if (!found) return undefined;
  const capacity = Number(found[1]);
  const count = found[2] === '' ? 1 : Number(found[2]);
  const unit = RATE_UNITS[found[3] ?? ''];
  if (unit === undefined || count === 0 || !Number.isSafeInteger(capacity)) return undefined;
  return { capacity, periodMs: count * unit };
}

/** The shortest exact form of a duration: 90000 -> `90s`, 60000 -> `1m`. */
export function formatDuration(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** 10485760 -> `10MiB`. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** { capacity: 100, periodMs: 60000 } -> `100/min`. */
export function formatRate(rate: LimitRate): string {
  for (const [unit, size] of [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const) {
    if (rate.periodMs === size) return `${rate.capacity}/${unit}`;
    if (rate.periodMs > size && rate.periodMs % size === 0) return `${rate.capacity}/${rate.periodMs / size}${unit}`;
  }
  return `${rate.capacity}/${rate.periodMs}ms`;
}

function scaled(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const found = pattern.exec(text);
  const unit = units[found?.[2] ?? ''];
  if (!found || unit === undefined) return undefined;
  const value = Math.round(Number(found[1]) * unit);
  return Number.isSafeInteger(value) ? value : undefined;
}
