/**
 * When a reply may be stored and for how long it is fresh: RFC 9111 sections 3 and 4.2, and RFC 5861. Pure: every time
 * is given, in milliseconds since 1970. What cannot be read counts as not storable or stale, never as fresh.
 */

/** The value of a field, all values joined with ', '; `name` in lower case. Undefined if the field is absent. */
export type ReadField = (name: string) => string | undefined;

/** Directives of Cache-Control by name in lower case; '' for one without a value. The first of two values counts. */
export type Directives = ReadonlyMap<string, string>;

/** Directives beyond it are not read. */
const MOST_DIRECTIVES = 64;
/** RFC 9111 section 1.2.2: larger numbers of seconds count as this. */
const LONGEST_S = 2_147_483_648;

/** Reads Cache-Control, RFC 9111 section 5.2. Undefined if it is malformed. */
export function readDirectives(field: string | undefined): Directives | undefined {
  const found = new Map<string, string>();
  if (field === undefined) return found;
  const directive =
    /[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+)))?[ \t]*)?(?:,|$)/y;
  for (let count = 0; directive.lastIndex < field.length; count++) {
    if (count >= MOST_DIRECTIVES) return undefined;
    const match = directive.exec(field);
    if (match === null) return undefined;
    const [, name, quoted, token] = match;
    const key = name?.toLowerCase();
    if (key !== undefined && !found.has(key)) found.set(key, quoted?.replace(/\\(.)/g, '$1') ?? token ?? '');
  }
  return found;
}

