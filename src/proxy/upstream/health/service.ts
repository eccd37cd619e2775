/**
 * Health of the targets of a service together, in one worker: how many may be ejected, which of them are slow, and whether so
 * few are available that all are used. Lives across generations.
 */
import { Counter } from '../../../telemetry/stats/layout.js';
import type { EjectSettings, HealthGroup, HealthHost, TargetHealth } from './target.js';

/** Percentages, unless the spec says otherwise. */
export const EJECT_SHARE = 50;
export const PANIC_BELOW = 20;

/** Milliseconds between two looks at the latencies. */
const LOOK_EVERY = 10_000;
/** Replies of a target from which its mean counts. */
const LEAST_REPLIES = 20;
/** A mean below this is never slow: at such times the network and the scheduler differ more than targets do. */
const LEAST_MS = 10;

export class ServiceHealth implements HealthGroup {
  /** So few targets are available that all are used. */
  panic = false;
  readonly #service: string;
  readonly #host: HealthHost;
  #members: readonly TargetHealth[] = [];
  #settings: EjectSettings = { ejectAfter: 0, ejectFor: 0 };
  #lookAt = 0;

  constructor(service: string, host: HealthHost) {
    this.#service = service;
    this.#host = host;
  }

  /** Takes over the targets and settings of a generation. */
  use(members: Iterable<TargetHealth>, settings: EjectSettings): void {
    const before = this.#members;
    this.#members = [...new Set(members)];
    this.#settings = settings;
    for (const member of before) {
      if (this.#members.includes(member)) continue;
      member.group = undefined;
      member.available = member.fit;
      if (this.panic) this.#host.stats.set(member.slot, Counter.Panic, 0);
    }
    for (const member of this.#members) {
      member.group = this;
      member.measured = (settings.eject?.slowTimes ?? 0) > 0;
    }
    this.changed();
    if (this.panic) for (const { slot } of this.#members) this.#host.stats.set(slot, Counter.Panic, 1);
  }

  mayEject(): boolean {
    const ejected = this.#members.reduce((count, member) => count + (member.ejected ? 1 : 0), 0);
    const share = this.#settings.eject?.share ?? EJECT_SHARE;
    return ejected < Math.ceil((this.#members.length * share) / 100);
  }

  changed(): void {
    const total = this.#members.length;
    const fit = this.#members.reduce((count, member) => count + (member.fit ? 1 : 0), 0);
    const least = ((this.#settings.eject?.panicBelow ?? PANIC_BELOW) / 100) * total;
    const all = fit === 0 || fit < least;
    for (const member of this.#members) member.available = member.fit || all;
    // With one target there is nothing to choose from.
    this.#setPanic(all && total > 1, fit);
  }

  #setPanic(panic: boolean, available: number): void {
    if (this.panic === panic) return;
    this.panic = panic;
    for (const { slot } of this.#members) this.#host.stats.set(slot, Counter.Panic, Number(panic));
    const facts = { service: this.#service, available, targets: this.#members.length };
    if (panic) this.#host.log('warn', 'too few targets are available, all are used', facts);
    else this.#host.log('info', 'enough targets are available again', facts);
  }

  /** Called a few times a second with the monotonic time. */
  sweep(now: number): void {
    for (const member of this.#members) member.sweep(now);
    if ((this.#settings.eject?.slowTimes ?? 0) === 0 || now < this.#lookAt) return;
    if (this.#lookAt > 0) this.#ejectSlow(this.#settings.eject!.slowTimes!);
    this.#lookAt = now + LOOK_EVERY;
    for (const member of this.#members) {
      member.replies = 0;
      member.tookMs = 0;
    }
  }

  #ejectSlow(times: number): void {
    const known = this.#members.filter(({ fit, replies }) => fit && replies >= LEAST_REPLIES);
    if (known.length < 2) return;
    for (const member of known) {
      const mean = meanOf(member);
      const others = medianOf(known.filter((other) => other !== member).map(meanOf));
      if (mean >= LEAST_MS && mean > times * others) member.slow(times, mean, others);
    }
  }
}

const meanOf = ({ tookMs, replies }: TargetHealth): number => tookMs / replies;

/** The lower one of two in the middle. */
function medianOf(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[(values.length - 1) >> 1]!;
}
