/** Keeps a gateway's event stream open across its restarts, and delivers its events in batches at a bounded rate. */

import { reasonOf } from '../reason.js';
import type { ReloadSnapshot, RequestRecord, Snapshot } from '../telemetry/snapshot.js';
import { type Address, showAddress } from './address.js';
import { AdminClient, AdminError, type EventStream, type ShownEvent, type WatchRequests } from './client.js';

export type Connection =
  | { readonly status: 'connecting' }
  | { readonly status: 'live'; readonly where: string }
  /** The stream is open, and no event comes. */
  | { readonly status: 'silent'; readonly where: string; readonly since: number }
  | { readonly status: 'lost'; readonly reason: string; readonly attempt: number; readonly retryAt: number };

/** Everything that arrived since the last batch. */
export interface Batch {
  readonly snapshot: Snapshot | undefined;
  /** When the snapshot arrived, by the clock of this machine. */
  readonly receivedAt: number;
  /** Requests that ended before the stream began. */
  readonly recent: readonly RequestRecord[];
  /** Oldest first. */
  readonly requests: readonly RequestRecord[];
  /** Number of requests without a record. */
  readonly dropped: number;
  readonly reloads: readonly ReloadSnapshot[];
}

export interface FeedOptions {
  /** The gateway's current address, called before each attempt. Undefined: not found. */
  readonly locate: () => Promise<Address | undefined>;
  readonly connection: (connection: Connection) => void;
  readonly batch: (batch: Batch) => void;
  /** Milliseconds between batches. Default 250. */
  readonly batchMs?: number;
  /** Milliseconds before the first and, doubling, the last kind of retry. Default 250 and 5,000. */
  readonly backoffMs?: readonly [first: number, most: number];
  /** Milliseconds without an event until that is reported, and until the connection is closed. Default 3,000 and 15,000. */
  readonly silenceMs?: readonly [shown: number, ended: number];
}

/** Newest requests kept between two batches; and of those from before the stream began, over all workers. */
const MOST_WAITING = 1_000;
const MOST_RECENT = 2_000;

