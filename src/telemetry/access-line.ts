/** The text of an access log line. */
import type { RequestRecord } from './snapshot.js';

export type LineFormat = 'json' | 'pretty';

/** A function from a record to its line, newline included. */
export function lineFormatter(format: LineFormat, color: boolean): (record: RequestRecord) => string {
  return format === 'json' ? jsonLine() : prettyLine(color);
}

function jsonLine(): (record: RequestRecord) => string {
  const timeOf = isoClock();
  return (record) =>
    `{"time":"${timeOf(record.at)}","id":${quoted(record.id)},"remote":${quoted(record.remote)},"method":${quoted(record.method)},"host":${quoted(record.host)},"url":${quoted(record.url)},"status":${record.status},"route":${quotedOrNull(record.route)},"service":${quotedOrNull(record.service)},"target":${quotedOrNull(record.target)},"consumer":${quotedOrNull(record.consumer)},"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut},"durationMs":${rounded(record.durationMs)},"upstreamMs":${record.upstreamMs === null ? 'null' : rounded(record.upstreamMs)},"error":${quotedOrNull(record.error)}}\n`;
}

/** Text that needs no escape in JSON, which is nearly all of it. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));
const quotedOrNull = (text: string | null): string => (text === null ? 'null' : quoted(text));

/** Microseconds are enough; JSON has no NaN or infinity. */
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
