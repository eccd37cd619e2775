/** The operational log: what the gateway itself does (requests go to the access log). */
import { type DestinationStream, type Logger as Pino, pino } from 'pino';
import type { Clock } from '../policies/contract.js';
import { printable } from '../telemetry/log/access-line.js';
import type { WarningRecord } from '../telemetry/snapshot.js';

export type LogFormat = 'pretty' | 'json';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = { readonly [key: string]: unknown };

/** The destination of lines: `process.stdout`, or a collector in a test or an embedding program. */
export interface LogSink {
  write(text: string): unknown;
  /** Bytes that wait for the reader, if the sink buffers. */
  readonly writableLength?: number;
  /** For streams: a pipe whose reader has closed reports it here. */
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

export interface LogOptions {
  readonly format: LogFormat;
  /** Least severe level that is written. Default `info`. */
  readonly level?: LogLevel;
  /** Colour for pretty lines. Set it if the sink is a terminal. */
  readonly color?: boolean;
  readonly sink: LogSink;
}

/** The operational log as control uses it. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** For events with a variable level, such as those of a worker thread. */
  write(level: LogLevel, message: string, fields?: LogFields): void;
}

/** Bytes that may wait for a slow reader; further lines are dropped. Access lines to the same stream stop at less (16 MiB). */
const MAX_WAITING = 20 * 1024 ** 2;

const COLORS: Readonly<Record<string, string>> = { debug: '90', info: '36', warn: '33', error: '31' };

/**
 * An operational log over pino: JSON lines for programs, or short lines for people
 * (`12:00:01 info  reloaded: +1 route`). A sink that throws is not gw's to die of, so pino's own errors stay its own.
 */
export function createLog(options: LogOptions): Log {
  const { sink, format } = options;
  let dropped = 0;
  const destination: DestinationStream = {
    write: (line) => {
      if ((sink.writableLength ?? 0) > MAX_WAITING) {
        dropped++;
        return;
      }
      const lost = dropped;
      dropped = 0;
      if (lost > 0) logger.warn({ cause: 'reader too slow', dropped: lost }, 'log lines dropped');
      sink.write(format === 'json' ? line : prettyLine(line, options.color === true));
    },
  };
  const logger: Pino = pino(
    {
      base: null,
      level: options.level ?? 'info',
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return fromPino(logger);
}

/** `log`, with each warning and error also given to `warned`, whatever level the log writes. */
export function watchedLog(log: Log, clock: Clock, warned: (warning: WarningRecord) => void): Log {
  const write: Log['write'] = (level, message, fields = {}) => {
    log.write(level, message, fields);
    if (level === 'warn' || level === 'error') warned({ level, message, at: clock.now(), fields });
  };
  return {
    write,
    debug: (message, fields) => log.debug(message, fields),
    info: (message, fields) => log.info(message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

/** A log that writes nothing: the default for embedding programs. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  write: () => {},
};

function fromPino(logger: Pino): Log {
  const write = (level: LogLevel, message: string, fields?: LogFields): void => {
    if (fields) logger[level](fields, message);
    else logger[level](message);
  };
  return {
    write,
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

/** A JSON line of pino in readable form. Multi-line fields (diagnostics, stacks) follow, indented. */
function prettyLine(line: string, color: boolean): string {
  const { level, time, message, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const paint = (code: string, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const name = String(level);
  const inline: string[] = [];
  const blocks: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    if (text.includes('\n'))
      blocks.push(
        ...text
          .trimEnd()
          .split('\n')
          .map((row) => `    ${printable(row, '\t')}`),
      );
    else inline.push(`${key}=${/^[\w./:@+-]+$/.test(text) ? text : printable(JSON.stringify(text))}`);
  }
  const tail = inline.length > 0 ? ` ${paint('90', inline.join(' '))}` : '';
  const clock = paint('90', String(time).slice(11, 19));
  const head = `${clock} ${paint(COLORS[name] ?? '0', name.padEnd(5))} ${printable(String(message), '\t')}${tail}\n`;
  return blocks.length > 0 ? `${head}${blocks.join('\n')}\n` : head;
}
