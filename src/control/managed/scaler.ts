/** Adapts the number of processes of managed services to their requests, a few times a second and when a request waits. */
import type { Log } from '../log.js';
import type { Traffic } from './drain.js';
import type { Instances } from './instances.js';
import { decide, newHistory, type ScaleHistory } from './scale.js';

/** Milliseconds between two decisions. */
const EVERY = 250;
/** Milliseconds in which more requests come with the first one. */
const BURST = 25;

export interface ScalerHost {
  readonly log: Log;
  readonly traffic: Traffic;
}

/** What is known of a service since its last decision. */
interface Seen {
  readonly history: ScaleHistory;
  /** Requests that have ended, by URL of the process. */
  readonly ended: ReadonlyMap<string, number>;
}

export class Scaler {
  readonly #host: ScalerHost;
  #services: readonly Instances[] = [];
  readonly #seen = new WeakMap<Instances, Seen>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  #burst: NodeJS.Timeout | undefined;

  constructor(host: ScalerHost) {
    this.#host = host;
  }

  /** The services that are live. */
  use(services: readonly Instances[]): void {
    this.#services = services.filter(({ settings: { instances } }) => instances.min < instances.max);
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#services.length > 0) this.#timer = setInterval(() => this.look(performance.now()), EVERY).unref();
  }

  /** A request waits for a process. Not in the turn of the caller, which may be the worker's own. */
  demand(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.look(performance.now());
    });
    // Others may come with it.
    this.#burst ??= setTimeout(() => {
      this.#burst = undefined;
      this.look(performance.now());
    }, BURST).unref();
  }

  /** Decides for all services. Monotonic milliseconds. */
  look(now: number): void {
    for (const instances of this.#services) this.#scale(instances, now);
  }

  close(): void {
    this.use([]);
    clearImmediate(this.#soon);
    clearTimeout(this.#burst);
  }

  #scale(instances: Instances, now: number): void {
    const { traffic, log } = this.#host;
    const { failing, ready, service, settings, starting } = instances;
    const urls = instances.supply.targets.map(({ url }) => url);
    const inFlight = urls.reduce((sum, url) => sum + traffic.inFlight(service, url), 0);
    const waiting = traffic.waiting(service);
    const ended = new Map(urls.map((url) => [url, traffic.ended(service, url)]));
    const seen = this.#seen.get(instances) ?? { history: newHistory(now), ended };
    const active = urls.some((url) => ended.get(url)! > (seen.ended.get(url) ?? Number.POSITIVE_INFINITY));
    const signal = { now, inFlight, waiting, active, ready, starting, failing };
    const { count, history } = decide(settings.instances, signal, seen.history);
    this.#seen.set(instances, { history, ended });
    const before = ready + starting;
    if (count === before) return;
    log.info(`[${service}] scaling from ${before} to ${count} instances`, { inFlight, waiting, ready });
    instances.scaleTo(count);
  }
}
