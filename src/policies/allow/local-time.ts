/** The time of the week in a time zone. */

const QUARTER = 15 * 60_000;
const WEEK = 7 * 24 * 60;
/** 1970-01-01 was a Thursday. */
const FIRST_DAY = 3 * 24 * 60;

/** Minutes of the week in one zone. The offset from UTC is asked for once in a quarter of an hour: it changes at no other time. */
export class LocalTime {
  readonly #format: Intl.DateTimeFormat;
  #quarter = Number.NaN;
  /** Minutes. */
  #offset = 0;

  /** Throws RangeError for an unknown zone. */
  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat('en-u-ca-iso8601', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
  }

  /** The minute of the week, 0 for Monday 00:00. `now`: milliseconds since 1970. */
  minuteOfWeek(now: number): number {
    const quarter = Math.floor(now / QUARTER);
    if (quarter !== this.#quarter) {
      this.#offset = this.#offsetAt(quarter * QUARTER);
      this.#quarter = quarter;
    }
    const minute = Math.floor(now / 60_000) + this.#offset + FIRST_DAY;
    return ((minute % WEEK) + WEEK) % WEEK;
  }

  #offsetAt(time: number): number {
    const parts = new Map(this.#format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'));
    return Math.round((local - time) / 60_000);
  }
}
