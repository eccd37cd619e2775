/**
 * All workers of a gateway as one data plane. A load reaches all of them or none; a crash of one does not affect the others.
 */

import type { Json } from '../../bundle/types.js';
import { unixPath } from '../../proxy/downstream/unix-socket.js';
import type {
  BoundListener,
  DataPlaneApi,
  DataPlaneEvents,
  DataPlaneOptions,
  DrainReport,
  GenerationInput,
  SuppliedCertificates,
  TargetsUpdate,
  WatchLevel,
} from '../../proxy/types.js';
import type { ConsumerMemory } from '../../state/consumers/layers.js';
import type { WorkerStatus } from '../../telemetry/metrics.js';
import { isAnyPort, overlap, pinAddresses } from '../ports/addresses.js';
import { PortClaims } from '../ports/claims.js';
import { plain } from '../references/pems.js';

import { WorkerSupervisor, type WorkerSupervisorOptions } from './supervisor.js';

/** Maximum number of workers, including those that drain: the number of columns in shared tables. */
export const MAX_WORKERS = 64;

export interface WorkerSetOptions {
  readonly options: DataPlaneOptions;
  readonly events: DataPlaneEvents;
  /** The counter memory of one worker. */
  readonly chunks: (worker: number) => readonly SharedArrayBuffer[];
  /** Called when a thread has ended: resets its shared counters and returns the number of exchanges in flight. */
  readonly died: (worker: number) => number;
  /** Entry point of the threads; tests use others. */
  readonly entry?: URL;
  readonly lookEvery?: number;
}

interface CurrentLoad {
  /** With the addresses of the spec. */
  readonly given: GenerationInput;
  /** With the addresses that are bound. */
  readonly input: GenerationInput;
  readonly listeners: readonly BoundListener[];
}

type SharedInput = GenerationInput & { readonly sharePorts: boolean };

/** The workers of a load. */
interface Participants {
  /** Workers that load now. */
  readonly loading: readonly WorkerSupervisor[];
  /** Workers of `loading` that are new. */
  readonly fresh: readonly WorkerSupervisor[];
  /** Workers that are being replaced: their replacements load it. */
  readonly absent: readonly WorkerSupervisor[];
  readonly removed: readonly WorkerSupervisor[];
}

export class WorkerSet implements DataPlaneApi {
  readonly #setup: WorkerSetOptions;
  #hosts: readonly WorkerSupervisor[];
  /** Workers that a load has started and that do not serve yet. */
  #fresh: readonly WorkerSupervisor[] = [];
  /** Workers that a reload has removed, until their exchanges have finished. */
  readonly #leaving = new Map<WorkerSupervisor, Promise<DrainReport>>();
  /** Claims on shared addresses, against other gateways. */
  readonly #claims = new PortClaims();
  #current: CurrentLoad | undefined;
  /** Listeners are bound with SO_REUSEPORT. This stays so, so that one worker can become several again. */
  #sharing = false;
  #watch: WatchLevel = 'off';
  /** The newest that were not part of a load. */
  #consumers: ConsumerMemory | undefined;
  #certificates: SuppliedCertificates | undefined;
  #loading: Promise<unknown> = Promise.resolve();
  #closing = false;

  constructor(setup: WorkerSetOptions) {
    this.#setup = setup;
    // The first thread starts while control compiles; the number of workers is not known yet.
    this.#hosts = [this.#create(0)];
  }

  /** Workers that serve or are being replaced, in order. */
  get workers(): readonly WorkerStatus[] {
    return this.#hosts.map(({ index, restarts }) => ({ worker: index, restarts }));
  }

  /** Several workers can serve: listeners are shared, or nothing is bound yet. */
  get maySpread(): boolean {
    return this.#sharing || this.#current === undefined;
  }

  load(input: GenerationInput): Promise<readonly BoundListener[]> {
    const loaded = this.#loading.then(() => this.#load(input));
    this.#loading = loaded.catch(() => undefined);
    return loaded;
  }

