/** Where a run happens: its folder, its cores, its origins, what it started, and how all of that goes away. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import type { Contestant } from './contestants.js';
import { fileDescriptors, type Running, type Startable, start } from './processes.js';

export interface Pace {
  /** A smoke run: fewer rounds, peers and sizes. */
  readonly quick: boolean;
  /** Interleaved rounds that count; one more warms up. */
  readonly rounds: number;
  /** The same for scenarios of many tables or lines. */
  readonly fewerRounds: number;
  /** Seconds that each one is loaded a round. */
  readonly seconds: number;
}

/** What must be there before a contestant is started. */
export interface Origins {
  /** Answers small and large bodies: nginx. */
  readonly files: number;
  /** Takes request bodies, streams without end: ours. */
  readonly streams: number;
}

export class Setting {
  readonly folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  /** The API key that the clients of a full gateway send. */
  readonly key = randomBytes(16).toString('hex');
  /** The gateway's core, and that of load and origins: the same on a machine that has one. */
  readonly gatewayCore = '0';
  readonly loadCore = availableParallelism() > 1 ? '1' : '0';
  readonly allCores = `0-${availableParallelism() - 1}`;
  readonly descriptors = fileDescriptors;
  readonly pace: Pace;
  readonly progress: (text: string) => void;
  origins: Origins = { files: 0, streams: 0 };
  readonly #started = new Set<Running>();

  constructor(pace: Pace, progress: (text: string) => void) {
    this.pace = pace;
    this.progress = progress;
  }

  /** Writes a file into the folder; returns its path. */
  write(name: string, text: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** Starts a server and waits until it answers; it counts as started from its first moment. */
  async start(what: Startable, port: number, options: { path?: string; cores?: string } = {}): Promise<Running> {
    const at = {
      port,
      path: options.path ?? '/items/1',
      folder: this.folder,
      cores: options.cores ?? this.gatewayCore,
    };
    return start(what, at, (running) => this.#started.add(running));
  }

  /**
   * Runs `work` with these servers up, each on a port of its own, and stops them whatever happens. One that does not
   * start takes part with the reason.
   */
  async with<T>(
    contestants: readonly Contestant[],
    work: (entrants: readonly Entrant[]) => Promise<T>,
    options: { path?: string; cores?: string } = {},
  ): Promise<T> {
    const entrants: Entrant[] = [];
    try {
      for (const contestant of contestants) {
        entrants.push(await this.#enter(contestant, options));
      }
      return await work(entrants);
    } finally {
      await this.stop();
    }
  }

  async #enter(contestant: Contestant, options: { path?: string; cores?: string }): Promise<Entrant> {
    try {
      return { contestant, running: await this.start(contestant, await freePort(), options), failed: '' };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.progress(`  ${contestant.name}: ${reason}`);
      return { contestant, running: undefined, failed: reason.split('\n')[0] ?? '' };
    }
  }

  /** Stops all but the origins. */
  async stop(): Promise<void> {
    const origins = new Set([this.origins.files, this.origins.streams]);
    await this.#stop([...this.#started].filter(({ port }) => !origins.has(port)));
  }

  async #stop(those: readonly Running[]): Promise<void> {
    await Promise.all(those.map((running) => running.stop()));
    for (const running of those) this.#started.delete(running);
  }

  /** Stops everything and removes the folder. */
  async close(): Promise<void> {
    await this.#stop([...this.#started]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same at once, for a process that is about to exit. */
  abandon(): void {
    for (const running of this.#started) running.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A contestant that runs, or why it does not. */
export interface Entrant {
  readonly contestant: Contestant;
  readonly running: Running | undefined;
  readonly failed: string;
}
