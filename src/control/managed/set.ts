/** The managed targets of a gateway across its generations: those with unchanged settings keep running. */
import type { Log } from '../log.js';
import type { Traffic } from './drain.js';
import { type InstanceFacts, Instances, type ManagedSupply } from './instances.js';
import { OrphanGuard } from './orphan-guard.js';
import { ManagedError, type RunSettings } from './process.js';
import { Scaler } from './scaler.js';

/** The processes of a generation, by service name. */
export type WantedRuns = ReadonlyMap<string, RunSettings>;

export interface ManagedSetHost {
  readonly log: Log;
  readonly traffic: Traffic;
  /** Gets the targets of the services of the live generation. */
  readonly board: { supply(service: string, supply: ManagedSupply): void };
}

/** Processes started for a generation that is not live yet: commit them on the swap, or abandon them. */
export interface Preparation {
  /** The targets that the generation begins with, by service. */
  readonly supplies: ReadonlyMap<string, ManagedSupply>;
  /** The generation is live. Returns what it does not use, to be retired. */
  commit(): readonly Instances[];
  /** The generation was rejected: stops the processes started for it. */
  abandon(): Promise<void>;
}

interface Held {
  /** Of the settings. */
  readonly key: string;
  readonly instances: Instances;
}

export class ManagedSet {
  readonly #host: ManagedSetHost;
  readonly #orphanGuard = new OrphanGuard();
  readonly #ports = new Set<number>();
  readonly #onExit = (): void => this.#orphanGuard.killAll();
  /** All that were started and not stopped yet, also those of older generations that drain. */
  readonly #all = new Set<Instances>();
  readonly #scaler: Scaler;
  #live = new Map<string, Held>();
  #closed = false;
  /** Milliseconds between SIGTERM and SIGKILL; undefined: the default. */
  #graceMs: number | undefined;

  constructor(host: ManagedSetHost) {
    this.#host = host;
    this.#scaler = new Scaler(host);
  }

  /** The processes of a service of the live generation. */
  of(service: string): readonly InstanceFacts[] {
    return this.#live.get(service)?.instances.facts ?? [];
  }

  /**
   * Starts new and changed processes concurrently and waits until all are ready.
   * @throws ManagedError of the first that fails; the others are stopped.
   */
  async prepare(wanted: WantedRuns): Promise<Preparation> {
    const next = new Map<string, Held>();
    const fresh: Instances[] = [];
    for (const [service, settings] of wanted) {
      const key = keyOf(settings);
      const live = this.#live.get(service);
      if (live?.key === key) {
        next.set(service, live);
        continue;
      }
      if (this.#closed) throw new ManagedError(service, 'The gateway is stopping.', []);
      const instances = this.#create(service, settings);
      next.set(service, { key, instances });
      fresh.push(instances);
    }
    const abandon = async (): Promise<void> => {
      await Promise.all(fresh.map((started) => this.stop(started)));
    };
    // Only a gateway with processes listens for the exit of its own process.
    if (fresh.length > 0 && this.#all.size === 0 && !process.listeners('exit').includes(this.#onExit)) {
      process.on('exit', this.#onExit);
    }
    for (const started of fresh) this.#all.add(started);
    const outcomes = await Promise.allSettled(fresh.map((one) => one.start(this.#firstCount(one))));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) {
      await abandon();
      throw failed.reason;
    }
    const supplies = new Map([...next].map(([service, { instances }]) => [service, instances.supply]));
    return { supplies, abandon, commit: () => this.#commit(next, wanted) };
  }

  /** As many as serve now, so that a change of the command leaves the capacity as it is. */
  #firstCount({ service, settings: { instances } }: Instances): number {
    const now = this.#live.get(service)?.instances.ready ?? 0;
    return Math.max(instances.min, Math.min(instances.max, now));
  }

  #create(service: string, settings: RunSettings): Instances {
    return new Instances(service, settings, {
      log: this.#host.log,
      orphanGuard: this.#orphanGuard,
      ports: this.#ports,
      traffic: this.#host.traffic,
      graceMs: () => this.#graceMs,
      changed: (of) => {
        // Others are supplied when their generation goes live.
        if (this.#live.get(service)?.instances === of) this.#host.board.supply(service, of.supply);
      },
    });
  }

  /** A request waits for a target of the service. */
  demand(service: string): void {
    if (this.#live.has(service)) this.#scaler.demand();
  }

  /** Stops processes whose requests have ended, at their deadline. */
  async retire(instances: Instances): Promise<void> {
    await instances.retire();
    this.#all.delete(instances);
  }

  async stop(instances: Instances): Promise<void> {
    await instances.stop();
    this.#all.delete(instances);
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
    this.#scaler.close();
    await Promise.all([...this.#all].map((instances) => this.stop(instances)));
    this.#orphanGuard.close();
    process.off('exit', this.#onExit);
  }

  #commit(next: Map<string, Held>, wanted: WantedRuns): readonly Instances[] {
    const kept = new Set([...next.values()].map(({ instances }) => instances));
    const gone = [...this.#live.values()].map(({ instances }) => instances).filter((one) => !kept.has(one));
    this.#live = next;
    for (const [service, { instances }] of next) {
      instances.configure(wanted.get(service)!);
      this.#host.board.supply(service, instances.supply);
    }
    this.#scaler.use([...kept]);
    return gone;
  }
}

/** Equal for settings that start the same process. Times and the number of instances are not part of them. */
function keyOf(settings: RunSettings): string {
  const env = Object.entries(settings.env).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([settings.command, settings.portEnv, settings.cwd, env]);
}