  async #load(given: GenerationInput): Promise<readonly BoundListener[]> {
    this.#mustBeOpen();
    const sharePorts = given.program.workers > 1 || this.#sharing;
    const input = { ...this.#pinned(given), sharePorts };
    // Addresses that the last load released are free when its commit is done.
    await this.#settled();
    const shared = sharePorts ? fixedAddresses(input) : [];
    const claims = await this.#claims.take(shared, sharePorts ? this.#newAddresses(input) : []);
    let loaded: readonly BoundListener[];
    try {
      loaded = await this.#loadClaimed(given, input);
    } catch (error) {
      await claims.abandon();
      throw error;
    }
    await claims.commit(shared);
    return loaded;
  }

  async #loadClaimed(given: GenerationInput, input: SharedInput): Promise<readonly BoundListener[]> {
    this.#mustBeOpen();
    const participants = await this.#participants(input.program.workers);
    this.#fresh = participants.fresh;
    let listeners: readonly BoundListener[];
    try {
      listeners = await this.#prepare(input, participants);
      // close() does not know the new hosts.
      this.#mustBeOpen();
    } catch (error) {
      this.#fresh = [];
      for (const host of participants.loading) host.abort();
      await Promise.all(participants.fresh.map((host) => host.close()));
      throw error;
    }
    this.#sharing = input.sharePorts;
    this.#commit({ given, input: pinAddresses(input, listeners), listeners }, participants);
    await this.#settled();
    return listeners;
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new Error('The data plane is closing.');
  }

  async #settled(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.settled));
  }

  /** A live listener on port 0 keeps its port; one with another name gets a new one. */
  #pinned(input: GenerationInput): GenerationInput {
    const before = this.#current?.given.program.listeners ?? [];
    const kept = (this.#current?.listeners ?? []).filter(({ name }) => {
      const [was, is] = [before, input.program.listeners].map((all) => all.find((one) => one.name === name)?.address);
      return was === is;
    });
    return pinAddresses(input, kept);
  }

  /**
   * Addresses that no worker has bound, or not for this listener: they must be free. An address that overlaps with one of
   * this gateway is shared while one listener takes over from the other.
   */
  #newAddresses(input: GenerationInput): string[] {
    const mine = this.#current?.input.program.listeners.map(({ address }) => plain(address)) ?? [];
    const bound = new Set(mine);
    return fixedAddresses(input)
      .filter((address, at, all) => !(bound.has(address) && all.indexOf(address) === at))
      .filter((address) => bound.has(address) || !mine.some((own) => overlap(own, address)));
  }

  /** All workers, also those that a load has started and those that drain. */
  get #all(): readonly WorkerSupervisor[] {
    return [...this.#hosts, ...this.#fresh, ...this.#leaving.keys()];
  }

  async #participants(workers: number): Promise<Participants> {
    const kept = this.#hosts.slice(0, workers);
    const fresh: WorkerSupervisor[] = [];
    while (kept.length + fresh.length < workers) fresh.push(this.#create(await this.#freeIndex(fresh)));
    const ready = [...kept.filter((host) => host.ready), ...fresh];
    // None is ready: the first one loads now, because the live generation may be what crashes its replacement.
    const loading = ready.length > 0 ? ready : kept.slice(0, 1);
    const absent = kept.filter((host) => !loading.includes(host));
    return { loading, fresh, absent, removed: this.#hosts.slice(workers) };
  }

  /** A number that no worker has, including those that drain: each number has its own shared memory. */
  async #freeIndex(fresh: readonly WorkerSupervisor[]): Promise<number> {
    for (;;) {
      const taken = new Set([...this.#hosts, ...this.#leaving.keys(), ...fresh].map(({ index }) => index));
      for (let index = 0; index < MAX_WORKERS; index++) if (!taken.has(index)) return index;
      await Promise.race(this.#leaving.values());
    }
  }

  /** The first worker binds port 0, the others bind the port that the system chose. */
  async #prepare(input: GenerationInput, { loading }: Participants): Promise<readonly BoundListener[]> {
    const [first, ...others] = loading;
    if (!first) throw new Error('A data plane needs a worker.');
    const listeners = await first.prepare(this.#inputFor(first, input));
    const same = pinAddresses(input, listeners);
    const prepared = await Promise.allSettled(others.map((host) => host.prepare(this.#inputFor(host, same))));
    for (const one of prepared) if (one.status === 'rejected') throw one.reason;
    return listeners;
  }

  /** In one turn of the event loop: no worker can load anything else meanwhile. */
  #commit(live: CurrentLoad, { loading, fresh, absent, removed }: Participants): void {
    this.#current = live;
    for (const host of loading) host.commit();
    for (const host of absent) host.adopt(this.#inputFor(host, live.input));
    this.#hosts = [...this.#hosts.filter((host) => !removed.includes(host)), ...fresh];
    this.#fresh = [];
    for (const host of removed) this.#dismiss(host, live.input.program.drainTimeout);
  }

  /** Drains and closes a worker that a reload has removed. */
  #dismiss(host: WorkerSupervisor, timeoutMs: number): void {
    const { events } = this.#setup;
    const leave = async (): Promise<DrainReport> => {
      try {
        const report = await host.drain(timeoutMs);
        await host.close();
        const fields = { worker: host.index, cut: report.cut, restarts: host.restarts };
        events.log('info', `data-plane worker ${host.index} removed after its drain`, fields);
        return report;
      } finally {
        this.#leaving.delete(host);
      }
    };
    this.#leaving.set(host, leave());
  }

  #inputFor(host: WorkerSupervisor, input: GenerationInput): GenerationInput {
    return { ...input, stats: { ...input.stats, chunks: this.#setup.chunks(host.index) } };
  }

  #create(index: number): WorkerSupervisor {
    const { options, events, died, entry, lookEvery } = this.#setup;
    const setup: WorkerSupervisorOptions = {
      options: { ...options, worker: index },
      events,
      died: () => died(index),
      loaded: () => this.#loading,
      ...(entry === undefined ? {} : { entry }),
      ...(lookEvery === undefined ? {} : { lookEvery }),
    };
    const host = new WorkerSupervisor(setup);
    host.watch(this.#watch);
    if (this.#consumers !== undefined) void host.replaceConsumers(this.#consumers);
    if (this.#certificates !== undefined) void host.replaceCertificates(this.#certificates);
    return host;
  }

  watch(level: WatchLevel): void {
    this.#watch = level;
    for (const host of this.#all) host.watch(level);
  }

  publish(identity: string, value: Json): void {
    for (const host of this.#all) host.publish(identity, value);
  }

  async replaceConsumers(memory: ConsumerMemory): Promise<void> {
    this.#consumers = memory;
    await Promise.all(this.#all.map((host) => host.replaceConsumers(memory)));
  }

  /** The chunks of the update are those of another worker: each gets its own. */
  async updateTargets({ services }: TargetsUpdate): Promise<void> {
    const update = (host: WorkerSupervisor): Promise<void> =>
      host.updateTargets({ services, chunks: this.#setup.chunks(host.index) });
    await Promise.all(this.#all.map(update));
  }

  async replaceCertificates(supplied: SuppliedCertificates): Promise<void> {
    this.#certificates = supplied;
    await Promise.all(this.#all.map((host) => host.replaceCertificates(supplied)));
  }

  async report(): Promise<void> {
    await Promise.all(this.#all.map((host) => host.report()));
  }

  reopenLog(): void {
    for (const host of this.#all) host.reopenLog();
  }

  async drain(timeoutMs: number): Promise<DrainReport> {
    this.#closing = true;
    await this.#loading;
    const drained = [...this.#hosts.map((host) => host.drain(timeoutMs)), ...this.#leaving.values()];
    const sum = { cut: 0, tunnels: 0, raced: 0, tookMs: 0 };
    for (const report of await Promise.all(drained)) {
      sum.cut += report.cut;
      sum.tunnels += report.tunnels;
      sum.raced += report.raced;
      sum.tookMs = Math.max(sum.tookMs, report.tookMs);
    }
    return sum;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#hosts, ...this.#leaving.keys()].map((host) => host.close()));
    await this.#loading;
    await this.#claims.close();
  }
}

const fixedAddresses = ({ program }: GenerationInput): string[] =>
  program.listeners
    .map(({ address }) => plain(address))
    .filter((address) => !isAnyPort(address) && unixPath(address) === undefined);
