/** Shared by all connections of a data plane: the live generation, counters, clocks, and the steps of an exchange. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { Clock } from '../policies/contract.js';
import { BreakerTable } from '../state/breaker/table.js';
import type { ConnectionTable } from '../state/connection-table.js';
import { TicketKeys } from '../state/ticket-keys.js';
import { type After, systemAfter } from '../state/timers.js';
import { type CallerCount, CallerCounts } from '../telemetry/callers.js';
import { Counter } from '../telemetry/stats/layout.js';
import { StatsWriter } from '../telemetry/stats/writer.js';
import { Admission } from './downstream/admission.js';
import type { TlsSources } from './downstream/tls/policies.js';
import { CertificateStore } from './downstream/tls/supplied.js';
import { BUG, ERRORS, type ErrorSlug } from './errors/errors.js';
import { type RecordSink, recordOf, recordOfRefusal } from './exchange/access-record.js';
import { CollectBudget } from './exchange/body/collector.js';
import type { Callers } from './exchange/chain/callers.js';
import type { Downstream, ReplySource } from './exchange/downstream.js';
import { Driver, type DriverHost } from './exchange/driver.js';
import type { GwExchange } from './exchange/exchange.js';
import type { Generation } from './exchange/generation.js';
import { InnerExchanges } from './exchange/inner/exchanges.js';
import { LeftClients } from './exchange/left-clients.js';
import { RecentExchanges } from './exchange/recent.js';
import { Relay } from './exchange/relay.js';
import { Tunnel } from './exchange/upgrade.js';
import { Uploads } from './exchange/upload.js';
import { RequestHead } from './http/request-head.js';
import { AcceptBursts } from './load/accept-bursts.js';
import { BodyBudget } from './load/body-buffer.js';
import { Descriptors } from './load/descriptors.js';
import { FairScheduler } from './load/fair-scheduler.js';
import type { Log } from './load/log.js';
import { WriteBatcher } from './load/write-batcher.js';
import { Calls } from './upstream/call/calls.js';
import { DnsCache } from './upstream/dns-cache.js';
import { http2Pool } from './upstream/http2/pool.js';
import type { Service } from './upstream/service.js';
import { FailureNotes, type TargetHost } from './upstream/target-host.js';

/** What has exchanges in progress. */
interface OpenExchanges {
  exchanges(): Iterable<GwExchange>;
}

function* exchangesOf(all: readonly OpenExchanges[]): Generator<GwExchange> {
  for (const each of all) yield* each.exchanges();
}

/** Breakers that a worker without shared memory has room for. */
const OWN_BREAKERS = 64;

/** A request waits for it, so it keeps the process running. */
const requestAfter: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

export class Engine implements TargetHost, DriverHost {
  readonly stats = new StatsWriter();
  /** The file descriptors that this data plane may use. */
  readonly descriptors: Descriptors;
  readonly dns: DnsCache;
  readonly failures = new FailureNotes();
  /** Of this worker alone, unless it is given that of all workers before the first load. */
  breakers = new BreakerTable(BreakerTable.allocate({ workers: 1, slots: OWN_BREAKERS }), 0, () => this.monotonic());
  /** Decides which new connections are accepted. */
  readonly admission: Admission;
  /** Scratch object for parsing request heads; an exchange copies the parts that it keeps. */
  readonly head = new RequestHead();
  readonly sink: RecordSink;
  /** What the TLS of all listeners shares. */
  readonly tls: TlsSources;
  readonly batcher = new WriteBatcher();
  readonly driver = new Driver(this);
  readonly recent = new RecentExchanges();
  /** Schedules connections with much pending work. */
  readonly scheduler = new FairScheduler();
  readonly after = requestAfter;
  readonly background = systemAfter;
  readonly http2Pool = http2Pool;
  readonly acceptBursts = new AcceptBursts(this.scheduler);
  /** Memory budget of buffered bodies. */
  readonly bodies: BodyBudget;
  readonly uploads: Uploads;
  /** Calls of policies and actions in progress. */
  readonly calls: Calls;
  /** Exchanges inside gw in progress. */
  readonly inner = new InnerExchanges(this);
  /** Exchanges that go on without their clients. */
  readonly left = new LeftClients(this);
  /** Memory budget of the bodies that policies collect. */
  readonly collectBudget: CollectBudget;
  readonly callers = new CallerCounts();
  /** The live generation; undefined only before the first load. */
  generation: Generation | undefined = undefined;
  /** Exchanges in progress, of all generations. */
  inFlight = 0;
  /** `date: ...` with the line's end, at most one sweep old. */
  dateLine = '';
  /** Answers to open challenges of ACME HTTP-01, by token. */
  tokens: ReadonlyMap<string, string> = new Map();
  /** Connections close after their current exchange. */
  draining = false;
  /** Milliseconds before `min_body_rate` applies to a client. */
  bodyGrace = 5000;
  random: () => number = Math.random;
  /** Tells control that a request waits for a target of the service. */
  demand: (service: string) => void = () => {};
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #idPrefix = randomBytes(6).toString('hex');
  #ids = 0;
  #cachedNow = 0;

