/** Runs the data plane of a gateway, in worker threads or in this thread, and collects what it reports. */
import { resolve } from 'node:path';
import { DEFAULT_CONTENT_BYTES, DEFAULT_DISK_BYTES, type Program } from '../bundle/types.js';
import type { Json } from '../policies/contract.js';
import { DataPlane } from '../proxy/data-plane.js';
import type { DataPlaneApi, DataPlaneEvents, DataPlaneOptions, WorkerReports } from '../proxy/types.js';
import { BreakerTable } from '../state/breaker/table.js';
import { systemClock } from '../state/clock.js';
import { ConnectionTable } from '../state/connection-table.js';
import { DiskClient } from '../state/content/disk/client.js';
import { DiskMemory } from '../state/content/disk/memory.js';
import { contentsOf as contentSpaceOf } from '../state/content/disk/tiered.js';
import { MemoryContents } from '../state/content/memory/index.js';
import type { ContentSpace } from '../state/content/types.js';
import { HoldTable } from '../state/hold-table.js';
import { allocateState, forgetWorker } from '../state/memory.js';
import { OutcomeDisk } from '../state/outcomes/disk.js';
import type { OutcomesOnDisk } from '../state/outcomes/gateway.js';
import { StepCell } from '../state/step-cell.js';
import { systemAfter } from '../state/timers.js';
import type { WorkerStatus } from '../telemetry/metrics.js';
import type { ContentsSnapshot, RequestRecord } from '../telemetry/snapshot.js';
import type { AcmeSupply } from './acme/index.js';
import { GatewayConsumers } from './consumers.js';
import { DiskHost } from './contents/disk-host.js';
import type { GatewayOptions } from './gateway-options.js';
import type { GatewayStats } from './gateway-stats.js';
import { HealthChecks } from './health/checks.js';
import { probe } from './health/probe.js';
import type { Log } from './log.js';
import type { Traffic } from './managed/drain.js';
import { whyNoSharing } from './ports/addresses.js';
import { contentsOf } from './stats/contents.js';
import { stateIdentityOf } from './stats/limit-policies.js';
import { TargetBoard } from './targets/board.js';
import { systemLookups } from './targets/names/lookups.js';
import { TicketRotation } from './ticket-rotation.js';
import { RecordMerger, StdoutAccessLog } from './workers/output.js';
import { MAX_WORKERS, WorkerSet } from './workers/set.js';
import { StepWatch } from './workers/step-watch.js';

export interface PlaneOptions {
  /** Its clock is that of an inline data plane. */
  readonly given: Pick<GatewayOptions, 'inline' | 'accessLog' | 'clock' | 'env' | 'lookups' | 'ticketTimer'>;
  readonly limits: SharedArrayBuffer;
  readonly stats: GatewayStats;
  readonly log: Log;
  /** Finished requests, while a client watches; ordered over all workers. */
  readonly requests: (records: readonly RequestRecord[], dropped: number) => void;
  /** A request waits for a target of the service. */
  readonly demand: (service: string) => void;
  /** Asks the duty of a policy. */
  readonly ask: (identity: string, question: Json) => Promise<Json>;
  /** The last requests of one worker before they were watched. */
  readonly recent: (records: readonly RequestRecord[]) => void;
}

/** Failures that may mean that a name has other addresses by now. */
const UNREACHABLE: ReadonlySet<string> = new Set(['upstream/unreachable', 'upstream/connect-timeout']);

/** Among the numbers of workers that use the contents on disk. */
const CONTROL = -1;

export class Plane {
  readonly api: DataPlaneApi;
  readonly consumers = new GatewayConsumers((memory) => this.api.replaceConsumers(memory));
  /** The endpoints of each service. */
  readonly targets: TargetBoard;
  /** Active health checks. */
  readonly checks: HealthChecks;
  readonly steps: StepWatch;
  /** What policies count as in progress: to read. */
  readonly holds: HoldTable;
  /** Circuit breakers of services: to read. */
  readonly breakers: BreakerTable;
  /** Undefined when the data plane runs inline. */
  readonly #set: WorkerSet | undefined;
  readonly #options: PlaneOptions;
  readonly #tickets: TicketRotation;
  readonly #workers: number;
  /** Contents that stay until they expire: to read. */
  readonly #kept: MemoryContents;
  readonly #records: RecordMerger;
  readonly #disk: DiskHost;
  readonly #diskMemory: DiskMemory;
  readonly #diskClient: DiskClient;
  #space: ContentSpace | undefined;
  #contents: { readonly bytes: number; readonly memory: SharedArrayBuffer } | undefined;
  #outcomes: OutcomeDisk | undefined;
  /** How often certificates were handed to the workers. */
  #supplies = 0;
  readonly #lines: StdoutAccessLog;

