/**
 * Health of a target as one worker sees it. Failures in a row, replies with 5xx in a row and slow replies eject it for a
 * while: for longer each time, and for less after it has served well. Active checks (control/health/) are a second opinion.
 */
import type { ServiceEntry } from '../../../bundle/types.js';
import type { TargetFailure } from '../../../telemetry/snapshot.js';
import { Counter } from '../../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../../telemetry/stats/writer.js';
import type { Log } from '../../load/log.js';

/** Milliseconds of the longest ejection, unless the spec says otherwise. */
export const EJECT_FOR_MAX = 300_000;

/** The settings of a service that decide on ejections. */
export type EjectSettings = Pick<ServiceEntry, 'ejectAfter' | 'ejectFor' | 'eject'>;

/** The target whose health it is. */
export interface HealthTarget {
  readonly service: string;
  readonly url: string;
  readonly address?: string | undefined;
  readonly slot: number;
  readonly settings: EjectSettings;
}

/** What it uses of the data plane. */
export interface HealthHost {
  readonly stats: StatsWriter;
  readonly failures: { note(failure: TargetFailure): void };
  readonly log: Log;
  /** Milliseconds since 1970. */
  now(): number;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/** All targets of a service. */
export interface HealthGroup {
  /** Whether one more target may be ejected. */
  mayEject(): boolean;
  /** A target is ejected, or fit again. */
  changed(): void;
}

export class TargetHealth {
  /** Whether it may get requests: it is fit, or so few targets of its service are that all are used. */
  available = true;
  /** Not ejected, and not found unhealthy by active checks. */
  fit = true;
  /** The time of an ejection is over that failures have caused: one request may try the target, and then waits for its result. */
  trial = false;
  /** A request tries it. */
  trying = false;
  #down = false;
  #out = false;
  /** Undefined: the live generation does not name the target. */
  group: HealthGroup | undefined = undefined;
  /** Latencies are added up: slow targets of the service are ejected. */
  measured = false;
  /** Replies since the last look, and the milliseconds until their heads. */
  replies = 0;
  tookMs = 0;
  readonly #target: HealthTarget;
  readonly #host: HealthHost;
  /** In a row, caused by the target. */
  #failures = 0;
  /** Replies with 5xx in a row. */
  #errors = 0;
  /** The last failure came after the head of a reply: only a whole reply shows that the target is well, further heads do not. */
  #cut = false;
  /** The last failure, of any cause. */
  #last: TargetFailure | undefined;
  /** It gets no requests before this time; monotonic milliseconds. Not 0 until it is known that the target is well again. */
  #ejectedUntil = 0;
  /** The time of an ejection is multiplied by this. */
  #level = 0;
  /** When the last ejection ended. */
  #returnedAt = 0;

  constructor(target: HealthTarget, host: HealthHost) {
    this.#target = target;
    this.#host = host;
  }

  get slot(): number {
    return this.#target.slot;
  }

  /** It was ejected, and is not known to be well again. */
  get ejected(): boolean {
    return this.#ejectedUntil !== 0;
  }

  /** A request tries the target: no other one does until it has ended. */
  begun(): void {
    this.trial = false;
    this.trying = true;
    this.#setOut(true);
  }

  /** An attempt has ended, maybe without a result. If it was the last, another one may follow after the next sweep. */
  ended(): void {
    this.trying = false;
  }