  /**
   * `bodyMemory`: limit in bytes of all buffered bodies together; default: a share of the heap. `tickets`: memory of the ticket
   * keys; default: keys of its own.
   */
  constructor(
    clock: Clock,
    log: Log,
    sink: RecordSink,
    connections: ConnectionTable,
    bodyMemory?: number,
    tickets?: SharedArrayBuffer,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.descriptors = new Descriptors(1, log);
    this.dns = new DnsCache(() => this.monotonic());
    this.admission = new Admission(this, connections);
    this.sink = sink;
    this.tls = { tickets: new TicketKeys(tickets), certificates: new CertificateStore() };
    this.bodies = new BodyBudget(bodyMemory);
    this.collectBudget = new CollectBudget(bodyMemory);
    this.uploads = new Uploads(this.bodies, () => this.monotonic());
    this.calls = new Calls(this);
    this.tick();
  }

  tick(): void {
    this.dateLine = `date: ${new Date().toUTCString()}\r\n`;
  }

  /** Checks what waits inside gw; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    this.uploads.sweep(now);
    this.calls.sweep(now);
    this.inner.sweep(now);
    this.left.sweep(now);
  }

  /** Ends exchanges and tunnels whose callers are not accepted any more. */
  recheck(callers: Callers, listeners: readonly OpenExchanges[]): void {
    if (!callers.due) return;
    callers.recheck(exchangesOf([...listeners, this.inner, this.left]), (exchange, cause) => {
      try {
        this.driver.fail(exchange, 'auth/revoked', cause);
      } catch (error) {
        exchange.downstream?.broke(error);
      }
    });
  }

  /** Calls and exchanges in progress that no client waits for. */
  get detachedWork(): number {
    return this.calls.detached + this.inner.backgroundCount + this.left.count;
  }

  /** Ends what runs inside gw. */
  close(): void {
    this.inner.close();
    this.left.close();
    this.calls.close();
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    this.#cachedNow = this.#clock.monotonic();
    return this.#cachedNow;
  }

  /** The last reading of the monotonic clock, at most one sweep old; precise enough for idle timeouts. */
  cachedNow(): number {
    return this.#cachedNow;
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void {
    this.#log(level, message, fields);
  }

  /** Logs an unexpected exception with its stack. The caller must end the affected exchange, and nothing else. */
  bug(error: unknown, request?: string): void {
    this.log('error', BUG, { request, error: inspect(error) });
  }

  /** A globally unique id: random bits of this data plane, and a count. */
  readonly newId = (): string => `${this.#idPrefix}-${(this.#ids++).toString(36)}`;

  /** Begins an exchange. Throws only for a bug in gw. */
  begin(exchange: GwExchange, downstream: Downstream): void {
    this.inFlight++;
    exchange.generation.inFlight++;
    if (this.sink.level === 'decisions') exchange.decisions = [];
    this.driver.begin(exchange, downstream);
  }

  routed({ compiled, generation }: GwExchange): void {
    this.stats.begin(compiled === undefined ? generation.unmatched : compiled.slot);
  }

  ask(exchange: GwExchange, service: Service): ReplySource {
    return exchange.wantsUpgrade && !exchange.hasBody
      ? new Tunnel(this, exchange, service)
      : new Relay(this, exchange, service);
  }

  /** Records a malformed request; it counts with the requests that matched no route. */
  refused(error: ErrorSlug, cause: string, remote: string, id: string): void {
    const slot = this.generation?.unmatched;
    const { status } = ERRORS[error];
    if (slot !== undefined) {
      this.stats.begin(slot);
      this.stats.end(slot, status, 0, 0, 0, false);
    }
    this.recent.keepRefusal(error, cause, status, remote, id, this.monotonic());
    if (this.sink.active) this.sink.write(recordOfRefusal(error, cause, status, remote, id, this.now()));
  }

  /** Publishes the overload state of this worker. */
  overloaded(shedding: boolean, shrinking: boolean): void {
    const slot = this.generation?.unmatched;
    if (slot === undefined) return;
    this.stats.set(slot, Counter.Shedding, Number(shedding));
    this.stats.set(slot, Counter.Shrinking, Number(shrinking));
  }

  /** Ends an exchange at `now` (monotonic): counts it, and creates its record if records are read. */
  end(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, cut: boolean, now: number): void {
    const { generation, compiled } = exchange;
    const took = now - exchange.startMs;
    this.stats.end(compiled === undefined ? generation.unmatched : compiled.slot, status, bytesIn, bytesOut, took, cut);
    if (exchange.grpc !== undefined) {
      exchange.grpc.close(exchange.error, status);
      if (compiled !== undefined) this.stats.grpc(compiled.slot, exchange.grpc.status);
    }
    this.#countCaller(exchange, status);
    this.recent.keep(exchange, status, bytesIn, bytesOut, took);
    if (this.sink.active) this.sink.write(recordOf(exchange, status, bytesIn, bytesOut, took));
    this.#release(generation);
  }

  /** Counts by consumer; requests without one only if an authenticating policy refused them. */
  #countCaller({ consumer, error, startMs }: GwExchange, status: number): void {
    if (consumer !== undefined) this.callers.note(consumer.name, status >= 400 && status < 500 ? error : null, startMs);
    else if (error?.startsWith('auth/')) this.callers.note(null, error, startMs);
  }

  /** What callers did since the last call; undefined for nothing. */
  takeCallers(): readonly CallerCount[] | undefined {
    return this.callers.take(this.now() - this.monotonic());
  }

  /** A copy of an exchange begins in the background. Only its targets count it. */
  detach({ generation }: GwExchange): boolean {
    this.inFlight++;
    generation.inFlight++;
    return true;
  }

  detached({ generation }: GwExchange): void {
    this.#release(generation);
  }

  #release(generation: Generation): void {
    this.inFlight--;
    generation.inFlight--;
    if (generation.inFlight === 0 && generation.retired) generation.finish();
  }
}