  constructor(options: PlaneOptions) {
    this.#options = options;
    this.#records = new RecordMerger(options.requests);
    this.#lines = new StdoutAccessLog(process.stdout, options.log);
    const events: DataPlaneEvents = {
      requests: (records, dropped) => this.#requests(records, dropped),
      recent: options.recent,
      log: (level, message, fields) => options.log.write(level, message, fields),
      reports: (reports) => this.#note(reports),
      demand: options.demand,
      ask: options.ask,
      disk: (worker, ...wanted) => this.#disk.link(worker, ...wanted),
      lines: (lines, count) => this.#lines.write(lines, count),
    };
    const { accessLog, clock, env = process.env, inline = false, lookups = systemLookups() } = options.given;
    const several = !inline && whyNoSharing() === undefined;
    const workers = several ? MAX_WORKERS : 1;
    this.#workers = workers;
    this.#tickets = new TicketRotation(options.given.ticketTimer ?? systemAfter);
    const connections = ConnectionTable.allocate({ workers });
    const state = allocateState({ workers });
    this.holds = new HoldTable(state.holds, 0);
    this.breakers = new BreakerTable(state.breakers, 0, () => (clock ?? systemClock).monotonic());
    this.#kept = new MemoryContents(state.kept, systemClock.now);
    this.#disk = new DiskHost({ memory: state.disk, log: options.log });
    this.#diskMemory = new DiskMemory(state.disk);
    this.#diskClient = new DiskClient({ memory: this.#diskMemory, after: systemAfter });
    const { limits, log, stats } = options;
    this.targets = new TargetBoard({
      slots: (service, endpoints) => stats.slotsOfTargets(service, endpoints),
      send: (services) => this.api.updateTargets({ services, chunks: stats.chunks(0) }),
      log,
      world: { lookups, clock: clock ?? systemClock, after: systemAfter, random: Math.random, env },
    });
    const checksClock = clock ?? systemClock;
    this.checks = new HealthChecks({
      board: this.targets,
      log,
      probe,
      ejectedUntil: (slot) => stats.registry.sums(slot).ejectedUntil,
      after: systemAfter,
      now: () => checksClock.now(),
      monotonic: () => checksClock.monotonic(),
      random: Math.random,
    });
    const steps = StepCell.allocate(several ? MAX_WORKERS : 1);
    this.steps = new StepWatch({
      memory: steps,
      inline,
      log: options.log,
      now: () => performance.now(),
    });
    const shared: DataPlaneOptions = {
      steps,
      limits,
      tickets: this.#tickets.memory,
      state,
      connections,
      ...(accessLog === undefined ? {} : { accessLog }),
    };
    if (!inline) this.#set = this.#createSet(shared, events, new ConnectionTable(connections, 0));
    this.api = this.#set ?? new DataPlane({ ...shared, ...(clock ? { clock } : {}) }, events);
  }

  /** For managed targets that are to be stopped. */
  readonly traffic: Traffic = {
    isTarget: (service, url) => this.targets.of(service).some((one) => one.url === url),
    applied: () => this.targets.applied(),
    inFlight: (service, url) => this.#options.stats.ofTarget(service, url).inFlight,
    ended: (service, url) => this.#options.stats.ofTarget(service, url).requests,
    waiting: (service) => this.#options.stats.waiting(service),
  };