export class EventFeed {
  readonly #options: FeedOptions;
  readonly #backoff: readonly [number, number];
  readonly #silence: readonly [number, number];
  #watch: WatchRequests = 'off';
  #client: AdminClient | undefined;
  #stream: EventStream | undefined;
  /** The stream of another watch level that is about to take over. */
  #next: EventStream | undefined;
  #attempt = 0;
  #lastEvent = 0;
  #silent = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;
  #flush: NodeJS.Timeout | undefined;
  #delivered = 0;
  #guard: NodeJS.Timeout | undefined;
  #snapshot: Snapshot | undefined;
  #receivedAt = 0;
  #recent: RequestRecord[] = [];
  #requests: RequestRecord[] = [];
  #dropped = 0;
  #reloads: ReloadSnapshot[] = [];

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#backoff = options.backoffMs ?? [250, 5_000];
    this.#silence = options.silenceMs ?? [3_000, 15_000];
  }

  /** Starts connecting; goes on until close(). */
  start(): void {
    this.#options.connection({ status: 'connecting' });
    void this.#connect();
  }

  /** How much to receive of requests. The running stream goes on until the new one is open. */
  watch(level: WatchRequests): void {
    if (level === this.#watch) return;
    this.#watch = level;
    if (!this.#stream || !this.#client) return;
    this.#next?.close();
    this.#next = this.#open(this.#client);
  }

  /** Asks the gateway to reload its spec. Throws AdminError. */
  async reload(): Promise<ReloadSnapshot> {
    if (!this.#client || !this.#stream) throw new AdminError('unreachable', 'there is no connection to the gateway');
    return this.#client.reload();
  }

  /** Closes everything; no callback follows. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#flush);
    clearInterval(this.#guard);
    this.#stream?.close();
    this.#next?.close();
  }

  async #connect(): Promise<void> {
    let address: Address | undefined;
    try {
      address = await this.#options.locate();
    } catch (error) {
      this.#lost(reasonOf(error));
      return;
    }
    if (this.#closed) return;
    if (!address) return this.#lost('the gateway is not running');
    this.#client = new AdminClient(address);
    this.#next = this.#open(this.#client);
  }

  #open(client: AdminClient): EventStream {
    const level = this.#watch;
    const stream = client.events(level, {
      open: () => {
        if (this.#closed) return;
        const first = this.#stream === undefined;
        this.#stream?.close();
        this.#stream = stream;
        this.#next = undefined;
        this.#lastEvent = Date.now();
        // Another level was asked for while this one was on its way.
        if (level !== this.#watch) this.#next = this.#open(client);
        if (!first) return;
        this.#attempt = 0;
        this.#silent = false;
        this.#options.connection({ status: 'live', where: showAddress(client.address) });
        this.#watchSilence(client);
      },
      event: (event) => {
        if (stream === this.#stream) this.#take(event, client);
      },
      end: (error) => this.#ended(stream, error),
    });
    return stream;
  }

  /** When a stream that was to take over fails, the running one stays; the end of that one brings the retry. */
  #ended(stream: EventStream, error: AdminError): void {
    if (this.#next === stream) this.#next = undefined;
    if (this.#closed || (this.#stream !== undefined && this.#stream !== stream)) return;
    this.#lost(error.message);
  }

  #lost(reason: string): void {
    if (this.#closed) return;
    this.#stream?.close();
    this.#next?.close();
    this.#stream = undefined;
    this.#next = undefined;
    clearInterval(this.#guard);
    clearTimeout(this.#retry);
    const [first, most] = this.#backoff;
    const wait = Math.min(most, first * 2 ** Math.min(this.#attempt, 16));
    this.#attempt++;
    this.#options.connection({ status: 'lost', reason, attempt: this.#attempt, retryAt: Date.now() + wait });
    this.#retry = setTimeout(() => void this.#connect(), wait);
  }

  /** A gateway that is stopped or cut off closes no connection: all that shows is that no event comes. */
  #watchSilence(client: AdminClient): void {
    const [shown, ended] = this.#silence;
    clearInterval(this.#guard);
    this.#guard = setInterval(
      () => {
        const silentFor = Date.now() - this.#lastEvent;
        if (silentFor >= ended) return this.#lost(`the gateway has sent nothing for ${Math.round(silentFor / 1000)} s`);
        if (silentFor < shown || this.#silent) return;
        this.#silent = true;
        this.#options.connection({ status: 'silent', where: showAddress(client.address), since: this.#lastEvent });
      },
      Math.max(10, Math.min(1_000, shown / 2)),
    );
  }

  #take(event: ShownEvent, client: AdminClient): void {
    this.#lastEvent = Date.now();
    if (this.#silent) {
      this.#silent = false;
      this.#options.connection({ status: 'live', where: showAddress(client.address) });
    }
    if (event.type === 'snapshot') {
      this.#snapshot = event.snapshot;
      this.#receivedAt = this.#lastEvent;
    } else if (event.type === 'reload') this.#reloads.push(event.reload);
    else if (event.recent === true) this.#recent = [...this.#recent, ...event.requests].slice(-MOST_RECENT);
    else this.#takeRequests(event.requests, event.dropped);
    // The first after a while goes out at once.
    const wait = this.#delivered + (this.#options.batchMs ?? 250) - Date.now();
    this.#flush ??= setTimeout(() => this.#deliver(), Math.max(0, wait));
  }

  #takeRequests(requests: readonly RequestRecord[], dropped: number): void {
    this.#dropped += dropped;
    for (const record of requests) this.#requests.push(record);
    const over = this.#requests.length - MOST_WAITING;
    if (over <= 0) return;
    this.#requests = this.#requests.slice(over);
    this.#dropped += over;
  }

  #deliver(): void {
    this.#flush = undefined;
    this.#delivered = Date.now();
    const batch: Batch = {
      snapshot: this.#snapshot,
      receivedAt: this.#receivedAt,
      recent: this.#recent,
      requests: this.#requests,
      dropped: this.#dropped,
      reloads: this.#reloads,
    };
    this.#snapshot = undefined;
    this.#recent = [];
    this.#requests = [];
    this.#dropped = 0;
    this.#reloads = [];
    this.#options.batch(batch);
  }
}
