/** The certificate of one host: what is held, when it is renewed, and how long to wait after a failure. */
import { Backoff } from '../../delay.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import type { DutyWorld } from '../duties/duty.js';
import { RunFacts } from '../duties/run-facts.js';
import type { HeldCertificate } from './certificate.js';
import { pollAfter, renewalTime, timeIn, type Window, windowOf } from './schedule.js';

/**
 * Milliseconds between a refused order and the next one: the first wait, and the longest. Authorities allow few failed
 * validations of a host in an hour.
 */
const RETRY = { firstMs: 300_000, maxMs: 21_600_000 } as const;
/** Part of a wait that is random. */
const JITTER = 0.1;

/** Milliseconds before the end of a certificate at which it is renewed whatever the authority suggests. */
const lateOf = ({ notBefore, notAfter }: HeldCertificate): number => (notAfter - notBefore) / 20;

export class HostCertificate {
  readonly host: string;
  readonly facts = new RunFacts();
  readonly #world: DutyWorld;
  readonly #renewBefore: number | undefined;
  readonly #backoff = new Backoff(RETRY);
  #held: HeldCertificate | undefined;
  #foreign = false;
  /** Milliseconds since 1970. */
  #renewAt = 0;
  #window: Window | undefined;
  /** When the suggestion is asked for; undefined: never. */
  #pollAt: number | undefined;
  /** No order before that. */
  #restUntil = 0;
  /** Orders that failed in a row. */
  failures = 0;
  /** It is not in the store yet, which could not be written. */
  unsaved = false;

  constructor(host: string, world: DutyWorld, renewBefore: number | undefined) {
    this.host = host;
    this.#world = world;
    this.#renewBefore = renewBefore;
  }

  /** The certificate is of another authority, or of other settings. */
  get isForeign(): boolean {
    return this.#foreign;
  }

  get held(): HeldCertificate | undefined {
    return this.#held;
  }

  /** When there is work: an order, or a question for the suggestion. Milliseconds since 1970. */
  get due(): number {
    const order = this.unsaved ? this.#restUntil : Math.max(this.#renewAt, this.#restUntil);
    return this.#pollAt === undefined ? order : Math.min(order, this.#pollAt);
  }

  get isOrderDue(): boolean {
    const now = this.#world.clock.now();
    return now >= this.#renewAt && now >= this.#restUntil;
  }

  get isPollDue(): boolean {
    return this.#pollAt !== undefined && this.#world.clock.now() >= this.#pollAt;
  }

  get snapshot(): DutySnapshot {
    return {
      policy: `acme:${this.host}`,
      use: 'acme',
      ...this.facts,
      nextRun: this.facts.active ? null : this.due,
      expires: this.#held?.notAfter ?? null,
    };
  }

  /** Uses a certificate, whose suggestion is asked for at once. `foreign`: of another authority, and replaced now. */
  hold(held: HeldCertificate, foreign = false): void {
    const { clock, random } = this.#world;
    this.#held = held;
    this.#foreign = foreign;
    this.#window = undefined;
    this.#renewAt = foreign ? 0 : renewalTime(held, random(), this.#renewBefore);
    this.#pollAt = foreign || held.renewalId === undefined ? undefined : clock.now();
  }

  /** What the authority suggests, or that it did not answer. `value`: a RenewalInfo object; undefined: it offers none. */
  suggest(value: unknown, retryAfter: number | undefined): void {
    const { clock, random } = this.#world;
    const now = clock.now();
    if (value === undefined) {
      this.#pollAt = undefined;
      return;
    }
    this.#pollAt = now + pollAfter(retryAfter);
    const window = windowOf(value);
    if (window === undefined) return;
    const same = this.#window?.start === window.start && this.#window.end === window.end;
    this.#window = window;
    // One time for one window: choosing anew at each look would move it towards the end.
    if (same || this.#held === undefined) return;
    const latest = renewalTime(this.#held, 1, this.#renewBefore ?? lateOf(this.#held));
    this.#renewAt = Math.min(timeIn(window, random()), latest);
  }

  /** The suggestion cannot be read now. */
  noSuggestion(): void {
    this.#pollAt = this.#world.clock.now() + pollAfter(undefined);
  }

  /** An order has succeeded. Returns whether the one before failed. */
  succeeded(): boolean {
    this.failures = 0;
    this.#backoff.reset();
    return this.facts.succeeded(this.#world.clock.now());
  }

  /** An order was refused. `atLeast`: milliseconds that the authority asks for. Returns the milliseconds until the next one. */
  refused(cause: string, atLeast = 0): number {
    return this.#failed(cause, Math.max(this.#backoff.next(), atLeast));
  }

  /** The authority or the store cannot be reached: the next order is in `ms` milliseconds. */
  unreachable(cause: string, ms: number): number {
    return this.#failed(cause, ms);
  }

  /** Waits without a failure. */
  rest(ms: number): void {
    this.#restUntil = this.#world.clock.now() + ms;
  }

  #failed(cause: string, ms: number): number {
    const { clock, random } = this.#world;
    this.failures++;
    this.facts.failed(clock.now(), cause);
    const wait = Math.round(ms * (1 + JITTER * random()));
    this.rest(wait);
    return wait;
  }
}
