/** Releases of Node whose HTTP/2 sessions leak memory. */

/** CVE-2026-21714 (frames of a client on stream 0 keep its session): the first release of each line without it. */
const FIXED: ReadonlyMap<number, readonly [minor: number, patch: number]> = new Map([
  [20, [20, 2]],
  [22, [22, 2]],
  [24, [14, 1]],
]);
/** Lines after this one began without it. */
const LAST_LINE = 25;

/** Whether a release of Node, such as `22.3.0`, leaks memory with HTTP/2. Lines that ended before the correction do. */
export function leaksMemory(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major > LAST_LINE) return false;
  const fixed = FIXED.get(major);
  return fixed === undefined || minor < fixed[0] || (minor === fixed[0] && patch < fixed[1]);
}
