/** The text of an access log line. */
import type { RequestRecord } from './snapshot.js';

export type LineFormat = 'json' | 'pretty';

/** A function from a record to its line, newline included. */
export function lineFormatter(format: LineFormat, color: boolean): (record: RequestRecord) => string {
  return format === 'json' ? jsonLine() : prettyLine(color);
}

function jsonLine(): (record: RequestRecord) => string {
  const timeOf = isoClock();
  const partiesOf = partiesCache();
  return (record) =>
    `{"time":"${timeOf(record.at)}","id":"${escaped(record.id)}","remote":"${escaped(record.remote)}","method":"${escaped(record.method)}","host":"${escaped(record.host)}","url":"${escaped(record.url)}","status":${record.status}${partiesOf(record)},"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut},"durationMs":${decimal(record.durationMs)},"upstreamMs":${record.upstreamMs === null ? 'null' : decimal(record.upstreamMs)},"error":${quoted(record.error)}}\n`;
}

/** Text as it stands between JSON's quotes. Nearly none needs an escape, and looking is quicker than a pattern. */
function escaped(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || unit > 0x7e || unit === 0x22 || unit === 0x5c) return JSON.stringify(text).slice(1, -1);
  }
  return text;
}

const quoted = (text: string | null): string => (text === null ? 'null' : `"${escaped(text)}"`);

interface Parties {
  readonly service: string | null;
  readonly target: string | null;
  readonly consumer: string | null;
  readonly text: string;
}

/** Routes whose last parties are kept ready. */
const MAX_PARTIES = 4096;

/** Who took part is mostly who took part in the route's exchange before: its text is kept. */
function partiesCache(): (record: RequestRecord) => string {
  const known = new Map<string | null, Parties>();
  return ({ route, service, target, consumer }) => {
    const last = known.get(route);
    if (last && last.target === target && last.consumer === consumer && last.service === service) return last.text;
    const text = `,"route":${quoted(route)},"service":${quoted(service)},"target":${quoted(target)},"consumer":${quoted(consumer)}`;
    if (known.size >= MAX_PARTIES) known.clear();
    known.set(route, { service, target, consumer, text });
    return text;
  };
}

/** Milliseconds down to the microsecond, three digits where it is not whole; JSON has no NaN or infinity. */
function decimal(ms: number): string {
  const micros = Math.round(ms * 1000);
  // Beyond what a 32-bit integer holds (and for what is no number) exactness is worth more than speed.
  if (!(micros >= 0 && micros < 2 ** 31)) return String(rounded(ms));
  const whole = (micros / 1000) | 0;
  const rest = micros - whole * 1000;
  if (rest === 0) return String(whole);
  return `${whole}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`;
}

const rounded = (ms: number): number => (Number.isFinite(ms) ? Math.round(ms * 1000) / 1000 : 0);

/** ISO 8601 with milliseconds; the part down to the second is made once a second. */
function isoClock(): (at: number) => string {
  let second = Number.NaN;
  let prefix = '';
  return (at) => {
    const whole = Math.floor(at / 1000);
    if (whole !== second) {
      const date = new Date(whole * 1000);
      if (Number.isNaN(date.getTime())) return '';
      second = whole;
      prefix = date.toISOString().slice(0, -4);
    }
    const ms = Math.floor(at - whole * 1000);
    return `${prefix}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
  };
}

const RESET = '\x1b[0m';
const DIM = '\x1b[2m';
const STATUS_COLORS: { readonly [first: string]: string } = {
  2: '\x1b[32m',
  3: '\x1b[36m',
  4: '\x1b[33m',
  5: '\x1b[31m',
};

function prettyLine(color: boolean): (record: RequestRecord) => string {
  const timeOf = isoClock();
  const paint = (code: string | undefined, text: string): string => (color && code ? `${code}${text}${RESET}` : text);
  return (record) => {
    const status = record.status === 0 ? '---' : String(record.status);
    const words = [
      paint(DIM, timeOf(record.at).slice(11, -1)),
      paint(STATUS_COLORS[status[0] ?? ''], status),
      printable(record.method).padEnd(4),
      printable(record.url),
      paint(DIM, printable(record.route ?? 'no route')),
    ];
    if (record.target !== null) words.push(paint(DIM, `-> ${printable(record.target)}`));
    if (record.consumer !== null) words.push(paint(DIM, `as ${printable(record.consumer)}`));
    words.push(`${rounded(record.durationMs)}ms`);
    if (record.error !== null) words.push(paint(STATUS_COLORS[5], printable(record.error)));
    return `${words.join(' ')}\n`;
  };
}

const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/** What a client sends must not steer a terminal. */
const printable = (text: string): string =>
  text.replace(CONTROL, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
