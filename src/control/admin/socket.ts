/** The admin API's unix socket in the runtime folder, where `gw dash` finds this gateway. */
import { reasonOf } from '../../reason.js';
import type { GatewayEntry } from '../../telemetry/admin-protocol.js';
import type { Log } from '../log.js';
import { openRuntimeDirectory, RuntimeEntry, sweep } from '../runtime-dir.js';
import type { AdminServer } from './server.js';

export interface AdminSocketOptions {
  readonly admin: AdminServer;
  readonly log: Log;
  /** Undefined: from the environment. */
  readonly directory: string | undefined;
  /** The gateway's entry without its socket. */
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

  /** Undefined if it is not open. */
  get path(): string | undefined {
    return this.#entry?.socket;
  }

  /** Never rejects: without its socket a gateway serves, but `gw dash` cannot find it, so a warning is logged. */
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

  /** Writes the current entry. Never throws: a failure is logged as a warning. */
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

  /** Removes entry and socket from the folder, also while they are being opened. Does not close the server. */
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
