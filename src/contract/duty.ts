/** The part of a policy that the control thread runs once for all workers: key sets, lists, health. */
import type { Json } from '../bundle/types.js';
import type { Clock } from '../state/clock.js';
import type { Logger } from './host.js';

export interface DutyInstance {
  /**
   * Does the work once: fetches, and publishes what the workers need. Returns the milliseconds until the next run; undefined:
   * only when a question or a reload causes one. A rejection is retried with backoff; the last published value stays.
   */
  run(): Promise<number | undefined>;
  /** Answers a question of a worker's host.ask(). */
  ask?(question: Json): Promise<Json>;
  /** No generation uses it any more. */
  close?(): void;
}

export interface DutyHost {
  readonly name: string;
  readonly clock: Clock;
  random(): number;
  readonly logger: Logger;
  /** Bounded fetch over http or https. Rejects beyond `timeout` (ms) or `maxReply` (bytes); follows no redirects. */
  fetch(url: string, options?: DutyFetchOptions): Promise<DutyReply>;
  /**
   * Sends a value to every worker, and to each replacement of one before it serves. Of several in quick succession, the last one
   * counts. Throws beyond 4 MiB of JSON.
   */
  publish(value: Json): void;
  /** What was published last, also by the duty of an earlier generation with the same state identity. */
  readonly last: Json | undefined;
}

export interface DutyFetchOptions {
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
  /** Default: 10 seconds. */
  readonly timeout?: number;
  /** Default: 1 MiB. */
  readonly maxReply?: number;
}

export interface DutyReply {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Uint8Array;
}

export type CreateDuty<Settings extends Json = Json> = (settings: Settings, host: DutyHost) => DutyInstance;
