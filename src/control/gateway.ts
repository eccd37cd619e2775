/** A running gateway. It owns all its resources and uses no module-level state, so several can run in one process. */
import type { Program } from '../bundle/types.js';
import { CodeThread } from '../custom/code-thread.js';
import { Delay } from '../delay.js';
import { counted } from '../plural.js';
import type { Clock } from '../policies/contract.js';
import type { BoundListener, DrainReport } from '../proxy/types.js';
import { reasonOf } from '../reason.js';
import { ConsumerStore } from '../spec/stored/store.js';
import { systemClock } from '../state/clock.js';
import { LimitTable } from '../state/limits/table.js';
import { runtimePath } from '../telemetry/admin-protocol.js';
import { changesText } from '../telemetry/changes.js';
import type { GatewayState, ReloadSnapshot, Snapshot } from '../telemetry/snapshot.js';
import { AdminServer } from './admin/server.js';
import { AdminSocket } from './admin/socket.js';
import { Background } from './background.js';
import { Caches } from './cache/index.js';
import { isOfSpec, livePlaces } from './consumers/live-places.js';
import { type GatewayOptions, StartError } from './gateway-options.js';
import { GatewayStats } from './gateway-stats.js';
import { type Log, silentLog, watchedLog } from './log.js';
import { ManagedSet } from './managed/set.js';
import { Plane } from './plane.js';
import type { Candidate } from './reload/candidate.js';
import { GenerationLoader, type WarmCandidate } from './reload/generation-loader.js';
import { Reloader, type ReloadPhase, type ReloadTrigger, type SettledReload } from './reload/reloader.js';
import { nameOfSource, type Source, sourceOf } from './reload/source.js';
import { GatewayMetrics } from './stats/metrics.js';
import { SnapshotBuilder, type SnapshotInput } from './stats/snapshot.js';
import { Watchers } from './watch/watchers.js';

export { type GatewayOptions, StartError };

export interface GatewayEvents {
  reload: ReloadSnapshot;
  state: GatewayState;
}

