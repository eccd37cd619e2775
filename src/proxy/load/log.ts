/** The operational log. */
import type { Logger } from '../../policies/contract.js';

/** Writes a line to the operational log: a lower-case phrase, and facts as fields. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void;

/** A log as policies use it. The fields are copied, so that their types are plain. */
export function loggerOf(log: Log): Logger {
  return {
    debug: (message, fields) => log('debug', message, fields && { ...fields }),
    info: (message, fields) => log('info', message, fields && { ...fields }),
    warn: (message, fields) => log('warn', message, fields && { ...fields }),
    error: (message, fields) => log('error', message, fields && { ...fields }),
  };
}
