/**
 * Alarms of many requests on one timer. They are kept in the order of their times: nearly all come in that order, since all are
 * set for the same time ahead. Setting and deleting one costs the same however many there are.
 */
import type { After } from '../../../state/timers.js';

export interface AlarmUser {
  onAlarm(alarm: Alarm): void;
  /** An unexpected exception in onAlarm(). */
  broke(error: unknown): void;
}

export interface AlarmHost {
  /** Timers that do not keep the process alive. */
  readonly background: After;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/** Owned by a request, which deletes it when it ends. */
export class Alarm {
  /** Monotonic milliseconds. */
  at = 0;
  before: Alarm | undefined = undefined;
  after: Alarm | undefined = undefined;
  isSet = false;
  readonly user: AlarmUser;

  constructor(user: AlarmUser) {
    this.user = user;
  }
}

export class Alarms {
  readonly #host: AlarmHost;
  #first: Alarm | undefined = undefined;
  #last: Alarm | undefined = undefined;
  /** When the timer rings; undefined: it is not set. It may ring for an alarm that was deleted. */
  #ringsAt: number | undefined = undefined;
  #cancel: () => void = () => {};

  constructor(host: AlarmHost) {
    this.#host = host;
  }

  /** `at`: monotonic milliseconds. The alarm must not be set. */
  set(alarm: Alarm, at: number): void {
    let before = this.#last;
    while (before !== undefined && before.at > at) before = before.before;
    const after = before === undefined ? this.#first : before.after;
    alarm.at = at;
    alarm.isSet = true;
    alarm.before = before;
    alarm.after = after;
    if (before === undefined) this.#first = alarm;
    else before.after = alarm;
    if (after === undefined) this.#last = alarm;
    else after.before = alarm;
    if (this.#ringsAt === undefined || at < this.#ringsAt) this.#arm(at);
  }

  /** Idempotent. */
  delete(alarm: Alarm): void {
    if (!alarm.isSet) return;
    const { before, after } = alarm;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    alarm.before = undefined;
    alarm.after = undefined;
    alarm.isSet = false;
  }

  #arm(at: number): void {
    this.#cancel();
    this.#ringsAt = at;
    this.#cancel = this.#host.background(Math.max(1, Math.ceil(at - this.#host.monotonic())), this.#ring);
  }

  readonly #ring = (): void => {
    this.#ringsAt = undefined;
    const now = this.#host.monotonic();
    for (let first = this.#first; first !== undefined && first.at <= now; first = this.#first) {
      this.delete(first);
      try {
        first.user.onAlarm(first);
      } catch (error) {
        first.user.broke(error);
      }
    }
    // A user may have set one meanwhile.
    if (this.#first !== undefined && this.#ringsAt === undefined) this.#arm(this.#first.at);
  };
}