/** Rates and series have a resolution of one second. */
const TICK_MS = 1000;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #source: Source;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #limits = LimitTable.allocate();
  readonly #stats: GatewayStats;
  readonly #managed: ManagedSet;
  readonly #plane: Plane;
  readonly #admin: AdminServer;
  readonly #socket: AdminSocket;
  readonly #reloader: Reloader<Candidate, WarmCandidate>;
  readonly #snapshots: SnapshotBuilder;
  readonly #metrics: GatewayMetrics;
  readonly #caches: Caches;
  readonly #ticker: NodeJS.Timeout;
  readonly #reloads = { live: 0, rejected: 0 };
  readonly #listeners = new Map<keyof GatewayEvents, Set<(event: never) => void>>();
  readonly #watchers: Watchers | undefined;
  readonly #store = new ConsumerStore();
  readonly #background: Background;
  readonly #loader: GenerationLoader;
  /** Runs the compile parts of custom policies. */
  readonly #code = new CodeThread();
  #state: GatewayState = 'starting';
  #ending: Promise<void> | undefined;
  #drained: Promise<DrainReport> | undefined;
  readonly #drainDelay = new Delay();

  /** Checks, compiles, starts managed targets and binds; resolves when ready. @throws StartError; other errors are bugs in gw */
  static async start(options: GatewayOptions): Promise<Gateway> {
    options.signal?.throwIfAborted();
    const gateway = new Gateway(options);
    const abort = (): void => void gateway.close();
    const kill = (): void => void gateway.kill();
    options.signal?.addEventListener('abort', abort, { once: true });
    options.killSignal?.addEventListener('abort', kill, { once: true });
    try {
      await gateway.#start();
      return gateway;
    } catch (error) {
      await gateway.close();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', abort);
      options.killSignal?.removeEventListener('abort', kill);
    }
  }

  private constructor(options: GatewayOptions) {
    this.#options = options;
    this.#source = sourceOf(options);
    this.#clock = options.clock ?? systemClock;
    this.#log = watchedLog(options.log ?? silentLog, this.#clock, (warning) => this.#admin.events.warning(warning));
    this.#startedAt = this.#clock.now();
    this.#stats = new GatewayStats(this.#clock);
    this.#caches = new Caches({
      live: () => this.#loader.live,
      space: () => this.#plane.contentSpace(),
      contentsOf: (program) => this.#plane.contentsOf(program),
      totals: this.#stats.totals,
      report: () => this.#plane.api.report(),
    });
    this.#admin = this.#createAdmin();
    this.#socket = new AdminSocket({
      admin: this.#admin,
      log: this.#log,
      directory: options.runtimeDir,
      entry: () => ({
        pid: process.pid,
        spec: nameOfSource(this.#source),
        startedAt: this.#startedAt,
        listeners: this.addresses.map((listener) => listener.address),
      }),
    });
    this.#plane = new Plane({
      given: options,
      limits: this.#limits,
      stats: this.#stats,
      log: this.#log,
      demand: (service) => this.#managed.demand(service),
      ask: (identity, question) => this.#background.duties.ask(identity, question),
      requests: (records, dropped) => this.#admin.events.requests(records, dropped),
      recent: (records) => this.#admin.events.recent(records),
    });
    this.#managed = new ManagedSet({ log: this.#log, traffic: this.#plane.traffic, board: this.#plane.targets });
    this.#background = new Background(this.#clock, this.#log, {
      publish: (identity, value) => this.#plane.api.publish(identity, value),
      targets: () => this.#plane.targets.snapshots(),
      changed: () => void this.#request('secrets'),
      supply: (supply) => this.#plane.supply(supply),
      isDevelopment: options.development === true,
      retry: () => {
        if (this.#watchers !== undefined && this.#loader.live !== undefined) void this.#request('watch');
      },
    });
    if (options.watch) {
      const changed = (what: 'spec' | 'consumers'): void =>
        void this.#request(what === 'spec' ? 'watch' : this.#loader.afterStored);
      this.#watchers = new Watchers(changed, this.#log);
    }
    this.#loader = this.#createLoader();
    const now = (): number => this.#clock.now();
    this.#reloader = new Reloader<Candidate, WarmCandidate>(this.#loader, now, (reload) => this.#settled(reload));
    this.#snapshots = new SnapshotBuilder(this.#stats, this.#limits, this.#plane, this.#clock);
    this.#metrics = this.#createMetrics();
    this.#ticker = setInterval(() => this.#snapshots.tick(this.#loader.live?.program), TICK_MS).unref();
  }

  #createAdmin(): AdminServer {
    return new AdminServer(
      {
        snapshot: () => this.snapshot(),
        watch: (level) => this.#plane.api.watch(level),
        reload: () => this.#request('admin'),
        notReady: () => (this.#state === 'ready' ? undefined : this.#state),
        metrics: () => this.#metrics.text(),
        cache: this.#caches,
        consumers: {
          now: () => Date.now(),
          places: () => {
            const live = this.#loader.live?.candidate;
            const spec = this.#source.kind === 'spec' ? nameOfSource(this.#source) : undefined;
            return live && livePlaces(live, this.#store, spec);
          },
          written: (file) => {
            const live = this.#loader.live?.candidate;
            return this.#request(live && isOfSpec(live, file) ? 'admin' : 'consumers');
          },
        },
      },
      this.#log,
    );
  }

  /** Uses only parts that exist already: all except the reloader, the snapshots and the metrics. */
  #createLoader(): GenerationLoader {
    return new GenerationLoader({
      source: this.#source,
      env: this.#options.env ?? process.env,
      log: this.#log,
      clock: this.#clock,
      managed: this.#managed,
      stats: this.#stats,
      plane: this.#plane.api,
      consumers: this.#plane.consumers,
      targets: this.#plane.targets,
      admin: this.#admin,
      watcher: this.#watchers?.spec,
      storedWatcher: this.#watchers?.consumers,
      store: this.#store,
      background: this.#background,
      runtimeDir: this.#options.runtimeDir ?? runtimePath(),
      alone: () => this.#plane.whyAlone(),
      ending: () => this.#ending !== undefined,
      code: this.#code,
      stepsOf: (program) => this.#plane.steps.numbersOf(program),
      contents: this.#plane,
    });
  }

  #createMetrics(): GatewayMetrics {
    return new GatewayMetrics({
      stats: this.#stats,
      limits: this.#limits,
      plane: this.#plane,
      clock: this.#clock,
      live: () => this.#loader.live,
      endpoints: (service) => this.#plane.targets.of(service),
      instances: (service) => this.#managed.of(service),
      reloads: () => this.#reloads,
      workers: () => this.#plane.workers(),
      duties: (program) => this.#background.snapshots(program),
    });
  }

  /** The bound listeners, with their actual ports. */
  get addresses(): readonly BoundListener[] {
    return this.#loader.live?.listeners ?? [];
  }
  get state(): GatewayState {
    return this.#state;
  }
  get phase(): ReloadPhase {
    return this.#reloader.phase;
  }
  /** The program of the live generation. Its references are resolved, so it may contain secrets. */
  get program(): Program | undefined {
    return this.#loader.live?.program;
  }
  /** Path of the admin socket; undefined if it is not open. */
  get adminSocket(): string | undefined {
    return this.#socket.path;
  }
  /** `host:port` of the admin API on TCP; undefined if not configured. */
  get adminAddress(): string | undefined {
    return this.#admin.tcpAddress;
  }

  snapshot(): Snapshot {
    return this.#snapshots.build(this.#facts());
  }

  /** Reloads the spec. Resolves with the result, or undefined if the gateway is stopping. Never rejects. */
  reload(): Promise<ReloadSnapshot | undefined> {
    return this.#request('api');
  }

  /** Reopens the access log in every worker, as after a rotation. */
  reopenLogs(): void {
    this.#plane.api.reopenLog();
  }

  on<Name extends keyof GatewayEvents>(name: Name, listener: (event: GatewayEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * Reports not ready (`/readyz`) but keeps serving for `delayMs`. Then stops accepting, lets exchanges finish for at most
   * `timeoutMs` (default: the spec's `drain_timeout`), and closes. close() ends the drain at any time.
   */
  drain(timeoutMs = this.#loader.live?.program.drainTimeout ?? 0, delayMs = 0): Promise<DrainReport> {
    this.#drained ??= this.#drain(timeoutMs, delayMs);
    return this.#drained;
  }

  async #drain(timeoutMs: number, delayMs: number): Promise<DrainReport> {
    if (!this.#ending) this.#become('draining');
    await this.#watchers?.close();
    if (delayMs > 0 && !this.#ending) await this.#drainDelay.wait(delayMs);
    if (this.#ending) {
      await this.#ending;
      return { cut: 0, tunnels: 0, raced: 0, tookMs: 0 };
    }
    const report = await this.#plane.api.drain(timeoutMs);
    this.#logDrain(report, timeoutMs);
    await this.close();
    return report;
  }

  #logDrain({ cut, tunnels, raced }: DrainReport, timeoutMs: number): void {
    if (cut > 0) {
      this.#log.warn(`${counted(cut, 'exchange')} cut at the drain deadline`, { cut, tunnels, timeoutMs });
    }
    if (raced > 0) {
      this.#log.warn(`${counted(raced, 'request')} without a reply: sent while the idle connection was closed`, {
        raced,
      });
    }
  }

  /** Stops everything at once; managed targets have five seconds. Idempotent. */
  close(): Promise<void> {
    this.#ending ??= this.#end();
    this.#drainDelay.interrupt();
    return this.#ending;
  }

  /** Stops everything at once and kills managed targets, also during close(). */
  kill(): Promise<void> {
    this.#managed.kill();
    return this.close();
  }

  async #start(): Promise<void> {
    const reload = await this.#reloader.request('start');
    if (this.#loader.bug !== undefined) throw this.#loader.bug;
    if (reload?.outcome !== 'live') {
      throw new StartError(reload?.summary ?? 'The gateway was stopped during its start.', reload?.diagnostics ?? '');
    }
    if (this.#options.adminSocket !== false) await this.#socket.open();
    if (this.#ending) throw new StartError('The gateway was stopped during its start.', '');
    this.#become('ready');
  }

  async #end(): Promise<void> {
    clearInterval(this.#ticker);
    this.#code.close();
    this.#background.close();
    await this.#watchers?.close();
    const parts = [this.#admin.close(), this.#socket.close(), this.#plane.close(), this.#managed.close()];
    for (const one of await Promise.allSettled(parts))
      if ('reason' in one) this.#log.warn('cannot close a part of the gateway', { cause: reasonOf(one.reason) });
    await this.#reloader.settle();
    // A step that was running may have opened a server meanwhile, which would keep the process alive.
    await this.#admin.close();
    this.#become('stopped');
  }

  #request(trigger: ReloadTrigger): Promise<ReloadSnapshot | undefined> {
    if (this.#ending || this.#state === 'draining') return Promise.resolve(undefined);
    const done = this.#reloader.request(trigger);
    // It has read the files of consumers, but what they hold did not go live.
    if (this.#watchers && trigger !== 'consumers' && trigger !== 'consumers-watch') {
      void done.then((reload) => {
        if (reload?.outcome !== 'live') void this.#request('consumers-watch');
      });
    }
    return done;
  }

  #settled(reload: SettledReload): void {
    this.#reloads[reload.outcome]++;
    const { generation, summary, changes, diagnostics, tookMs } = reload;
    const fields = {
      tookMs,
      ...(changes !== undefined && changes.length > 0 ? { changes: changesText(changes) } : {}),
      ...(diagnostics.trim() === '' ? {} : { diagnostics }),
    };
    const live = this.#loader.live;
    if (reload.outcome === 'rejected' && (this.#ending || this.#state === 'draining')) {
      this.#log.info('reload cancelled, the gateway is stopping', { cause: summary, tookMs });
    } else if (reload.outcome === 'rejected' && live) {
      this.#log.error(`reload rejected, generation ${live.input.id} keeps serving`, { cause: summary, ...fields });
    } else if (reload.refreshed) {
      this.#log.info(`consumers reloaded: ${summary}`, fields);
    } else if (reload.outcome === 'live' && generation !== 1) {
      this.#log.info(`reloaded as generation ${generation}: ${summary}`, fields);
    } else if (reload.outcome === 'live' && diagnostics.trim() !== '') {
      this.#log.warn(`${counted(reload.warnings, 'warning')} in the spec`, { diagnostics });
    }
    if (reload.outcome === 'live') {
      this.#socket.refresh();
      if (live !== undefined) this.#plane.placeContents(live.program, live.candidate.root);
    }
    this.#admin.events.reload(reload);
    this.#emit('reload', reload);
  }

  #become(state: GatewayState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emit('state', state);
  }

  #emit<Name extends keyof GatewayEvents>(name: Name, event: GatewayEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as (event: GatewayEvents[Name]) => void)(event);
  }

  #facts(): SnapshotInput {
    return {
      spec: nameOfSource(this.#source),
      startedAt: this.#startedAt,
      state: this.#state,
      live: this.#loader.live,
      reloads: this.#reloader.history,
      duties: (program) => this.#background.snapshots(program),
      workers: this.#plane.workers(),
      consumers: this.#plane.consumers.current,
      instances: (service) => this.#managed.of(service),
      endpoints: (service) => this.#plane.targets.of(service),
    };
  }
}
