/** The environment of a run: folder, cores, origins, started processes, and their cleanup. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/ports.js';
import type { Contestant } from './contestants.js';
import { fileDescriptors, type Running, type Startable, start } from './processes.js';

export interface Pace {
  /** A smoke test: fewer rounds, peers and sizes. */
  readonly quick: boolean;
  /** Interleaved rounds that count; one more is a warm-up. */
  readonly rounds: number;
  /** The same for scenarios with many tables or lines. */
  readonly fewerRounds: number;
  /** Seconds of load per contestant and round. */
  readonly seconds: number;
}

/** Ports of the origins, which must run before a contestant is started. */
export interface Origins {
  /** nginx: replies with small and large bodies. */
  readonly files: number;
  /** The built-in origin: reads request bodies, sends long streams. */
  readonly streams: number;
}

export class Setting {
  readonly folder = mkdtempSync(join(tmpdir(), 'gw-bench-'));
  /** The API key that clients send to a contestant with all policies. */
  readonly key = randomBytes(16).toString('hex');
  /** The core of the gateway, and the core of load generator and origins; the same on a machine with one core. */
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

  /** Starts a server and waits until it answers. It is registered for cleanup as soon as its process exists. */
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
   * Starts these servers, each on its own port, runs `work`, and always stops the servers. A server that does not start
   * appears as an entrant with the reason.
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

  async #stop(servers: readonly Running[]): Promise<void> {
    await Promise.all(servers.map((running) => running.stop()));
    for (const running of servers) this.#started.delete(running);
  }

  /** Stops everything and removes the folder. */
  async close(): Promise<void> {
    await this.#stop([...this.#started]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The same, synchronously, for a process that is about to exit. */
  abandon(): void {
    for (const running of this.#started) running.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A contestant with its running server, or the reason why it did not start. */
export interface Entrant {
  readonly contestant: Contestant;
  readonly running: Running | undefined;
  readonly failed: string;
}
