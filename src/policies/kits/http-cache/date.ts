/** HTTP dates, RFC 9110 section 5.6.7, read without regard to case as RFC 9111 section 4.2 wants it of caches. */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)';
const LONG_DAY = '(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)';
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})';
const IMF = new RegExp(`^${DAY}, (\\d{2}) ([a-z]{3}) (\\d{4}) ${TIME} gmt$`, 'i');
const RFC850 = new RegExp(`^${LONG_DAY}, (\\d{2})-([a-z]{3})-(\\d{2}) ${TIME} gmt$`, 'i');
const ASCTIME = new RegExp(`^${DAY} ([a-z]{3}) ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i');
/** Longer texts are no dates. */
const LONGEST = 40;

/**
 * The milliseconds since 1970 of a date in any of the three forms. `now` places years of two digits. Undefined for any other text,
 * a day that its month does not have, or another time zone than GMT.
 */
export function readDate(text: string, now: number): number | undefined {
  if (text.length > LONGEST) return undefined;
  const imf = IMF.exec(text);
  if (imf !== null) return dateOf(Number(imf[3]), imf[2]!, imf[1]!, imf[4]!, imf[5]!, imf[6]!);
  const old = RFC850.exec(text);
  if (old !== null) return dateOf(yearOf(Number(old[3]), now), old[2]!, old[1]!, old[4]!, old[5]!, old[6]!);
  const asc = ASCTIME.exec(text);
  return asc === null ? undefined : dateOf(Number(asc[6]), asc[1]!, asc[2]!, asc[3]!, asc[4]!, asc[5]!);
}

/** A year of two digits: more than 50 years ahead it is the most recent one in the past with these digits. */
function yearOf(digits: number, now: number): number {
  const present = new Date(now).getUTCFullYear();
  const year = Math.floor(present / 100) * 100 + digits;
  return year > present + 50 ? year - 100 : year;
}

function dateOf(
  year: number,
  month: string,
  day: string,
  hours: string,
  minutes: string,
  seconds: string,
): number | undefined {
  const [hour, minute, second] = [Number(hours), Number(minutes), Number(seconds)];
  const at = MONTHS.indexOf(month.toLowerCase());
  // A leap second is the 61st of its minute.
  if (at < 0 || hour > 23 || minute > 59 || second > 60) return undefined;
  const ofMonth = Number(day);
  // Every month has these days; Date.UTC() takes years of two digits for others.
  if (ofMonth >= 1 && ofMonth <= 28 && year > 99) return Date.UTC(year, at, ofMonth, hour, minute, second);
  const date = new Date(0);
  date.setUTCFullYear(year, at, ofMonth);
  return date.getUTCDate() === ofMonth && date.getUTCMonth() === at
    ? date.setUTCHours(hour, minute, second)
    : undefined;
}

/** A date as gw writes it: the first of the three forms. */
export const writeDate = (ms: number): string => new Date(ms).toUTCString();
