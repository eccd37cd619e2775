/**
 * The processes of one service that run the same command. Those that are ready are its targets. One that is not needed any more
 * first gets no further requests, then is stopped when those in flight have ended.
 *
 *     start -> starting -> ready -> draining -> stopped
 *                 ^          |  ^       |
 *                 +- backoff +  +-------+ (needed again)
 */
import { drained, type Traffic } from './drain.js';
import { type ManagedHost, ManagedProcess, type ManagedState, type RunSettings } from './process.js';

/** The targets that the processes are. */
export interface ManagedSupply {
  readonly targets: readonly { readonly url: string; readonly weight: number }[];
  /** Why there are none, and when the next one starts. */
  readonly cause?: string;
  readonly retryAt?: number;
}

export interface InstancesHost extends Omit<ManagedHost, 'changed'> {
  readonly traffic: Traffic;
  /** Its targets may have changed. */
  changed(of: Instances): void;
  /** Milliseconds between SIGTERM and SIGKILL; undefined: the default. */
  graceMs(): number | undefined;
}

/** A process, as the dashboard shows it. */
export interface InstanceFacts {
  readonly url: string;
  readonly state: ManagedState | 'draining';
  readonly pid: number | null;
  readonly restarts: number;
  readonly command: string;
}

export class Instances {
  readonly service: string;
  #settings: RunSettings;
  readonly #host: InstancesHost;
  /** That are starting, ready, or waiting for their next start. */
  readonly #wanted = new Set<ManagedProcess>();
  /** Ready, but not targets any more; each with what ends its drain. */
  readonly #draining = new Map<ManagedProcess, AbortController>();
  /** All that have not ended. */
  readonly #all = new Set<ManagedProcess>();
  #closed = false;

  constructor(service: string, settings: RunSettings, host: InstancesHost) {
    this.service = service;
    this.#settings = settings;
    this.#host = host;
  }

  get settings(): RunSettings {
    return this.#settings;
  }

  /** The targets that it has now. */
  get supply(): ManagedSupply {
    const targets = this.#ready.map(({ url }) => ({ url, weight: 1 }));
    if (targets.length > 0) return { targets };
    const failures = [...this.#wanted].map(({ failure }) => failure).filter((one) => one !== undefined);
    const next = failures.sort((one, other) => one.retryAt - other.retryAt)[0];
    if (next !== undefined && failures.length === this.#wanted.size) return { targets, ...next };
    return { targets, cause: this.#wanted.size > 0 ? 'the managed target is starting' : 'no managed target runs' };
  }

  get ready(): number {
    return this.#ready.length;
  }

  /** Those that are starting, or will be started again. */
  get starting(): number {
    return this.#wanted.size - this.ready;
  }

  /** One of them does not start. */
  get failing(): boolean {
    return [...this.#wanted].some(({ failures }) => failures > 0);
  }

  get #ready(): ManagedProcess[] {
    return [...this.#wanted].filter(({ state }) => state === 'ready');
  }

  /** All its processes, those that drain too. */
  get facts(): readonly InstanceFacts[] {
    return [...this.#wanted, ...this.#draining.keys()].map((one) => ({
      url: one.url,
      state: this.#draining.has(one) ? 'draining' : one.state,
      pid: one.pid,
      restarts: one.restarts,
      command: one.settings.command,
    }));
  }

  /**
   * Starts the first `count` processes and waits until all are ready.
   * @throws ManagedError of the first that fails; the others are stopped.
   */
  async start(count: number): Promise<void> {
    const fresh = Array.from({ length: count }, () => this.#add());
    const outcomes = await Promise.allSettled(fresh.map((one) => one.start()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    await this.stop();
    throw failed.reason;
  }

  /** Other settings with the same command. */
  configure(settings: RunSettings): void {
    this.#settings = settings;
    const { min, max } = settings.instances;
    this.scaleTo(Math.max(min, Math.min(max, this.#wanted.size)));
  }

  /** Starts or drains processes, until `count` are there. */
  scaleTo(count: number): void {
    if (this.#closed) return;
    for (const process of [...this.#draining.keys()].reverse()) {
      if (this.#wanted.size >= count) break;
      this.#revive(process);
    }
    while (this.#wanted.size < count) this.#add().keep();
    const surplus = this.#leastNeeded().slice(0, Math.max(0, this.#wanted.size - count));
    for (const process of surplus) this.#remove(process);
    if (surplus.length > 0) this.#host.changed(this);
  }

  /** Nothing is to be sent to them any more: stops each when its requests have ended. Resolves when all have ended. */
  async retire(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#wanted].map((process) => this.#remove(process)));
    await this.stop();
  }

  /** Stops all without waiting for requests; resolves when they have ended. None can start afterwards. */
  async stop(): Promise<void> {
    this.#closed = true;
    for (const ending of this.#draining.values()) ending.abort();
    this.#draining.clear();
    this.#wanted.clear();
    await Promise.all([...this.#all].map((process) => this.#end(process)));
  }

  #add(): ManagedProcess {
    const { log, orphanGuard, ports } = this.#host;
    const process: ManagedProcess = new ManagedProcess(this.service, this.#settings, {
      log,
      orphanGuard,
      ports,
      changed: () => this.#changed(process),
    });
    this.#wanted.add(process);
    this.#all.add(process);
    return process;
  }

  #changed(process: ManagedProcess): void {
    const ending = this.#draining.get(process);
    // It has crashed: there is nothing left to drain.
    if (ending !== undefined && process.state !== 'ready') ending.abort();
    else if (this.#wanted.has(process)) this.#host.changed(this);
  }

  /** Those that do not serve first, then those with the fewest requests; the newest first. What fails keeps its long waits between starts. */
  #leastNeeded(): ManagedProcess[] {
    const { traffic } = this.#host;
    const need = (one: ManagedProcess): number =>
      one.state === 'ready' ? traffic.inFlight(this.service, one.url) : one.failures - Number.MAX_SAFE_INTEGER;
    return [...this.#wanted]
      .reverse()
      .map((process) => ({ process, need: need(process) }))
      .sort((one, other) => one.need - other.need)
      .map(({ process }) => process);
  }

  async #remove(process: ManagedProcess): Promise<void> {
    this.#wanted.delete(process);
    if (process.state === 'ready') {
      const ending = new AbortController();
      this.#draining.set(process, ending);
      await drained(this.#host.traffic, process, this.#settings.drainTimeout, ending.signal);
      // It is needed again, or all are being stopped.
      if (this.#draining.get(process) !== ending) return;
      this.#draining.delete(process);
    }
    await this.#end(process);
  }

  #revive(process: ManagedProcess): void {
    if (process.state !== 'ready') return;
    this.#wanted.add(process);
    this.#draining.get(process)?.abort();
    this.#draining.delete(process);
    this.#host.changed(this);
  }

  async #end(process: ManagedProcess): Promise<void> {
    await process.stop(this.#host.graceMs());
    this.#all.delete(process);
  }
}
