/** Processes of the proxy benchmark: started on chosen cores, measured through /proc, and stopped reliably. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestTls } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds. */
const READY_WITHIN = 30_000;
const STOP_WITHIN = 5000;

export interface Startable {
  readonly name: string;
  readonly headers: { readonly [name: string]: string };
  /** The command and its arguments, for this port. */
  command(port: number): readonly string[];
  readonly env?: { readonly [name: string]: string };
  /** The certificate that a client shows to a server with TLS. */
  readonly tls?: ClientTls;
  /** What clients speak to it; default: HTTP/1.1, with TLS if `tls` is given. */
  readonly speaks?: 'https' | 'h2c';
}

/** PEM texts. */
export interface ClientTls {
  readonly cert: string;
  readonly key: string;
}

/** A running server. */
export class Running {
  readonly pid: number;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #scheme: string;

  constructor(child: ChildProcess, port: number, logPath: string, scheme = 'http') {
    if (child.pid === undefined) throw new Error(`Could not start ${child.spawnargs.join(' ')}`);
    this.pid = child.pid;
    this.port = port;
    this.#child = child;
    this.#logPath = logPath;
    this.#scheme = scheme;
  }

  url(path: string): string {
    return `${this.#scheme}://127.0.0.1:${this.port}${path}`;
  }

  /** The end of its output. */
  log(): string {
    return readFileSync(this.#logPath, 'utf8').slice(-2000);
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Sends SIGTERM, and SIGKILL to the whole process tree if it does not end in time. */
  async stop(): Promise<void> {
    if (this.ended) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), STOP_WITHIN);
    await exited;
    clearTimeout(timer);
  }

