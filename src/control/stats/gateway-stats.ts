/** The counters of one gateway: slots for its generations, and the questions that control asks of them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Program } from '../../bundle/types.js';
import type { Clock } from '../../policies/contract.js';
import type { GenerationInput, StatsSlots } from '../../proxy/types.js';
import type { FailureSnapshot, TargetFailure } from '../../telemetry/snapshot.js';
import { StatsRegistry } from '../../telemetry/stats/registry.js';

const QUIET_POLL_MS = 50;
/** An exchange that has matched but not yet chosen its target counts in no target's slot for a moment. */
const QUIET_FOR_MS = 250;

export class GatewayStats {
  readonly registry: StatsRegistry;
  readonly failures = new TargetFailures();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.registry = new StatsRegistry({ workers: 1, now: clock.monotonic() });
  }

  /** With the memory of worker 0; chunks() has that of each. */
  slotsFor(program: Program): StatsSlots {
    const assignment = this.registry.assign(program, this.#clock.monotonic());
    return { ...assignment, chunks: this.chunks(0) };
  }

  /** What a worker counts in. */
  chunks(worker: number): readonly SharedArrayBuffer[] {
    return this.registry.chunks(worker);
  }

  /** A worker died: how many exchanges it had in flight. Its gauges go back to zero. */
  forgetWorker(worker: number): number {
    return this.registry.forgetWorker(worker);
  }

  /** Resolves when nothing has asked these services' targets for a moment, at the deadline, or when `ending` says so. */
  async quiet(
    { program, stats }: GenerationInput,
    services: ReadonlySet<string>,
    deadlineMs: number,
    ending: () => boolean,
  ): Promise<void> {
    const slots = program.services.flatMap(({ name }, index) =>
      services.has(name) ? (stats.targets[index] ?? []) : [],
    );
    const deadline = performance.now() + deadlineMs;
    let since = performance.now();
    while (!ending() && performance.now() < deadline && performance.now() - since < QUIET_FOR_MS) {
      await delay(QUIET_POLL_MS);
      if (slots.some((slot) => this.registry.sums(slot).inFlight > 0)) since = performance.now();
    }
  }
}

/** Targets that are remembered: more than a spec has, fewer than many reloads can bring. */
const MOST = 4096;
/** Milliseconds that the report of one worker may be behind that of another. */
const MOST_BEHIND = 5000;

/** The last failure of each target, as reported by the workers. */
export class TargetFailures {
  /** By service and URL; the one that failed last is the last one. */
  readonly #last = new Map<string, FailureSnapshot>();

  note(failures: readonly TargetFailure[]): void {
    for (const { service, url, at, error, cause } of failures) {
      const key = keyOf(service, url);
      const known = this.#last.get(key);
      // Workers report the same target independently. What seems older than that came after the system's time was set back.
      if (known !== undefined && known.at > at && known.at - at < MOST_BEHIND) continue;
      this.#last.delete(key);
      this.#last.set(key, { at, error, cause });
    }
    for (const key of this.#last.keys()) {
      if (this.#last.size <= MOST) return;
      this.#last.delete(key);
    }
  }

  of(service: string, url: string): FailureSnapshot | null {
    return this.#last.get(keyOf(service, url)) ?? null;
  }
}

const keyOf = (service: string, url: string): string => `${service}|${url}`;
