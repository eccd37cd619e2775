/** The managed targets of a gateway across its generations: those whose run plan is unchanged are kept. */
import type { Log } from '../log.js';
import { OrphanGuard } from './orphan-guard.js';
import { ManagedError, ManagedProcess, type RunSettings } from './process.js';

/** What a generation wants running, by service name. */
export type WantedRuns = ReadonlyMap<string, RunSettings>;

/** Processes started for a generation that is not live yet: adopt them on the swap, or abandon them. */
export interface Preparation {
  readonly urls: ReadonlyMap<string, string>;
  /** The generation is live: what it no longer runs is returned, to be stopped once the old one has drained. */
  commit(): readonly ManagedProcess[];
  /** It was rejected: what was started for it ends. */
  abandon(): Promise<void>;
}

export class ManagedSet {
  readonly #log: Log;
  readonly #moved: () => void;
  readonly #orphanGuard = new OrphanGuard();
  readonly #ports = new Set<number>();
  readonly #onExit = (): void => this.#orphanGuard.killAll();
  /** All that were started and not yet stopped, also those of older generations still draining. */
  readonly #all = new Set<ManagedProcess>();
  #live = new Map<string, { readonly key: string; readonly process: ManagedProcess }>();
  #closed = false;
  /** Between SIGTERM and SIGKILL; undefined: the usual time. */
  #graceMs: number | undefined;

  constructor(log: Log, moved: () => void) {
    this.#log = log;
    this.#moved = moved;
  }

  get(service: string): ManagedProcess | undefined {
    return this.#live.get(service)?.process;
  }

  /**
   * Starts what is new or changed, all at once, and waits until every one is ready.
   * @throws ManagedError of the first that fails; those started with it are stopped again.
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
        if (this.#closed) throw new ManagedError(service, 'The gateway is ending.', []);
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
    // Only a gateway that has something to end listens for the end of the process.
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

  /** From now on whatever is stopped, or is being stopped already, is killed. */
  kill(): void {
    this.#graceMs = 0;
    this.#orphanGuard.killAll();
  }

  /** Stops all of them, also those being started; none can be started after it. */
  async close(): Promise<void> {
    // A reload that is under way starts nothing any more: it would have no one to end it.
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

/** Equal for run plans that lead to the same process. The time to wait for it is no part of what runs. */
function keyOf(settings: RunSettings): string {
  const env = Object.entries(settings.env).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([settings.command, settings.portEnv, settings.cwd, env]);
}
