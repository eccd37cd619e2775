/** A worker's whole face to control: generations in, connections served, counts and records out. */
import type { Clock, Logger } from '../policies/contract.js';
import { LimitTable } from '../state/limit-table.js';
import { AccessLog } from '../telemetry/access-log.js';
import { RecordSink } from './access.js';
import { Engine } from './engine.js';
import { Generation, PolicyInstances } from './generation.js';
import { Listener, type ListenerSettings, listenerSettings } from './listener.js';
import type {
  BoundListener,
  DataPlaneApi,
  DataPlaneEvents,
  DataPlaneOptions,
  DrainReport,
  GenerationInput,
  WatchLevel,
} from './types.js';
import { TargetRegistry } from './upstream/registry.js';

/** Milliseconds between two looks at every deadline: what a timeout may be late by. */
const SWEEP_EVERY = 100;
/** Milliseconds between two looks, in a drain, at what clients have not taken yet. */
const FLUSH_EVERY = 10;

export interface DataPlaneHost {
  readonly clock?: Clock;
  readonly random?: () => number;
}

export class DataPlane implements DataPlaneApi {
  readonly #options: DataPlaneOptions;
  readonly #engine: Engine;
  readonly #sink: RecordSink;
  readonly #logger: Logger;
  readonly #targets: TargetRegistry;
  readonly #instances: PolicyInstances;
  #listeners: Listener[] = [];
  /** Those that the live generation does not name, until their last connection is gone. */
  #leaving: Listener[] = [];
  #loading: Promise<unknown> = Promise.resolve();
  #logKey = '';
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(options: DataPlaneOptions & DataPlaneHost, events: DataPlaneEvents) {
    const clock = options.clock ?? { now: Date.now };
    this.#options = options;
    this.#sink = new RecordSink(events);
    this.#engine = new Engine(clock, (level, message, fields) => events.log(level, message, fields), this.#sink);
    this.#logger = loggerOf(events);
    this.#targets = new TargetRegistry(this.#engine);
    this.#instances = new PolicyInstances({
      clock,
      random: options.random ?? Math.random,
      logger: this.#logger,
      limits: new LimitTable(options.limits),
    });
    this.#timer = setInterval(() => this.#sweep(), SWEEP_EVERY);
    this.#timer.unref();
  }

  load(input: GenerationInput): Promise<readonly BoundListener[]> {
    const loaded = this.#loading.then(() => this.#load(input));
    this.#loading = loaded.catch(() => undefined);
    return loaded;
  }

  async #load(input: GenerationInput): Promise<readonly BoundListener[]> {
    if (this.#closed || this.#engine.draining) throw new Error('The data plane is closing.');
    const settings = input.program.listeners.map((plan, index) =>
      listenerSettings(plan, input.stats.listeners[index] ?? input.stats.unmatched),
    );
    this.#engine.stats.adopt(input.stats.chunks);
    const services = this.#targets.prepare(input.program.services, input.stats);
    const generation = new Generation(input, this.#instances, this.#logger);
    const fresh: Listener[] = [];
    let log: AccessLog | undefined | 'same';
    const bound: { listener: Listener; settings: ListenerSettings }[] = [];
    try {
      log = this.#openLog(input);
      for (const one of settings) {
        const known = this.#known(one, bound);
        const listener = known ?? new Listener(this.#engine, one);
        if (known === undefined) {
          fresh.push(listener);
          await listener.listen();
        }
        bound.push({ listener, settings: one });
      }
    } catch (error) {
      for (const listener of fresh) listener.stop();
      if (log !== 'same') await log?.close();
      generation.finish();
      throw error;
    }
    generation.connect(this.#targets.adopt(services));
    this.#swap(generation, bound, log);
    return bound.map(({ listener, settings: { plan } }) => ({ name: plan.name, address: listener.bound }));
  }

  /** The listener that stands where the plan wants one; by name first, so that two on port 0 keep apart. */
  #known(wanted: ListenerSettings, taken: readonly { listener: Listener }[]): Listener | undefined {
    const free = this.#listeners.filter(
      (listener) => listener.address === wanted.address && !taken.some((other) => other.listener === listener),
    );
    return (
      free.find((listener) => listener.plan.name === wanted.plan.name) ??
      free.find(() => !wanted.address.endsWith(':0'))
    );
  }

  #swap(
    generation: Generation,
    bound: readonly { listener: Listener; settings: ListenerSettings }[],
    log: AccessLog | undefined | 'same',
  ): void {
    const before = this.#engine.generation;
    this.#engine.generation = generation;
    before?.retire();
    const listeners = bound.map(({ listener }) => listener);
    for (const { listener, settings } of bound) listener.update(settings);
    for (const listener of this.#listeners) {
      if (listeners.includes(listener)) continue;
      listener.stop();
      this.#leaving.push(listener);
    }
    this.#listeners = listeners;
    if (log === 'same') return;
    const old = this.#sink.accessLog;
    this.#sink.accessLog = log;
    old?.close().catch((error: unknown) => this.#logger.warn(`The old access log did not close: ${String(error)}`));
  }

  #openLog({ program }: GenerationInput): AccessLog | undefined | 'same' {
    const wanted = this.#options.accessLog === undefined ? program.accessLog : this.#options.accessLog;
    const path = wanted?.path;
    const key = wanted && path !== undefined ? `${wanted.format}:${path}` : '';
    if (key === this.#logKey) return 'same';
    const log =
      wanted && path !== undefined
        ? new AccessLog({
            path,
            format: wanted.format,
            onError: (error, dropped) =>
              this.#logger.warn(`Access log lines were lost: ${error.message}`, { path, dropped }),
          })
        : undefined;
    this.#logKey = key;
    return log;
  }

  watch(level: WatchLevel): void {
    this.#sink.level = level;
  }

  #sweep(): void {
    const now = this.#engine.monotonic();
    this.#engine.tick();
    for (const listener of this.#listeners) listener.sweep(now);
    for (const listener of this.#leaving) listener.sweep(now);
    if (this.#leaving.length > 0) this.#leaving = this.#leaving.filter((listener) => !listener.empty);
    this.#targets.sweep(now);
    this.#sink.handOver();
  }

  async drain(timeoutMs: number): Promise<DrainReport> {
    const started = this.#engine.monotonic();
    this.#engine.draining = true;
    await this.#loading;
    const all = [...this.#listeners, ...this.#leaving];
    for (const listener of all) listener.stop();
    await this.#idle(timeoutMs);
    while (all.some((listener) => listener.unsent) && this.#engine.monotonic() - started < timeoutMs)
      await new Promise((resolve) => setTimeout(resolve, FLUSH_EVERY));
    let cut = 0;
    for (const listener of all) cut += listener.cut();
    return { cut, tookMs: this.#engine.monotonic() - started };
  }

  /** Resolves when no exchange is in flight, or when the time is up. */
  #idle(timeoutMs: number): Promise<void> {
    if (this.#engine.inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#engine.onIdle = undefined;
        resolve();
      };
      this.#engine.onIdle = done;
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#loading;
    clearInterval(this.#timer);
    for (const listener of [...this.#listeners, ...this.#leaving]) {
      listener.stop();
      listener.cut();
    }
    this.#targets.close();
    this.#engine.generation?.retire();
    this.#sink.handOver();
    this.#engine.onIdle?.();
    const log = this.#sink.accessLog;
    this.#sink.accessLog = undefined;
    await log?.close();
  }
}

function loggerOf(events: DataPlaneEvents): Logger {
  return {
    debug: (message, fields) => events.log('debug', message, fields && { ...fields }),
    info: (message, fields) => events.log('info', message, fields && { ...fields }),
    warn: (message, fields) => events.log('warn', message, fields && { ...fields }),
    error: (message, fields) => events.log('error', message, fields && { ...fields }),
  };
}
