/** What all connections of a data plane share: the live generation, counters, clocks, and the steps of an exchange. */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import type { Clock } from '../policies/contract.js';
import type { ConnectionTable } from '../state/connection-table.js';
import { Counter } from '../telemetry/stats/layout.js';
import { StatsWriter } from '../telemetry/stats/writer.js';
import { Admission } from './downstream/admission.js';
import { BUG, ERRORS, type ErrorSlug } from './errors/errors.js';
import { type RecordSink, recordOf, recordOfRefusal } from './exchange/access.js';
import type { Downstream, ReplySource } from './exchange/downstream.js';
import { Driver, type DriverHost } from './exchange/driver.js';
import type { GwExchange } from './exchange/exchange.js';
import type { Generation } from './exchange/generation.js';
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
import { DnsCache } from './upstream/dns-cache.js';
import type { Service } from './upstream/service.js';
import { FailureNotes, type TargetHost } from './upstream/target-host.js';

export class Engine implements TargetHost, DriverHost {
  readonly stats = new StatsWriter();
  /** Of the process, as far as this data plane may use them. */
  readonly descriptors: Descriptors;
  readonly dns: DnsCache;
  readonly failures = new FailureNotes();
  /** Which connections may stay. */
  readonly admission: Admission;
  /** Scratch that each request head is parsed into; an exchange copies what it keeps. */
  readonly head = new RequestHead();
  readonly sink: RecordSink;
  readonly batcher = new WriteBatcher();
  readonly driver = new Driver(this);
  readonly recent = new RecentExchanges();
  /** For connections with much to do at once. */
  readonly scheduler = new FairScheduler();
  readonly acceptBursts = new AcceptBursts(this.scheduler);
  /** Memory of bodies that are held. */
  readonly bodies: BodyBudget;
  readonly uploads: Uploads;
  /** The live one; undefined only before the first load. */
  generation: Generation | undefined = undefined;
  /** Exchanges begun and not ended, of all generations. */
  inFlight = 0;
  /** `date: ...` with the line's end, at most one sweep old. */
  dateLine = '';
  /** No new exchange may keep its connection. */
  draining = false;
  /** Milliseconds that a client has before `min_body_rate` is asked of it. */
  bodyGrace = 5000;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #idPrefix = randomBytes(6).toString('hex');
  #ids = 0;
  #cachedNow = 0;

  /** `bodyMemory`: bytes that held bodies may take together; left out, a share of the heap. */
  constructor(clock: Clock, log: Log, sink: RecordSink, connections: ConnectionTable, bodyMemory?: number) {
    this.#clock = clock;
    this.#log = log;
    this.descriptors = new Descriptors(1, log);
    this.dns = new DnsCache(() => this.monotonic());
    this.admission = new Admission(this, connections);
    this.sink = sink;
    this.bodies = new BodyBudget(bodyMemory);
    this.uploads = new Uploads(this.bodies, () => this.monotonic());
    this.tick();
  }

  tick(): void {
    this.dateLine = `date: ${new Date().toUTCString()}\r\n`;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    this.#cachedNow = this.#clock.monotonic();
    return this.#cachedNow;
  }

  /** The monotonic time as somebody asked for it last, one sweep old at most: for idle times, where that is nothing. */
  cachedNow(): number {
    return this.#cachedNow;
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>): void {
    this.#log(level, message, fields);
  }

  /** Something threw that must not: told once, with where. Whatever it was at work on must end; nothing else may. */
  bug(error: unknown, request?: string): void {
    this.log('error', BUG, { request, error: inspect(error) });
  }

  /** Unique in time and space: random bits of this data plane, and a count. */
  readonly newId = (): string => `${this.#idPrefix}-${(this.#ids++).toString(36)}`;

  /** An exchange begins. Throws only for a bug. */
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
    const upgrades = exchange.wantsUpgrade && !exchange.hasBody;
    return upgrades ? new Tunnel(this, exchange, service) : new Relay(this, exchange, service);
  }

  /** Something that was no request: counted with those that matched no route. */
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

  /** What control tells of this worker's memory. */
  overloaded(shedding: boolean, shrinking: boolean): void {
    const slot = this.generation?.unmatched;
    if (slot === undefined) return;
    this.stats.set(slot, Counter.Shedding, Number(shedding));
    this.stats.set(slot, Counter.Shrinking, Number(shrinking));
  }

  /** An exchange is over at `now` (monotonic): its counts, and its record where somebody reads one. */
  end(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, cut: boolean, now: number): void {
    const { generation, compiled } = exchange;
    const took = now - exchange.startMs;
    this.inFlight--;
    this.stats.end(compiled === undefined ? generation.unmatched : compiled.slot, status, bytesIn, bytesOut, took, cut);
    this.recent.keep(exchange, status, bytesIn, bytesOut, took);
    if (this.sink.active) this.sink.write(recordOf(exchange, status, bytesIn, bytesOut, took));
    generation.inFlight--;
    if (generation.inFlight === 0 && generation.retired) generation.finish();
  }
}
