/** Load by wrk: one thread, so many keep-alive connections, as fast as answers come. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pinned } from './processes.js';
import { type Load, readReport } from './wrk-report.js';

export interface LoadOptions {
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly connections: number;
  readonly seconds: number;
  readonly cores: string;
  /** A Lua script that makes the requests. */
  readonly script?: string;
}

/** Longer than the slowest reply of any scenario, so that a queue is not taken for a failure. */
const TIMEOUT = '20s';

/**
 * Loads one server.
 * @throws when wrk itself fails; replies that are not good are told in `bad`.
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
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`wrk failed:\n${text}`);
  return readReport(text);
}
