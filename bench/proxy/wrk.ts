/** Load by wrk: one thread, a number of keep-alive connections, each sending as fast as it is answered. */
import { outputOf, pinned } from './processes.js';
import { type Load, readReport } from './wrk-report.js';

export interface LoadOptions {
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly connections: number;
  readonly seconds: number;
  readonly cores: string;
  /** A Lua script that creates the requests. */
  readonly script?: string;
}

/** Longer than the slowest reply of any scenario, so that queueing does not count as a failure. */
const TIMEOUT = '20s';

/**
 * Loads one server.
 * @throws if wrk itself fails; bad replies are reported in `bad`.
 */
export async function load(options: LoadOptions): Promise<Load> {
  const headers = Object.entries(options.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const script = options.script === undefined ? [] : ['-s', options.script];
  const [command, args] = pinned(options.cores, [
    'wrk',
    '-t1',
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    '--timeout',
    TIMEOUT,
    '--latency',
    ...headers,
    ...script,
    options.url,
  ]);
  return readReport(await outputOf(command, args));
}
