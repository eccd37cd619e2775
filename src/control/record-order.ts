/** Finished requests of several workers in one order: each hands over its own in batches, a moment late. */
import type { RequestRecord } from '../telemetry/snapshot.js';

/** Milliseconds that a batch waits for those of other workers: as often as workers hand over. */
const GATHER_MS = 100;

export class RecordOrder {
  readonly #out: (records: readonly RequestRecord[], dropped: number) => void;
  #records: RequestRecord[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(out: (records: readonly RequestRecord[], dropped: number) => void) {
    this.#out = out;
  }

  add(records: readonly RequestRecord[], dropped: number): void {
    this.#records.push(...records);
    this.#dropped += dropped;
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS).unref();
  }

  /** What has come goes out, by the time at which each request was over. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#records.sort((a, b) => a.at + a.durationMs - (b.at + b.durationMs));
    const dropped = this.#dropped;
    this.#records = [];
    this.#dropped = 0;
    if (records.length > 0) this.#out(records, dropped);
  }
}
