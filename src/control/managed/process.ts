/** One managed target: a child in a process group of its own, started, watched, restarted and stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { InstancesEntry } from '../../bundle/types.js';
import { Backoff, RESTART_BACKOFF } from '../../delay.js';
import { messageOf, reasonOf } from '../../reason.js';
import { splitWords } from '../../schema/words.js';
import type { Log } from '../log.js';
import { LineSplitter } from './lines.js';
import { type OrphanGuard, signalGroup } from './orphan-guard.js';
import { answeringHost, freePort } from './ports.js';

/** A RunEntry with its references resolved and its folder made absolute. */
export interface RunSettings {
  readonly command: string;
  readonly portEnv: string;
  readonly cwd: string;
  readonly env: { readonly [name: string]: string };
  /** Milliseconds. */
  readonly readyTimeout: number;
  /** How many processes run. */
  readonly instances: InstancesEntry;
  /** Milliseconds that requests to a process have to end before it is stopped. */
  readonly drainTimeout: number;
}

export type ManagedState = 'starting' | 'ready' | 'backoff' | 'stopped';

export interface ManagedHost {
  readonly log: Log;
  readonly orphanGuard: OrphanGuard;
  /** Ports given out by this gateway. */
  readonly ports: Set<number>;
  /** Its state has changed. */
  changed(): void;
}

/** A managed target that could not be started; `output` holds its last lines. */
export class ManagedError extends Error {
  override readonly name = 'ManagedError';
  constructor(
    readonly service: string,
    message: string,
    readonly output: readonly string[],
  ) {
    super(message);
  }
}

/** Why a process does not run. */
export interface StartFailure {
  readonly cause: string;
  /** Milliseconds since 1970 of its next start. */
  readonly retryAt: number;
}

const POLL_MS = 25;
/** Milliseconds before a restart for which no request waits. */
const LONG_WAIT = 1000;
const STOP_GRACE_MS = 5000;
/** Milliseconds that the rest of a group has to exit after its leader. */
const STRAGGLER_MS = 500;
/** Milliseconds for which gw reads the last output of a process that has exited. */
const LAST_OUTPUT_MS = 250;
const KEPT_LINES = 20;

interface Running {
  readonly child: ChildProcess;
  readonly group: number;
  readonly startedAt: number;
  /** Resolves with how it exited. */
  readonly exited: Promise<string>;
  /** Resolves when it has exited and its output is closed. */
  readonly closed: Promise<void>;
  over: boolean;
}

export class ManagedProcess {
  readonly #host: ManagedHost;
  readonly #argv: readonly string[];
  readonly #stopping = new AbortController();
  readonly #output: string[] = [];
  #running: Running | undefined;
  #port = 0;
  #hostname = '127.0.0.1';
  #state: ManagedState = 'stopped';
  #restarts = 0;
  #failure: StartFailure | undefined;
  #failures = 0;
  readonly #backoff = new Backoff(RESTART_BACKOFF);
  #supervision: Promise<void> = Promise.resolve();

  /** @throws ManagedError when the command cannot be split into words. */
  constructor(
    readonly service: string,
    readonly settings: RunSettings,
    host: ManagedHost,
  ) {
    this.#host = host;
    try {
      this.#argv = splitWords(settings.command);
    } catch (error) {
      throw new ManagedError(service, messageOf(error), []);
    }
  }

  get state(): ManagedState {
    return this.#state;
  }
  get pid(): number | null {
    return this.#running && !this.#running.over ? this.#running.group : null;
  }
  get restarts(): number {
    return this.#restarts;
  }
  /** Why it does not run, if that will not change soon. */
  get failure(): StartFailure | undefined {
    return this.#failure;
  }
  /** Starts of it in a row that were of no use. */
  get failures(): number {
    return this.#failures;
  }
  /** The URL for the data plane; valid while it is ready. */
  get url(): string {
    return `http://${this.#hostname}:${this.#port}`;
  }

  /**
   * Starts the process and waits until its port answers; from then on it is restarted until stop().
   * @throws ManagedError if it exits before, or does not answer within `readyTimeout`.
   */
  async start(): Promise<void> {
    const problem = await this.#launch();
    if (problem !== undefined) {
      await this.stop();
      throw new ManagedError(this.service, problem, this.#output);
    }
    this.#supervision = this.#supervise(undefined);
  }

  /** Starts the process without waiting for it. A failed start is logged, and repeated less and less often until stop(). */
  keep(): void {
    this.#supervision = this.#attempt().then((problem) => this.#supervise(problem));
  }

  /** As launch(), with what the system refuses as a problem. */
  #attempt(): Promise<string | undefined> {
    return this.#launch().catch((error: unknown) => reasonOf(error));
  }