/** Milliseconds of a directive with seconds; undefined if it is absent, 0 if its value is not a number. */
function span(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Math.min(Number(value), LONGEST_S) * 1000 : 0;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const IMF = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC850 = /^[A-Z][a-z]+day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** An HTTP date in any of its three forms, RFC 9110 section 5.6.7. `now` places two-digit years. Undefined for other text. */
export function readDate(text: string, now: number): number | undefined {
  const imf = IMF.exec(text);
  if (imf !== null) return dateOf(imf[3]!, imf[2]!, imf[1]!, imf.slice(4));
  const old = RFC850.exec(text);
  if (old !== null) {
    const present = new Date(now).getUTCFullYear();
    let year = Math.floor(present / 100) * 100 + Number(old[3]);
    // More than 50 years ahead: the most recent year in the past with these digits.
    if (year > present + 50) year -= 100;
    return dateOf(String(year), old[2]!, old[1]!, old.slice(4));
  }
  const asc = ASCTIME.exec(text);
  return asc === null ? undefined : dateOf(asc[6]!, asc[1]!, asc[2]!, asc.slice(3, 6));
}

function dateOf(year: string, month: string, day: string, time: readonly string[]): number | undefined {
  const [hour, minute, second] = time.map(Number) as [number, number, number];
  const at = MONTHS.indexOf(month);
  if (at < 0 || Number(day) < 1 || Number(day) > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  return Date.UTC(Number(year), at, Number(day), hour, minute, second);
}

/** The times of a request and its reply. */
export interface ReplyTimes {
  /** The request was sent. */
  readonly requestedAt: number;
  /** The head of the reply was received. */
  readonly receivedAt: number;
}

export interface CacheOptions {
  /** For more than one user: `s-maxage`, `private` and Authorization count. */
  readonly shared: boolean;
}

/**
 * For how long a reply is fresh from the moment of its creation, RFC 9111 section 4.2.1. Undefined if it says nothing about it, so
 * that a cache may use a heuristic.
 */
export function freshnessLifetime(read: ReadField, receivedAt: number, { shared }: CacheOptions): number | undefined {
  const directives = readDirectives(read('cache-control'));
  if (directives === undefined) return 0;
  const explicit = (shared ? span(directives, 's-maxage') : undefined) ?? span(directives, 'max-age');
  if (explicit !== undefined) return explicit;
  const expires = read('expires');
  if (expires === undefined) return undefined;
  const end = readDate(expires, receivedAt);
  if (end === undefined) return 0;
  return Math.max(0, end - (dateField(read, receivedAt) ?? receivedAt));
}

const dateField = (read: ReadField, receivedAt: number): number | undefined => {
  const date = read('date');
  return date === undefined ? undefined : readDate(date, receivedAt);
};

/** How old a reply was when it was received, RFC 9111 section 4.2.3. */
export function initialAge(read: ReadField, { requestedAt, receivedAt }: ReplyTimes): number {
  const given = read('age');
  // Of several values the first counts; anything else than a number is ignored.
  const [, seconds = '0'] = /^(\d+)(?:,|$)/.exec(given?.trim() ?? '') ?? [];
  const age = Math.min(Number(seconds), LONGEST_S) * 1000;
  const apparent = Math.max(0, receivedAt - (dateField(read, receivedAt) ?? receivedAt));
  return Math.max(apparent, age + Math.max(0, receivedAt - requestedAt));
}

/**
 * Milliseconds for which a reply that was received at `times.receivedAt` can be used from then on without asking again; 0 for not
 * at all (stale, `no-cache`, `no-store`, for a shared cache `private`). Undefined if it says nothing about it.
 */
export function freshFor(read: ReadField, times: ReplyTimes, options: CacheOptions): number | undefined {
  const directives = readDirectives(read('cache-control'));
  if (directives === undefined || directives.has('no-store') || directives.has('no-cache')) return 0;
  if (options.shared && directives.has('private')) return 0;
  const lifetime = freshnessLifetime(read, times.receivedAt, options);
  return lifetime === undefined ? undefined : Math.max(0, lifetime - initialAge(read, times));
}

/** For how long a stale reply may be used: while it is revalidated, and if that fails. Milliseconds. RFC 5861. */
export function staleFor(read: ReadField): { readonly whileRevalidating: number; readonly onError: number } {
  const directives = readDirectives(read('cache-control')) ?? new Map<string, string>();
  const forbidden = ['must-revalidate', 'proxy-revalidate', 's-maxage', 'no-cache', 'no-store'];
  // RFC 9111 section 4.2.4.
  if (forbidden.some((name) => directives.has(name))) return { whileRevalidating: 0, onError: 0 };
  return {
    whileRevalidating: span(directives, 'stale-while-revalidate') ?? 0,
    onError: span(directives, 'stale-if-error') ?? 0,
  };
}

/** Statuses that a cache may store with a heuristic lifetime, RFC 9110 section 15.1. */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

export interface Storable {
  readonly method: string;
  readonly request: ReadField;
  readonly status: number;
  readonly reply: ReadField;
}

/**
 * Why a reply must not be stored, as a phrase; undefined if it may, RFC 9111 section 3. Partial replies and methods other than GET
 * and HEAD are never stored.
 */
export function notStorable(
  { method, request, status, reply }: Storable,
  { shared }: CacheOptions,
): string | undefined {
  if (method !== 'GET' && method !== 'HEAD') return `replies to ${method} are not stored`;
  if (status < 200 || status === 206 || status === 304) return `status ${status} is not stored`;
  const asked = readDirectives(request('cache-control'));
  if (asked === undefined || asked.has('no-store')) return 'the request forbids it (Cache-Control)';
  const said = readDirectives(reply('cache-control'));
  if (said === undefined) return 'Cache-Control of the reply is malformed';
  if (said.has('no-store')) return 'the reply forbids it (no-store)';
  if (shared && said.has('private')) return 'the reply is for one user (private)';
  if (
    reply('vary')
      ?.split(',')
      .some((name) => name.trim() === '*')
  )
    return 'the reply varies by more than the request (Vary: *)';
  const open = said.has('public') || said.has('s-maxage') || said.has('must-revalidate');
  if (shared && request('authorization') !== undefined && !open) return 'the request is authorized (Authorization)';
  const lasts = said.has('max-age') || (shared && said.has('s-maxage')) || reply('expires') !== undefined;
  if (!lasts && !said.has('public') && !HEURISTIC.has(status))
    return `status ${status} without a lifetime is not stored`;
  return undefined;
}
