/** Load by wrk: one thread, so many keep-alive connections, as fast as answers come. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pinned } from './processes.js';

export interface LoadOptions {
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly connections: number;
  readonly seconds: number;
  readonly cores: string;
  /** A Lua script that makes the requests. */
  readonly script?: string;
}

export interface Load {
  readonly requests: number;
  /** Bytes of replies, heads with them. */
  readonly bytes: number;
  /** Requests a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
  /** What wrk complained about; empty when every reply was a good one. */
  readonly bad: string;
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
  const found = /(\d+) requests in [\d.]+\w+, ([\d.]+)(B|KB|MB|GB|TB) read/.exec(text);
  if (code !== 0 || !found) throw new Error(`wrk failed:\n${text}`);
  const requests = Number(found[1]);
  return {
    requests,
    bytes: Number(found[2]) * 1024 ** ['B', 'KB', 'MB', 'GB', 'TB'].indexOf(found[3]!),
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    bad: requests === 0 ? 'no reply at all' : complaint(text),
  };
}

const complaint = (text: string): string =>
  text
    .split('\n')
    .filter((line) => /Non-2xx|Socket errors/.test(line))
    .map((line) => line.trim())
    .join('; ');

function milliseconds(found: RegExpExecArray | null): number {
  const scale = { us: 0.001, ms: 1, s: 1000 }[found?.[2] ?? 'ms'] ?? 1;
  return Number(found?.[1] ?? Number.NaN) * scale;
}
