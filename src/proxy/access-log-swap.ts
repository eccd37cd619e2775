/** The access log of a data plane: opened with a load, replaced by its commit. */
import type { Program } from '../bundle/types.js';
import type { Logger } from '../policies/contract.js';
import { reasonOf } from '../reason.js';
import { type AccessLog, openAccessLog } from '../telemetry/log/access-log.js';
import { logLosses } from '../telemetry/log/losses.js';
import type { RecordSink } from './exchange/access-record.js';
import type { DataPlaneEvents, DataPlaneOptions } from './types.js';

/** A change of the access log; the key identifies the settings that `opened` was created from. */
export interface LogChange {
  readonly key: string;
  readonly opened: AccessLog | undefined;
}

export class AccessLogSwap {
  readonly #sink: RecordSink;
  readonly #logger: Logger;
  /** Instead of that of the program. */
  readonly #fixed: DataPlaneOptions['accessLog'];
  readonly #take: DataPlaneEvents['lines'];
  #key = '';

  constructor(sink: RecordSink, logger: Logger, fixed: DataPlaneOptions['accessLog'], take: DataPlaneEvents['lines']) {
    this.#sink = sink;
    this.#logger = logger;
    this.#fixed = fixed;
    this.#take = take;
  }

  /** Opens the log of a program. Undefined if it does not change. Throws if it cannot be opened. */
  open({ accessLog }: Program): LogChange | undefined {
    const wanted = this.#fixed === undefined ? accessLog : this.#fixed;
    const path = wanted?.path;
    const key = wanted && path !== undefined ? `${wanted.format}:${path}` : '';
    if (key === this.#key) return undefined;
    if (!wanted || path === undefined) return { key, opened: undefined };
    const opened = openAccessLog({ path, format: wanted.format, take: this.#take, ...logLosses(this.#logger, path) });
    return { key, opened };
  }

  swap(change: LogChange | undefined): void {
    if (change === undefined) return;
    const old = this.#sink.accessLog;
    this.#sink.accessLog = change.opened;
    this.#key = change.key;
    old
      ?.close()
      .catch((error: unknown) => this.#logger.warn('cannot close the previous access log', { cause: reasonOf(error) }));
  }

  async close(): Promise<void> {
    const log = this.#sink.accessLog;
    this.#sink.accessLog = undefined;
    await log?.close();
  }
}
