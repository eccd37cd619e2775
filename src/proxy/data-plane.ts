/** The data plane of a worker: loads generations, serves connections, and reports counts and records to control. */
import type { Clock, Json, Logger } from '../policies/contract.js';
import { reasonOf } from '../reason.js';
import { systemClock } from '../state/clock.js';
import { ConnectionTable } from '../state/connection-table.js';
import type { ConsumerMemory } from '../state/consumers/layers.js';
import { LimitTable } from '../state/limits/table.js';
import { adoptShared, claimState, type State } from '../state/memory.js';
import { StepCell } from '../state/step-cell.js';
import { systemAfter } from '../state/timers.js';
import { AccessLogSwap, type LogChange } from './access-log-swap.js';
import { Handover } from './downstream/handover.js';
import { lastCall } from './downstream/last-call.js';
import { Listener } from './downstream/listener.js';
import { type ListenerSettings, listenerSettings } from './downstream/settings.js';
import type { SuppliedCertificates } from './downstream/tls/supplied.js';
import { unixPath } from './downstream/unix-socket.js';
import { Engine } from './engine.js';
import { RecordSink } from './exchange/access-record.js';
import { Generation, PolicyInstances } from './exchange/generation.js';
import { blocks } from './load/blocks.js';
import { type Log, loggerOf } from './load/log.js';
import { type CollectorSource, MemoryReturn } from './load/memory-return.js';
import { type MemorySource, Overload } from './load/overload.js';
import { Reporter } from './reporter.js';
import type {
  BoundListener,
  DataPlaneApi,
  DataPlaneEvents,
  DataPlaneOptions,
  DrainReport,
  GenerationInput,
  TargetsUpdate,
  WatchLevel,
  WorkerApi,
} from './types.js';
import { type PreparedServices, TargetRegistry } from './upstream/registry.js';

/** Milliseconds between two checks of all deadlines: the largest delay of a timeout. */
const SWEEP_EVERY = 100;
/** Milliseconds between two checks of a drain whether all connections have closed. */
const LOOK_EVERY = 10;
/** Milliseconds between two steps of closing idle connections, so that the freed memory of each step is measured. */
const SHRINK_EVERY = 500;

export interface DataPlaneHost {
  readonly clock?: Clock;
  /** The clock for timeouts, in milliseconds; default: the system's. */
  readonly monotonic?: () => number;
  readonly random?: () => number;
  /** Milliseconds before `min_body_rate` applies to a client. Default: 5000. */
  readonly bodyGrace?: number;
  /** Limit in bytes of all buffered bodies together; default: a share of the heap. */
  readonly bodyMemory?: number;
  /** The memory readings for overload; default: V8's heap. */
  readonly memory?: MemorySource;
  /** The garbage collector for use after a peak of connections; default: V8. */
  readonly collector?: CollectorSource;
  /** The release of Node, such as `22.3.0`. Default: the one that runs. */
  readonly node?: string;
}

/** A prepared generation, ready to go live. */
interface Prepared {
  readonly generation: Generation;
  readonly services: PreparedServices;
  readonly bound: { readonly listener: Listener; readonly settings: ListenerSettings }[];
  /** The listeners of `bound` that are new. */
  readonly fresh: Listener[];
  readonly handover: Handover;
  /** Undefined: the access log stays. */
  log: LogChange | undefined;
}

