/** The managed targets of a gateway across its generations: those with unchanged settings keep running. */
import type { Log } from '../log.js';
import { OrphanGuard } from './orphan-guard.js';
import { ManagedError, ManagedProcess, type RunSettings } from './process.js';

/** The processes of a generation, by service name. */
export type WantedRuns = ReadonlyMap<string, RunSettings>;

/** Processes started for a generation that is not live yet: commit them on the swap, or abandon them. */
export interface Preparation {
  readonly urls: ReadonlyMap<string, string>;
  /** The generation is live. Returns the processes that it does not use, to be stopped when the old one has drained. */
  commit(): readonly ManagedProcess[];
  /** The generation was rejected: stops the processes started for it. */
  abandon(): Promise<void>;
}

export class ManagedSet {
  readonly #log: Log;
  readonly #moved: () => void;
  readonly #orphanGuard = new OrphanGuard();
  readonly #ports = new Set<number>();
  readonly #onExit = (): void => this.#orphanGuard.killAll();
  /** All that were started and not stopped yet, also those of older generations that drain. */
  readonly #all = new Set<ManagedProcess>();
  #live = new Map<string, { readonly key: string; readonly process: ManagedProcess }>();
  #closed = false;
  /** Milliseconds between SIGTERM and SIGKILL; undefined: the default. */
  #graceMs: number | undefined;

  constructor(log: Log, moved: () => void) {
    this.#log = log;
    this.#moved = moved;
  }

  get(service: string): ManagedProcess | undefined {
    return this.#live.get(service)?.process;
  }

  /**
   * Starts new and changed processes concurrently and waits until all are ready.
   * @throws ManagedError of the first that fails; the others are stopped.
   */
  async prepare(wanted: WantedRuns): Promise<Preparation> {
    const next = new Map<string, { readonly key: string; readonly process: ManagedProcess }>();
    const fresh: ManagedProcess[] = [];
    for (const [service, settings] of wanted) {
      const key = keyOf(settings);
      const live = this.#live.get(service);
      if (live?.key === key) {
        next.set(service, live);
      } else {
        if (this.#closed) throw new ManagedError(service, 'The gateway is stopping.', []);
        const started = new ManagedProcess(service, settings, {
          log: this.#log,
          orphanGuard: this.#orphanGuard,
          ports: this.#ports,
          moved: this.#moved,
        });
        next.set(service, { key, process: started });
        fresh.push(started);
      }
    }
    const abandon = async (): Promise<void> => {
      await Promise.all(fresh.map((started) => this.stop(started)));
    };
    // Only a gateway with processes listens for the exit of its own process.
    if (fresh.length > 0 && this.#all.size === 0 && !process.listeners('exit').includes(this.#onExit)) {
      process.on('exit', this.#onExit);
    }
    for (const started of fresh) this.#all.add(started);
    const outcomes = await Promise.allSettled(fresh.map((started) => started.start()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      await abandon();
      throw failed.reason;
    }
    const urls = new Map([...next].map(([service, entry]) => [service, entry.process.url]));
    return { urls, abandon, commit: () => this.#commit(next) };
  }

  async stop(process: ManagedProcess): Promise<void> {
    await process.stop(this.#graceMs);
    this.#all.delete(process);
  }

  /** Kills all processes; later stops also use SIGKILL. */
  kill(): void {
    this.#graceMs = 0;
    this.#orphanGuard.killAll();
  }

  /** Stops all processes, also those that are starting. None can start afterwards. */
  async close(): Promise<void> {
    // A running reload must not start processes any more: nothing would stop them.
    this.#closed = true;
    await Promise.all([...this.#all].map((process) => this.stop(process)));
    this.#orphanGuard.close();
    process.off('exit', this.#onExit);
  }

  #commit(next: Map<string, { readonly key: string; readonly process: ManagedProcess }>): readonly ManagedProcess[] {
    const kept = new Set([...next.values()].map((entry) => entry.process));
    const gone = [...this.#live.values()].map((entry) => entry.process).filter((process) => !kept.has(process));
    this.#live = next;
    return gone;
  }
}

/** Equal for settings that start the same process. The ready timeout is not part of them. */
function keyOf(settings: RunSettings): string {
  const env = Object.entries(settings.env).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([settings.command, settings.portEnv, settings.cwd, env]);
}