  #createSet(options: DataPlaneOptions, events: DataPlaneEvents, connections: ConnectionTable): WorkerSet {
    const { stats } = this.#options;
    return new WorkerSet({
      options,
      events,
      chunks: (worker) => stats.chunks(worker),
      died: (worker) => {
        connections.forget(worker);
        if (options.state !== undefined) forgetWorker(options.state, worker);
        this.#forgetContents(worker);
        this.#disk.forget(worker);
        this.#outcomes?.forget(worker);
        return stats.forgetWorker(worker);
      },
    });
  }

  /** The live program: where its contents on disk are, and whose state is kept. `root`: the folder of its spec or bundle. */
  placeContents({ policies, services, state }: Program, root: string): void {
    this.breakers.retain(services.map(({ name }) => name));
    this.checks.use(services);
    const path = state?.path === undefined ? resolve(root, '.gw/contents') : resolve(state.path, 'contents');
    this.#disk.use({ path, size: state?.contentDisk ?? DEFAULT_DISK_BYTES, owners: policies.map(stateIdentityOf) });
  }

  /** The memory of contents. The first program that is loaded decides its size. */
  contentsFor({ state }: Program): SharedArrayBuffer {
    const bytes = state?.contentMemory ?? DEFAULT_CONTENT_BYTES;
    this.#contents ??= { bytes, memory: MemoryContents.allocate({ bytes, workers: this.#workers }) };
    return this.#contents.memory;
  }

  /** The outcomes on disk; undefined without a folder. The first program with one decides which it is. */
  outcomesFor({ state }: Program): OutcomesOnDisk | undefined {
    if (state?.path === undefined) return undefined;
    // A folder that could not be used is tried again.
    if (this.#outcomes?.outcomes.fault !== undefined) this.#outcomes = undefined;
    this.#outcomes ??= new OutcomeDisk(state.path);
    return this.#outcomes.for(state.path);
  }

  /** Bytes for contents, which stay as they are until the gateway ends; undefined before the first load. */
  get contentBytes(): number | undefined {
    return this.#contents?.bytes;
  }

  /** What the policies of a program have in memory, and what happened to it; undefined before the first load. */
  contentsOf(program: Program): ContentsSnapshot | undefined {
    if (this.#contents === undefined) return undefined;
    const health = new MemoryContents(this.#contents.memory, systemClock.now).health();
    return contentsOf(program, health, this.#kept.health(), this.#diskMemory.stats());
  }

  /** The contents of all policies, in memory and on disk, for purges; undefined before the first load. Waits for a store that starts. */
  async contentSpace(): Promise<ContentSpace | undefined> {
    await this.#disk.started();
    if (this.#contents === undefined) return undefined;
    const content = new MemoryContents(this.#contents.memory, systemClock.now);
    this.#space ??= contentSpaceOf({ content, disk: this.#diskClient }, systemClock, (...wanted) =>
      this.#disk.link(CONTROL, ...wanted),
    );
    return this.#space;
  }

  #forgetContents(worker: number): void {
    if (this.#contents !== undefined) new MemoryContents(this.#contents.memory, systemClock.now).forget(worker);
  }

  /** Hands certificates by ACME to all workers. */
  supply(supply: AcmeSupply): Promise<void> {
    return this.api.replaceCertificates({ version: ++this.#supplies, ...supply });
  }

  workers(): readonly WorkerStatus[] {
    return this.#set?.workers ?? [{ worker: 0, restarts: 0 }];
  }

  /** Why only one worker can serve; undefined if several can. */
  whyAlone(): string | undefined {
    if (!this.#set) return 'the data plane runs inline, in the thread of the program that started it';
    const bound = 'the gateway started with one, whose ports cannot be shared; restart it to use several';
    return whyNoSharing() ?? (this.#set.maySpread ? undefined : bound);
  }

  #note(reports: WorkerReports): void {
    this.#options.stats.note(reports);
    for (const { url, address, error } of reports.failures ?? [])
      if (address !== undefined && UNREACHABLE.has(error)) this.targets.unreachable(url);
  }

  async close(): Promise<void> {
    this.targets.close();
    this.#tickets.close();
    this.steps.close();
    this.checks.close();
    await this.api.close();
    this.#outcomes?.close();
    await this.#disk.close();
    this.#diskClient.close();
    this.#records.flush();
    this.#lines.close();
  }

  #requests(records: readonly RequestRecord[], dropped: number): void {
    if (this.workers().length > 1) this.#records.add(records, dropped);
    else this.#options.requests(records, dropped);
  }
}