  /** SIGTERM to the whole group, SIGKILL after `graceMs`; resolves when it has exited. Idempotent. */
  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    this.#stopping.abort();
    const running = this.#running;
    if (running) await this.#end(running, graceMs);
    await this.#supervision;
    this.#become('stopped');
    this.#host.ports.delete(this.#port);
  }

  /** Undefined when it is ready, otherwise why it is not. */
  async #launch(): Promise<string | undefined> {
    this.#failure = undefined;
    this.#become('starting');
    await this.#takePort();
    if (this.#stopping.signal.aborted) return 'It was stopped before it started.';
    const spawned = this.#spawn();
    if (typeof spawned === 'string') return spawned;
    this.#running = spawned;
    const hostname = await this.#answering(spawned);
    if (hostname === undefined) {
      if (this.#stopping.signal.aborted) return 'It was stopped before it was ready.';
      if (spawned.over)
        return `\`${this.settings.command}\` exited (${await spawned.exited}) before its port answered.`;
      await this.#end(spawned, STRAGGLER_MS);
      return `\`${this.settings.command}\` did not answer on port ${this.#port} (given as ${this.settings.portEnv}) within ${this.settings.readyTimeout} ms.`;
    }
    this.#hostname = hostname;
    this.#host.log.info(`[${this.service}] ready on ${this.url}`, { pid: spawned.group });
    this.#failures = 0;
    this.#become('ready');
    return undefined;
  }

  #become(state: ManagedState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#host.changed();
  }

  /** Keeps the port over restarts, so that its counters go on, unless another program uses it now. */
  async #takePort(): Promise<void> {
    const kept = this.#port === 0 ? undefined : await freePort(this.#host.ports, this.#port);
    if (kept !== undefined) return;
    this.#host.ports.delete(this.#port);
    const port = await freePort(this.#host.ports);
    this.#port = port ?? 0;
    this.#host.ports.add(this.#port);
  }

  #spawn(): Running | string {
    const [file = '', ...args] = this.#argv;
    const { cwd, env, portEnv } = this.settings;
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env, [portEnv]: String(this.#port) },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#relay(child);
    const group = child.pid;
    if (group === undefined) {
      // The error event follows; without a listener it would end gw.
      child.once('error', () => {});
      return `\`${file}\` cannot be started in ${cwd}: no such program or folder, or no permission.`;
    }
    this.#host.orphanGuard.add(group);
    const exited = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
    });
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const running: Running = { child, group, startedAt: performance.now(), exited, closed, over: false };
    exited.then(() => {
      running.over = true;
    });
    return running;
  }

  #relay(child: ChildProcess): void {
    for (const stream of [child.stdout, child.stderr]) {
      const lines = new LineSplitter((line) => {
        this.#output.push(line);
        if (this.#output.length > KEPT_LINES) this.#output.shift();
        this.#host.log.info(`[${this.service}] ${line}`);
      });
      stream?.on('data', (chunk: Buffer) => lines.push(chunk));
      stream?.on('end', () => lines.end());
      stream?.on('error', (error) =>
        this.#host.log.warn(`[${this.service}] cannot read the output`, { cause: reasonOf(error) }),
      );
    }
  }

  /** The host on which it answers; undefined if it exited, was stopped, or took too long. */
  async #answering(running: Running): Promise<string | undefined> {
    const deadline = performance.now() + this.settings.readyTimeout;
    while (!running.over && !this.#stopping.signal.aborted && performance.now() < deadline) {
      const hostname = await answeringHost(this.#port);
      if (hostname !== undefined && !running.over) return hostname;
      await this.#pause(POLL_MS);
    }
    return undefined;
  }

  /** `problem`: why the first launch has failed. */
  async #supervise(problem: string | undefined): Promise<void> {
    let failed = problem;
    while (!this.#stopping.signal.aborted) {
      const running = this.#running;
      let ranMs = 0;
      let how = failed ?? '';
      if (failed === undefined && running) {
        how = await running.exited;
        ranMs = performance.now() - running.startedAt;
        // Requests go elsewhere at once.
        if (!this.#stopping.signal.aborted) this.#become('backoff');
        await this.#end(running, STRAGGLER_MS);
      }
      if (this.#stopping.signal.aborted) return;
      const wait = this.#backoff.next(ranMs);
      this.#tellFailure(how, wait, failed !== undefined);
      if (failed !== undefined || wait >= LONG_WAIT) {
        this.#failure = { cause: how, retryAt: Date.now() + wait };
        this.#failures++;
      }
      failed = await this.#restart(wait);
    }
  }

  #tellFailure(cause: string, wait: number, isStart: boolean): void {
    const fields = { cause, restarts: this.#restarts };
    if (isStart) this.#host.log.error(`[${this.service}] start failed; next attempt in ${wait} ms`, fields);
    else this.#host.log.warn(`[${this.service}] process ended; restart in ${wait} ms`, fields);
  }

  /** Why the restart has failed. */
  async #restart(wait: number): Promise<string | undefined> {
    if (this.#state === 'backoff') this.#host.changed();
    else this.#become('backoff');
    await this.#pause(wait);
    if (this.#stopping.signal.aborted) return undefined;
    this.#restarts++;
    return this.#attempt();
  }

  /** Stops a group whose leader runs or has just exited. */
  async #end(running: Running, graceMs: number): Promise<void> {
    if (!running.over && signalGroup(running.group, 'SIGTERM')) {
      await Promise.race([running.exited, delay(graceMs, undefined, { ref: false })]);
    }
    if (!running.over) {
      signalGroup(running.group, 'SIGKILL');
      await running.exited;
    }
    if (signalGroup(running.group, 'SIGTERM')) {
      const deadline = performance.now() + STRAGGLER_MS;
      while (signalGroup(running.group, 0) && performance.now() < deadline) await delay(POLL_MS);
      signalGroup(running.group, 'SIGKILL');
    }
    this.#host.orphanGuard.remove(running.group);
    await this.#letGo(running);
  }

  /** A process that left the group keeps the pipes open, and they would keep gw alive: its output is not read any more. */
  async #letGo({ child, closed }: Running): Promise<void> {
    await Promise.race([closed, delay(LAST_OUTPUT_MS, undefined, { ref: false })]);
    child.stdout?.destroy();
    child.stderr?.destroy();
  }

  async #pause(ms: number): Promise<void> {
    try {
      await delay(ms, undefined, { signal: this.#stopping.signal });
    } catch {
      // Stopped meanwhile: every caller checks the signal next.
    }
  }
}