  /** Kills the process tree at once, for callers that cannot wait. */
  kill(): void {
    if (this.ended) return;
    for (const pid of family(this.pid)) signal(pid, 'SIGKILL');
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Limit of open files for started processes: 65,536 if the system permits it, else its hard limit. */
export const fileDescriptors = ((): number => {
  const wanted = 65_536;
  if (spawnSync('prlimit', [`--nofile=${wanted}:${wanted}`, 'true'], { stdio: 'ignore' }).status === 0) return wanted;
  const hard = /Max open files\s+\d+\s+(\d+|unlimited)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === undefined || hard === 'unlimited' ? wanted : Number(hard);
})();

const canDieWithUs = spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true'], { stdio: 'ignore' }).status === 0;

/**
 * Wraps the command to run on these cores with the highest possible limit of open files. A `yielding` process runs at
 * idle priority: all others on its core preempt it at once. If the benchmark is killed, the kernel ends the process.
 */
export function pinned(cores: string, command: readonly string[], yielding = false): [string, string[]] {
  const wrapped = [
    ...(canDieWithUs ? ['setpriv', '--pdeathsig', 'TERM'] : []),
    ...(yielding ? ['chrt', '--idle', '0'] : []),
    'prlimit',
    `--nofile=${fileDescriptors}:${fileDescriptors}`,
    'taskset',
    '-c',
    cores,
    ...command,
  ];
  return [wrapped[0]!, wrapped.slice(1)];
}

/** Starts a server on these cores; calls `onSpawn` before it is ready. Resolves when `path` is answered with 200. */
export async function start(
  what: Startable,
  at: { readonly port: number; readonly path: string; readonly folder: string; readonly cores: string },
  onSpawn: (running: Running) => void,
): Promise<Running> {
  const logPath = join(at.folder, `${what.name.replace(/[^a-z0-9]+/gi, '-')}.log`);
  const log = openSync(logPath, 'a');
  const [command, args] = pinned(at.cores, what.command(at.port));
  const child = spawn(command, args, { stdio: ['ignore', log, log], env: { ...process.env, ...what.env } });
  closeSync(log);
  child.on('error', () => {});
  const running = new Running(child, at.port, logPath, isSecure(what) ? 'https' : 'http');
  onSpawn(running);
  await ready(running, what, at.path);
  return running;
}

const isSecure = ({ tls, speaks }: Pick<Startable, 'tls' | 'speaks'>): boolean =>
  tls !== undefined || speaks === 'https';

async function ready(running: Running, what: Startable, path: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN;
  let last = 'no answer';
  while (Date.now() < deadline && !running.ended) {
    last = await (what.speaks === 'h2c' ? statusOverHttp2 : statusOf)(running.url(path), what);
    if (last === '200') return;
    await delay(50);
  }
  throw new Error(`${what.name} is not ready (${last}):\n${running.log()}`);
}

/** The status of a reply, or why there is none. */
export function statusOf(
  url: string,
  { headers, method = 'GET', tls }: Pick<Startable, 'headers' | 'tls'> & { readonly method?: string },
): Promise<string> {
  return new Promise((resolve) => {
    const options = { method, headers, agent: false, timeout: 2000 };
    const sent = url.startsWith('https:')
      ? requestTls(url, { ...options, ...tls, rejectUnauthorized: false })
      : request(url, options);
    sent.on('response', (response) => {
      response.resume();
      response.on('close', () => resolve(String(response.statusCode)));
    });
    sent.on('timeout', () => sent.destroy(new Error('timeout')));
    sent.on('error', (error) => resolve(error.message));
    sent.end();
  });
}

/** The same over HTTP/2 without TLS. */
function statusOverHttp2(url: string, { headers }: Pick<Startable, 'headers'>): Promise<string> {
  return new Promise((resolve) => {
    const { origin, pathname } = new URL(url);
    const session = connectHttp2(origin);
    session.setTimeout(2000, () => session.destroy(new Error('timeout')));
    session.on('error', (error) => resolve(error.message));
    const sent = session.request({ ...headers, ':path': pathname });
    sent.on('error', (error) => resolve(error.message));
    sent.on('response', (fields) => resolve(String(fields[':status'])));
    sent.on('close', () => session.close());
    sent.resume();
  });
}

const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;

/** Fields of /proc/PID/stat from the third on: the second may contain spaces. Undefined if the process has ended. */
function statFields(pid: number): string[] | undefined {
  const text = procText(pid, 'stat');
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function procText(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** A process and all its running descendants. */
function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(statFields(Number(entry))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const found = [pid];
  for (const one of found) found.push(...(children.get(one) ?? []));
  return found;
}

/** User and system seconds of a process, its threads and its running descendants. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const one of family(pid)) {
    const fields = statFields(one);
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  }
  return ticks / ticksPerSecond;
}

/** Resident bytes of a process and its descendants: now, and the peak since `resetPeak`. */
export function memory(pid: number): { readonly now: number; readonly peak: number } {
  let now = 0;
  let peak = 0;
  for (const one of family(pid)) {
    const status = procText(one, 'status') ?? '';
    now += kibibytes(status, 'VmRSS');
    peak += kibibytes(status, 'VmHWM');
  }
  return { now, peak };
}

const kibibytes = (status: string, name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;

/** Resets the memory peak of a process and its descendants to the present value. */
export function resetPeak(pid: number): void {
  for (const one of family(pid)) writeFileSync(`/proc/${one}/clear_refs`, '5');
}

/** CPU time so far, in ticks. */
export interface TimeSpent {
  /** Of this process and of its descendants that have ended. */
  readonly ours: number;
  /** Of all programs, without the kernel's interrupts. */
  readonly all: number;
  /** CPU time that was available. */
  readonly total: number;
}

export function timeSpent(): TimeSpent {
  const own = statFields(process.pid)?.slice(11, 15).map(Number) ?? [];
  const all = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/).slice(1, 9).map(Number) ?? [];
  const [user = 0, nice = 0, system = 0] = all;
  return { ours: sum(own), all: user + nice + system, total: sum(all) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Share of CPU time that other programs used since then. All started processes must have ended. */
export function shareOfOthers(since: TimeSpent): number {
  const now = timeSpent();
  return Math.max(0, (now.all - since.all - (now.ours - since.ours)) / (now.total - since.total));
}

/** What a load generator prints. @throws if it fails. */
export async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${[command, ...args].join(' ')} failed:\n${text}`);
  return text;
}
