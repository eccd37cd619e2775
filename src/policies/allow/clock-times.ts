/** Days, hours and time zones as written in a spec. */

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY = 24 * 60;
const WEEK = 7 * DAY;

/** The days of `mon` or `fri-mon`, 0 for Monday; undefined for other text. */
export function daysOf(text: string): readonly number[] | undefined {
  const [first = '', last = first, ...more] = text.toLowerCase().split('-');
  const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last)];
  if (from < 0 || to < 0 || more.length > 0) return undefined;
  return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, index) => (from + index) % 7);
}

/** Minutes of the day of `08:00-18:00`. An end at or before the start is on the next day. Undefined for other text. */
export function hoursOf(text: string): readonly [from: number, to: number] | undefined {
  const found = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$/.exec(text);
  if (found === null) return undefined;
  const [from, to] = [minutes(found[1], found[2]), minutes(found[3], found[4])];
  if (to > DAY) return undefined;
  return [from, to <= from ? to + DAY : to];
}

const minutes = (hour: string | undefined, minute: string | undefined): number => Number(hour) * 60 + Number(minute);

/** What is wrong with the name of a time zone; undefined if it is known. */
export function zoneProblem(zone: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return undefined;
  } catch {
    return `Expected a time zone of the IANA database such as \`"Europe/Berlin"\`, found \`${zone}\`.`;
  }
}

/** Pairs of minutes of the week, in order and apart from each other. Hours past midnight belong to the day they begin on. */
export function minutesOfWeek(days: readonly string[] | undefined, hours: readonly string[] | undefined): number[] {
  const onDays = days === undefined ? DAYS.map((_, day) => day) : days.flatMap((text) => daysOf(text) ?? []);
  const ofDay =
    hours === undefined ? [[0, DAY] as const] : hours.flatMap((text) => [hoursOf(text) ?? ([0, 0] as const)]);
  const pairs: [number, number][] = [];
  for (const day of onDays) {
    for (const [from, to] of ofDay) {
      const [first, last] = [day * DAY + from, day * DAY + to];
      pairs.push([first, Math.min(last, WEEK)]);
      if (last > WEEK) pairs.push([0, last - WEEK]);
    }
  }
  pairs.sort(([a], [b]) => a - b);
  const merged: number[] = [];
  for (const [from, to] of pairs) {
    const end = merged.at(-1);
    if (end !== undefined && from <= end) merged[merged.length - 1] = Math.max(end, to);
    else merged.push(from, to);
  }
  return merged;
}
