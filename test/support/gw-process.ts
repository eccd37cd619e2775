/** `gw` as a separate process, started from bin/gw.js. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const GW = join(process.cwd(), 'bin', 'gw.js');

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds. */
  readonly timeout?: number;
  /** Limit of file descriptors (`ulimit -n`). */
  readonly descriptors?: number;
}

/** Runs a program to its end. */
export function runProgram(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? process.cwd(),
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeout ?? 60_000,
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

export const runGw = (args: readonly string[], options: RunOptions = {}): Promise<Finished> =>
  runProgram(process.execPath, [GW, ...args], options);

/** A ready `gw serve` with its own runtime folder. */
export class ServedGateway {
  private constructor(
    private readonly child: ChildProcess,
    /** `http://127.0.0.1:PORT` of the first listener. */
    readonly url: string,
    readonly runtimeDir: string,
    private readonly output: { text: string },
  ) {}

  /** Its output. */
  get log(): string {
    return this.output.text;
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  static async start(args: readonly string[], options: RunOptions = {}): Promise<ServedGateway> {
    const runtimeDir = mkdtempSync(join(tmpdir(), 'gw-run-'));
    const command = [process.execPath, GW, 'serve', '--log', 'json', ...args];
    if (options.descriptors !== undefined)
      command.unshift('sh', '-c', `ulimit -n ${options.descriptors}; exec "$0" "$@"`);
    const [program = '', ...words] = command;
    const child = spawn(program, words, {
      cwd: options.cwd ?? process.cwd(),
      env: { ...process.env, ...options.env, GW_RUNTIME_DIR: runtimeDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { text: '' };
    const url = await new Promise<string>((resolve, reject) => {
      const fail = (why: string): void => reject(new Error(`gw serve ${why}:\n${output.text}`));
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        fail('is not ready');
      }, options.timeout ?? 60_000);
      const read = (text: string): void => {
        output.text += text;
        const address = /serving [^"]*?: (https?:\/\/[^ "]+) \(/.exec(output.text)?.[1];
        if (address === undefined) return;
        clearTimeout(timer);
        resolve(address);
      };
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      child.on('error', reject);
      child.on('exit', () => {
        clearTimeout(timer);
        fail('ended');
      });
    });
    return new ServedGateway(child, url, runtimeDir, output);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Stops it with SIGTERM, like a supervisor; returns its exit code. */
  stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return this.ended();
  }

  /** Waits until it has ended, without a further signal: one would kill a process that is about to exit. */
  async ended(): Promise<number | null> {
    const code = await new Promise<number | null>((resolve) => {
      if (this.child.exitCode !== null) resolve(this.child.exitCode);
      this.child.on('exit', resolve);
    });
    rmSync(this.runtimeDir, { recursive: true, force: true });
    return code;
  }
}