export class DataPlane implements DataPlaneApi, WorkerApi {
  readonly #engine: Engine;
  readonly #sink: RecordSink;
  readonly #logger: Logger;
  readonly #reporter: Reporter;
  readonly #tellRecent: DataPlaneEvents['recent'];
  readonly #targets: TargetRegistry;
  readonly #instances: PolicyInstances;
  readonly #overload: Overload;
  readonly #memoryReturn: MemoryReturn;
  #listeners: Listener[] = [];
  /** Listeners that the live generation does not name, until their last connection closes. */
  #leaving: Listener[] = [];
  #loading: Promise<unknown> = Promise.resolve();
  /** The values of loads that have not ended: what is published meanwhile is added. */
  readonly #arriving = new Set<Map<string, Json>>();
  readonly #log: AccessLogSwap;
  #prepared: Prepared | undefined;
  #shrunkAt = 0;
  /** It is the first worker. */
  readonly #first: boolean;
  readonly #state: State;
  readonly #node: string;
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(options: DataPlaneOptions & DataPlaneHost, events: DataPlaneEvents) {
    const { monotonic = systemClock.monotonic, clock = { now: systemClock.now, monotonic } } = options;
    const log: Log = (level, message, fields) => events.log(level, message, fields);
    this.#sink = new RecordSink(events);
    this.#engine = new Engine(
      { now: () => clock.now(), monotonic },
      log,
      this.#sink,
      ConnectionTable.ofWorker(options),
      options.bodyMemory,
      options.tickets,
    );
    if (events.demand !== undefined) this.#engine.demand = events.demand.bind(events);
    if (options.random !== undefined) this.#engine.random = options.random;
    if (options.bodyGrace !== undefined) this.#engine.bodyGrace = options.bodyGrace;
    this.#logger = loggerOf(log);
    const lines = events.lines && ((text: Uint8Array, count: number) => events.lines?.(text, count));
    this.#log = new AccessLogSwap(this.#sink, this.#logger, options.accessLog, lines);
    this.#tellRecent = (records) => events.recent?.(records);
    this.#targets = new TargetRegistry(this.#engine);
    this.#first = (options.worker ?? 0) === 0;
    this.#node = options.node ?? process.versions.node;
    this.#state = claimState(options.state, options.worker, { clock, after: systemAfter, disk: events.disk });
    this.#engine.breakers = this.#state.breakers;
    this.#instances = new PolicyInstances({
      clock,
      random: options.random ?? Math.random,
      logger: this.#logger,
      limits: new LimitTable(options.limits),
      ...this.#state,
      after: systemAfter,
      calls: this.#engine.calls,
      bodies: this.#engine.bodies,
      ask: events.ask?.bind(events),
      exchanges: this.#engine.inner,
      steps: new StepCell(options.steps, options.worker),
    });
    this.#reporter = new Reporter(this.#engine, this.#instances, events);
    this.#overload = new Overload(log, options.memory);
    this.#memoryReturn = new MemoryReturn(log, options.collector);
    // After the reads of a turn: bytes that arrived while the thread was blocked are read before deadlines are checked.
    this.#timer = setInterval(() => setImmediate(() => this.#sweep()), SWEEP_EVERY);
    this.#timer.unref();
  }

  load(input: GenerationInput): Promise<readonly BoundListener[]> {
    return this.#inTurn(input, async (current) => {
      const listeners = await this.#prepare(current);
      this.commit();
      return listeners;
    });
  }

  prepare(input: GenerationInput): Promise<readonly BoundListener[]> {
    return this.#inTurn(input, (current) => this.#prepare(current));
  }

  publish(identity: string, value: Json): void {
    for (const published of this.#arriving) published.set(identity, value);
    this.#instances.publish(identity, value);
  }

  async replaceConsumers(memory: ConsumerMemory): Promise<void> {
    this.#instances.callers.consumers.use(memory);
  }

  async updateTargets({ services, chunks }: TargetsUpdate): Promise<void> {
    this.#engine.stats.adopt(chunks);
    this.#targets.update(services);
  }

  async replaceCertificates(supplied: SuppliedCertificates): Promise<void> {
    if (this.#engine.tls.certificates.replace(supplied))
      this.#engine.tokens = new Map(supplied.tokens?.map(({ token, answer }) => [token, answer]));
  }

  readonly strayOf: NonNullable<WorkerApi['strayOf']> = (error) => this.#instances.code.strayOf(error);

  #inTurn<T>(input: GenerationInput, step: (input: GenerationInput) => Promise<T>): Promise<T> {
    const published = new Map(input.published);
    this.#arriving.add(published);
    const done = this.#loading
      .then(() => step({ ...input, published }))
      .finally(() => this.#arriving.delete(published));
    this.#loading = done.catch(() => undefined);
    return done;
  }

  async #prepare(input: GenerationInput): Promise<readonly BoundListener[]> {
    if (this.#closed || this.#engine.draining) throw new Error('The data plane is closing.');
    this.abort();
    const all = input.program.listeners.map((entry, index) =>
      listenerSettings(entry, input.stats.listeners[index] ?? input.stats.unmatched, this.#node),
    );
    // The file of a unix socket belongs to one worker.
    const settings = all.filter(({ address }) => this.#first || unixPath(address) === undefined);
    this.#engine.stats.adopt(input.stats.chunks);
    adoptShared(this.#state, input);
    const sharers = input.sharePorts === true ? input.program.workers : 1;
    const services = this.#targets.prepare(input.program.services, input.stats, sharers, input.endpoints);
    const generation = new Generation(input, this.#instances, this.#logger);
    const handover = new Handover({ sharePort: input.sharePorts === true }, (message, fields) =>
      this.#logger.error(message, fields),
    );
    const prepared: Prepared = { generation, services, bound: [], fresh: [], handover, log: undefined };
    try {
      prepared.log = this.#log.open(input.program);
      await this.#bind(settings, prepared);
      // The data plane may have been closed while a listener was bound.
      if (this.#closed) throw new Error('The data plane is closing.');
    } catch (error) {
      await this.#undo(prepared);
      throw error;
    }
    this.#prepared = prepared;
    return prepared.bound.map(({ listener, settings: { entry } }) => ({ name: entry.name, address: listener.bound }));
  }

  /** Finds the listeners that stay first; the others leave, and may occupy addresses of new ones. */
  async #bind(wanted: readonly ListenerSettings[], { bound, fresh, handover }: Prepared): Promise<void> {
    for (const settings of wanted) {
      const known = this.#known(settings, bound);
      known?.expect(settings);
      const listener = known ?? new Listener(this.#engine, settings);
      if (known === undefined) fresh.push(listener);
      bound.push({ listener, settings });
    }
    const leaving = this.#listeners.filter((listener) => !bound.some((one) => one.listener === listener));
    for (const listener of fresh) await handover.bind(listener, [...leaving, ...this.#leaving]);
  }

  commit(): void {
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    this.#prepared = undefined;
    this.#engine.descriptors.workers = prepared.generation.program.workers;
    prepared.generation.connect(this.#targets.adopt(prepared.services));
    this.#engine.calls.adopt(prepared.generation);
    this.#swap(prepared);
  }

  abort(): void {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared === undefined) return;
    this.#undo(prepared).catch((error: unknown) =>
      this.#logger.warn('cannot close the access log of a rejected load', { cause: reasonOf(error) }),
    );
  }

  async #undo({ generation, fresh, handover, log }: Prepared): Promise<void> {
    for (const listener of fresh) listener.stop();
    await handover.takeBack();
    generation.finish();
    await log?.opened?.close();
  }

  /** The existing listener at the wanted address; found by name first, to distinguish two listeners on port 0. */
  #known(wanted: ListenerSettings, taken: readonly { listener: Listener }[]): Listener | undefined {
    const free = this.#listeners.filter(
      (listener) =>
        (listener.address === wanted.address || listener.bound === wanted.address) &&
        !taken.some((other) => other.listener === listener),
    );
    return (
      free.find((listener) => listener.entry.name === wanted.entry.name) ??
      free.find(() => !wanted.address.endsWith(':0'))
    );
  }

  #swap({ generation, bound, fresh, log }: Prepared): void {
    const before = this.#engine.generation;
    this.#engine.generation = generation;
    this.#engine.head.written = generation.written;
    before?.retire();
    const listeners = bound.map(({ listener }) => listener);
    for (const { listener, settings } of bound) listener.update(settings);
    this.#instances.callers.certificatesChanged();
    for (const listener of this.#listeners) {
      if (listeners.includes(listener)) continue;
      this.#leaving.push(listener);
      // If another socket of this port continues, first accept the connections in the queue of this one.
      if (!listener.listening || !fresh.some(({ port }) => port === listener.port)) listener.stop();
      else void lastCall([listener], () => this.#closed).then(() => listener.stop());
    }
    this.#listeners = listeners;
    this.#overload.entry = generation.program.overload;
    this.#log.swap(log);
    for (const listener of fresh) listener.open();
  }

  async report(): Promise<void> {
    this.#reporter.reportAll(this.#engine.monotonic());
  }

  reopenLog(): void {
    this.#sink.accessLog?.reopen();
  }

  watch(level: WatchLevel): void {
    const begins = this.#sink.level === 'off' && level !== 'off';
    this.#sink.level = level;
    if (!begins) return;
    const records = this.#engine.recent.records(this.#engine.now(), this.#engine.monotonic());
    if (records.length > 0) this.#tellRecent?.(records);
  }

  #sweep(): void {
    if (this.#closed) return;
    const now = this.#engine.monotonic();
    this.#engine.tick();
    this.#engine.batcher.sweep();
    for (const listener of this.#listeners) listener.sweep(now);
    for (const listener of this.#leaving) listener.sweep(now);
    this.#engine.admission.sweep(now);
    this.#relieve(now);
    this.#memoryReturn.sweep(now, this.#engine.descriptors.clients, blocks.inUse);
    if (this.#leaving.length > 0)
      this.#leaving = this.#leaving.filter((listener) => !listener.closing || !listener.empty);
    this.#engine.sweep(now);
    this.#engine.recheck(this.#instances.callers, [...this.#listeners, ...this.#leaving]);
    this.#targets.sweep(now);
    this.#reporter.sweep(now);
    this.#sink.handOver();
  }

  /** Reduces load while memory is low. */
  #relieve(now: number): void {
    const changed = this.#overload.sweep(now);
    const { shedding, shrinking } = this.#overload;
    this.#engine.admission.shedding = shedding;
    if (changed) this.#engine.overloaded(shedding, shrinking);
    if (!shrinking || now - this.#shrunkAt < SHRINK_EVERY) return;
    this.#shrunkAt = now;
    for (const listener of this.#listeners) listener.shrink();
    this.#targets.shrink();
  }

  async drain(timeoutMs: number): Promise<DrainReport> {
    const started = this.#engine.monotonic();
    this.#engine.draining = true;
    await this.#loading;
    this.abort();
    for (const listener of this.#listeners) listener.hold();
    await lastCall(this.#listeners, () => this.#closed);
    const all = [...this.#listeners, ...this.#leaving];
    for (const listener of all) listener.stop();
    const deadline = this.#engine.monotonic() + timeoutMs;
    const busy = (): boolean => this.#engine.detachedWork > 0 || all.some((listener) => !listener.empty);
    while (busy() && this.#engine.monotonic() < deadline)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    const report = { cut: 0, tunnels: 0, raced: 0 };
    for (const listener of all) {
      const { cut, tunnels } = listener.cut();
      report.cut += cut;
      report.tunnels += tunnels;
      report.raced += listener.raced;
    }
    return { ...report, tookMs: this.#engine.monotonic() - started };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#loading;
    this.abort();
    clearInterval(this.#timer);
    this.#overload.close();
    for (const listener of [...this.#listeners, ...this.#leaving]) {
      listener.stop();
      listener.cut();
    }
    this.#engine.admission.close();
    this.#engine.close();
    this.#targets.close();
    this.#engine.generation?.retire();
    this.#state.outcomes.close();
    this.#reporter.reportAll(this.#engine.monotonic());
    this.#sink.handOver();
    await this.#log.close();
  }
}
