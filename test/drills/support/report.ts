/** What a drill says about its requests. */
import type { Result } from './load.js';

export const failuresOf = (results: readonly Result[]): readonly Result[] =>
  results.filter(({ cause }) => cause !== undefined);

/** `9 x 502 upstream/unreachable, 1 x cut reply: ECONNRESET`; `none`. */
export function causesOf(results: readonly Result[]): string {
  const counts = new Map<string, number>();
  for (const { cause } of failuresOf(results)) counts.set(cause!, (counts.get(cause!) ?? 0) + 1);
  const lines = [...counts].sort((a, b) => b[1] - a[1]).map(([cause, count]) => `${count} x ${cause}`);
  return lines.length === 0 ? 'none' : lines.join(', ');
}

/** Milliseconds within which this share of the requests ended, well or not. */
export function quantile(results: readonly Result[], share: number): number {
  const took = results.map((result) => result.took ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
  return took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
}

/** Requests that were sent in this time, in monotonic milliseconds. */
export const between = (results: readonly Result[], from: number, to = Number.POSITIVE_INFINITY): readonly Result[] =>
  results.filter(({ at }) => at >= from && at < to);

/** Requests that have ended before this time. */
export const endedBefore = (results: readonly Result[], time: number): readonly Result[] =>
  results.filter(({ at, took }) => at + (took ?? Number.POSITIVE_INFINITY) < time);

/** Most requests that were in flight at the same time: few, unless the machine is busy. */
export function peak(results: readonly Result[]): number {
  const events = results.flatMap(({ at, took }): [number, number][] => [
    [at, 1],
    [at + (took ?? 0), -1],
  ]);
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let now = 0;
  let most = 0;
  for (const [, change] of events) {
    now += change;
    most = Math.max(most, now);
  }
  return most;
}

/** How many requests each target has answered. */
export function sharesOf(results: readonly Result[]): Map<string, number> {
  const shares = new Map<string, number>();
  for (const { origin } of results) if (origin !== '') shares.set(origin, (shares.get(origin) ?? 0) + 1);
  return shares;
}

/** Prints one line, which `npm run drills` shows also if nothing fails. */
export function tell(what: string, results: readonly Result[], more = ''): void {
  const times = [0.5, 0.99, 1].map((share) => Math.round(quantile(results, share)));
  const took = `p50 ${times[0]} ms, p99 ${times[1]} ms, longest ${times[2]} ms`;
  const failed = `${failuresOf(results).length} of ${results.length} failed: ${causesOf(results)}`;
  console.log(`\nmeasured: ${what}: ${failed} (${took}${more === '' ? '' : `; ${more}`})`);
}
