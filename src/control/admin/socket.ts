/** The admin API's unix socket in the runtime folder, where `gw dash` finds this gateway. */
import { reasonOf } from '../../reason.js';
import type { GatewayEntry } from '../../telemetry/admin-protocol.js';
import type { Log } from '../log.js';
import { openRuntimeDirectory, RuntimeEntry, sweep } from '../runtime-dir.js';
import type { AdminServer } from './server.js';

export interface AdminSocketOptions {
  readonly admin: AdminServer;
  readonly log: Log;
  /** Left out: as the environment says. */
  readonly directory: string | undefined;
  /** What the gateway's entry says, its socket apart. */
  readonly entry: () => Omit<GatewayEntry, 'socket'>;
}

export class AdminSocket {
  readonly #options: AdminSocketOptions;
  #entry: RuntimeEntry | undefined;
  #opening: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: AdminSocketOptions) {
    this.#options = options;
  }

  /** Undefined when there is none. */
  get path(): string | undefined {
    return this.#entry?.socket;
  }

  /** Never rejects: without its socket a gateway serves on, but cannot be watched, which is worth a warning. */
  open(): Promise<void> {
    this.#opening = this.#open().catch((error: unknown) => {
      this.#remove();
      this.#options.log.warn('no admin socket', { cause: reasonOf(error, 'write') });
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    if (this.#closed) return;
    const directory = openRuntimeDirectory(this.#options.directory);
    await sweep(directory);
    if (this.#closed) return;
    this.#entry = new RuntimeEntry(directory);
    await this.#options.admin.listenSocket(this.#entry.socket);
    this.#write();
  }

  /** Writes what the entry says now. Never throws: a gateway serves on without it, which is worth a warning. */
  refresh(): void {
    try {
      this.#write();
    } catch (error) {
      this.#options.log.warn('cannot write the entry in the runtime folder', { cause: reasonOf(error, 'write') });
    }
  }

  #write(): void {
    const entry = this.#entry;
    if (entry !== undefined && !this.#closed) entry.write({ ...this.#options.entry(), socket: entry.socket });
  }

  /** Resolves when nothing of it is left in the folder, also what was being opened. The server is not closed. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#remove();
    await this.#opening;
    this.#remove();
  }

  #remove(): void {
    this.#entry?.remove();
    this.#entry = undefined;
  }
}
