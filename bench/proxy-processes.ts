/** Processes of the proxy benchmark: started on one core, measured by /proc, loaded by wrk, and stopped for certain. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds. */
const READY_WITHIN = 20_000;
const STOP_WITHIN = 5000;

export interface Startable {
  readonly name: string;
  readonly headers: { readonly [name: string]: string };
  /** The command and its arguments, for this port. */
  command(port: number): readonly string[];
  readonly env?: { readonly [name: string]: string };
}

export class Running {
  readonly pid: number;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #logPath: string;

  constructor(child: ChildProcess, url: string, logPath: string) {
    if (child.pid === undefined) throw new Error(`Could not start ${child.spawnargs.join(' ')}`);
    this.pid = child.pid;
    this.url = url;
    this.#child = child;
    this.#logPath = logPath;
  }

  /** The last of what it wrote. */
  log(): string {
    return readFileSync(this.#logPath, 'utf8').slice(-2000);
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN);
    await exited;
    clearTimeout(timer);
  }
}

/** Starts a server on a core and waits until it answers 200. */
export async function startPinned(what: Startable, port: number, folder: string, core: number): Promise<Running> {
  const logPath = join(folder, `${what.name.replace(/[^a-z]+/gi, '-')}.log`);
  const log = openSync(logPath, 'a');
  const child = spawn('taskset', ['-c', String(core), ...what.command(port)], {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...what.env },
  });
  closeSync(log);
  child.on('error', () => {});
  const running = new Running(child, `http://127.0.0.1:${port}/items/1`, logPath);
  try {
    await ready(running, what);
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

async function ready(running: Running, what: Startable): Promise<void> {
  const deadline = Date.now() + READY_WITHIN;
  let last = 'no answer';
  while (Date.now() < deadline && !running.ended) {
    last = await statusOf(running.url, what.headers);
    if (last === '200') return;
    await delay(50);
  }
  throw new Error(`${what.name} does not serve (${last}):\n${running.log()}`);
}

function statusOf(url: string, headers: { readonly [name: string]: string }): Promise<string> {
  return new Promise((resolve) => {
    const request = get(url, { headers, agent: false, timeout: 2000 }, (response) => {
      response.resume();
      response.on('close', () => resolve(String(response.statusCode)));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => resolve(error.message));
  });
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

/** User and system seconds of a process, all its threads, and its children that live. */
export function cpuSeconds(pid: number): number {
  const children = new Map<number, number[]>();
  const own = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = statFields(entry);
    if (fields === undefined) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    own.set(Number(entry), Number(fields[11]) + Number(fields[12]));
  }
  const sum = (of: number): number =>
    (own.get(of) ?? 0) + (children.get(of) ?? []).reduce((total, child) => total + sum(child), 0);
  return sum(pid) / ticksPerSecond;
}

/** Fields of /proc/PID/stat from the third on: the second may hold spaces. Undefined for a process that just ended. */
function statFields(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

export interface Load {
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
  /** What wrk complained about; empty when every reply was a good one. */
  readonly bad: string;
}

/** 64 keep-alive connections from one thread of wrk. */
export async function load(options: {
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly seconds: number;
  readonly core: number;
}): Promise<Load> {
  const headers = Object.entries(options.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const wrk = ['wrk', '-t1', '-c64', `-d${options.seconds}s`, '--latency', ...headers, options.url];
  const child = spawn('taskset', ['-c', String(options.core), ...wrk], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const found = /(\d+) requests in/.exec(text);
  if (code !== 0 || !found) throw new Error(`wrk failed:\n${text}`);
  return {
    requests: Number(found[1]),
    rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1] ?? 0),
    p99: milliseconds(/99%\s+([\d.]+)(us|ms|s)/.exec(text)),
    bad:
      text
        .split('\n')
        .find((line) => /Non-2xx|Socket errors/.test(line))
        ?.trim() ?? '',
  };
}

function milliseconds(found: RegExpExecArray | null): number {
  const scale = { us: 0.001, ms: 1, s: 1000 }[found?.[2] ?? 'ms'] ?? 1;
  return Number(found?.[1] ?? Number.NaN) * scale;
}
