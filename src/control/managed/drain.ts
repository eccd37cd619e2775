/** What control knows of the requests to managed targets, and when one that gets no further requests may be stopped. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Traffic {
  /** Workers were sent it as a target. */
  isTarget(service: string, url: string): boolean;
  /** Resolves when all workers use the targets that they were sent so far. */
  applied(): Promise<void>;
  /** Requests to it in flight, tunnels and streams too. */
  inFlight(service: string, url: string): number;
  /** Requests to it that have ended. */
  ended(service: string, url: string): number;
  /** Requests that wait because the service has no target. */
  waiting(service: string): number;
}

const POLL_MS = 50;
/** Between match and choice of a target a request counts nowhere. */
const QUIET_FOR_MS = 250;

/**
 * Resolves when no request to a former target has been in flight for a moment, after `timeoutMs`, or when `signal` aborts: true if
 * none is in flight.
 */
export async function drained(
  traffic: Traffic,
  { service, url }: { readonly service: string; readonly url: string },
  timeoutMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  let quietSince: number | undefined;
  let applied: boolean | undefined;
  while (!signal.aborted && performance.now() < deadline) {
    // A load in progress delays changes of the targets.
    if (applied === undefined && !traffic.isTarget(service, url)) {
      applied = false;
      void traffic.applied().then(() => {
        applied = true;
      });
    }
    if (applied !== true || traffic.inFlight(service, url) > 0) quietSince = undefined;
    else quietSince ??= performance.now();
    if (quietSince !== undefined && performance.now() - quietSince >= QUIET_FOR_MS) return true;
    await delay(POLL_MS, undefined, { ref: false, signal }).catch(() => {});
  }
  return traffic.inFlight(service, url) === 0;
}