  /** The head of a reply has come, `tookMs` after the attempt began. `status` 0: completed() will say. */
  replied(status: number, tookMs: number): void {
    if (this.measured) {
      this.replies++;
      this.tookMs += tookMs;
    }
    if (status >= 500 && this.#erred(status)) return;
    if (!this.#cut && (status !== 0 || this.#errors === 0)) this.#served();
  }

  /** A reply has come to its end. `later`: its head did not say the status. */
  completed(status: number, later = false): void {
    if (later && status >= 500 && this.#erred(status)) return;
    if (later && this.#errors > 0) this.#cut = true;
    if (!this.#cut || (status >= 500 && (this.#target.settings.eject?.after5xx ?? 0) > 0)) return;
    this.#cut = false;
    this.#served();
  }

  #served(): void {
    if (this.#failures === 0 && this.#errors === 0) return;
    this.#failures = 0;
    this.#errors = 0;
    if (this.#last !== undefined) this.#note({ ...this.#last, since: null });
    if (this.#ejectedUntil !== 0) this.#return(this.#host.monotonic());
  }

  /** A reply with 5xx. False if such replies do not count against targets of the service. */
  #erred(status: number): boolean {
    const most = this.#target.settings.eject?.after5xx ?? 0;
    if (most === 0) return false;
    this.#errors++;
    if (this.#errors >= most) this.#eject(`${this.#errors} consecutive replies with 5xx`, { status });
    return true;
  }

  /**
   * An attempt failed; `cause` is for the log and the dashboard. The failure counts towards an ejection if the target is to
   * `blame`: it was unreachable, too late, or its reply was invalid. `begun`: the head of a reply had come.
   */
  failed(error: string, cause: string, blame: boolean, begun = false): void {
    const { service, url, address, settings } = this.#target;
    const at = this.#host.now();
    if (blame) {
      this.#failures++;
      this.#cut = begun;
    }
    const since = this.#failures === 0 ? null : (this.#last?.since ?? at);
    this.#note({ service, url, ...placeOf(address), at, error, cause, since });
    const { ejectAfter } = settings;
    if (!blame || ejectAfter === 0 || this.#failures < ejectAfter) return;
    const failures = this.#failures;
    this.#eject(`${failures} consecutive failures`, { failures, error, cause });
  }

  /** Its replies take `times` as long as those of the other targets. Milliseconds are means. */
  slow(times: number, meanMs: number, othersMs: number): void {
    this.#eject(`replies ${times} times as slow as those of other targets`, {
      meanMs: Math.round(meanMs),
      othersMs: Math.round(othersMs),
    });
  }

  #eject(why: string, facts: Record<string, unknown>): void {
    const now = this.#host.monotonic();
    if (this.#ejectedUntil > now || (!this.ejected && this.group?.mayEject() === false)) return;
    this.trial = false;
    const forMs = this.#nextTime(now);
    const { service, url, address, slot } = this.#target;
    this.#ejectedUntil = now + forMs;
    this.#host.stats.set(slot, Counter.EjectedUntil, this.#ejectedUntil);
    this.#host.stats.add(slot, Counter.Ejections, 1);
    const place = { service, target: url, ...placeOf(address) };
    this.#host.log('warn', `target ejected after ${why}`, { ...place, ejectedForMs: forMs, ...facts });
    this.#setOut(true);
  }

  /** Each ejection is longer by `ejectFor` than the one before; each `ejectFor` without one takes a step back. */
  #nextTime(now: number): number {
    const { ejectFor, eject } = this.#target.settings;
    const ended = Math.max(this.#returnedAt, this.#ejectedUntil);
    const steps = ejectFor === 0 ? this.#level : Math.floor(Math.max(0, now - ended) / ejectFor);
    this.#level = Math.max(0, this.#level - steps) + 1;
    const most = Math.max(ejectFor, eject?.forMax ?? EJECT_FOR_MAX);
    return Math.min(ejectFor * this.#level, most);
  }

  #return(now: number): void {
    const { service, url, address, slot } = this.#target;
    this.trial = false;
    this.trying = false;
    this.#returnedAt = Math.min(now, this.#ejectedUntil);
    this.#ejectedUntil = 0;
    this.#host.stats.set(slot, Counter.EjectedUntil, 0);
    this.#host.log('info', 'target back after its ejection', { service, target: url, ...placeOf(address) });
    this.#setOut(false);
  }

  /** Called a few times a second with the monotonic time. When the time of an ejection is over, a request tries the target. */
  sweep(now: number): void {
    if (this.#ejectedUntil === 0 || this.#ejectedUntil > now) return;
    // After failures, the next one ejects it again at once, and only a good reply shows that it is back.
    if (this.#failures === 0 && this.#errors === 0) this.#return(now);
    else if (!this.trying) {
      this.trial = true;
      this.#setOut(false);
    }
  }

  /** What active checks have found. */
  setDown(down: boolean): void {
    this.#down = down;
    this.#changed();
  }

  #setOut(out: boolean): void {
    this.#out = out;
    this.#changed();
  }

  #changed(): void {
    const fit = !this.#out && !this.#down;
    if (this.fit === fit) return;
    this.fit = fit;
    this.available = fit;
    this.group?.changed();
  }

  #note(failure: TargetFailure): void {
    this.#last = failure;
    this.#host.failures.note(failure);
  }
}

const placeOf = (address: string | undefined): { readonly address?: string } =>
  address === undefined ? {} : { address };
