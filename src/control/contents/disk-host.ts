/**
 * The store of contents on disk, in a thread of its own: started when a worker needs it, and again when it dies. A thread that does not
 * answer is ended; until it has, contents are in memory only.
 */
import { randomUUID } from 'node:crypto';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { Backoff, RESTART_BACKOFF, within } from '../../delay.js';
import { DiskMemory } from '../../state/content/disk/memory.js';
import type { StoreOrder, StoreReport, StoreSetup } from '../../state/content/disk/protocol.js';
import type { Log } from '../log.js';
import { BLOCKED_THREAD } from '../process-end.js';
import { Orphans } from './orphans.js';

/** Where the contents are, and how much room they have. */
export interface DiskPlace {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** State identities of the policies of the live program. */
  readonly owners: readonly string[];
}

export interface DiskHostOptions {
  /** DiskMemory. */
  readonly memory: SharedArrayBuffer;
  readonly log: Log;
  /** Entry point of the thread; tests use others. */
  readonly entry?: URL;
  /** Milliseconds between two attempts while another gateway has the folder. */
  readonly retryMs?: number;
  /** Milliseconds between two pings. */
  readonly pingMs?: number;
  /** Milliseconds for the end of a thread, twice. */
  readonly endMs?: number;
}

/** Contents whose number is not bounded otherwise: a record takes some hundred bytes. */
const MAX_ENTRIES = 4_000_000;
const RETRY_MS = 10_000;
/** Pings, not time, tell that a thread is stuck: a process that was suspended has no stuck threads. */
const PING_MS = 3000;
const MOST_PINGS = 10;
const END_WITHIN_MS = 3000;
const START_WITHIN_MS = 5000;
/** Errors of single writes are logged this often. */
const TROUBLE_EVERY_MS = 60_000;

export class DiskHost {
  readonly #options: DiskHostOptions;
  readonly #memory: DiskMemory;
  /** The same for all threads of this gateway: one takes over what another one left. */
  readonly #token = randomUUID();
  /** Hands a port to the store to each worker that needs one. */
  readonly #links = new Map<number, (port: MessagePort) => void>();
  readonly #orphans = new Orphans();
  readonly #backoff = new Backoff({ ...RESTART_BACKOFF, immediate: true });
  #place: DiskPlace | undefined;
  /** Folder of the thread that runs. */
  #path = '';
  #worker: Worker | undefined;
  /** Threads that a system call blocks, by the folder that they may still use. */
  readonly #blocked = new Map<Worker, string>();
  /** The thread has opened the store, and it answers. */
  #open = false;
  #opened = false;
  #silent = false;
  #timer: NodeJS.Timeout | undefined;
  /** Who has the folder, if that was logged. */
  #takenBy: string | undefined;
  #troubleAt = Number.NEGATIVE_INFINITY;
  #ending: Promise<void> | undefined;
  #closed = false;
  /** Wait for the thread that starts. */
  #waiting: (() => void)[] = [];

  constructor(options: DiskHostOptions) {
    this.#options = options;
    this.#memory = new DiskMemory(options.memory);
  }

  /** The live program has this place. The store moves there if it runs; contents at the old place stay. */
  use(place: DiskPlace): void {
    const before = this.#place;
    this.#place = place;
    if (before?.path === place.path && before.size === place.size) {
      this.#worker?.postMessage({ order: 'owners', owners: place.owners } satisfies StoreOrder);
      return;
    }
    this.#takenBy = undefined;
    if (this.#worker !== undefined) this.#restart();
    else if (this.#links.size > 0) this.#start();
  }

  /** A worker needs the store: gets a port now or when it is open, and another one whenever it has been restarted. */
  link(worker: number, connect: (port: MessagePort) => void, unapplied?: SharedArrayBuffer): void {
    this.#links.set(worker, connect);
    if (unapplied !== undefined) this.#orphans.add(worker, unapplied);
    if (this.#open) this.#connect(connect);
    else if (this.#worker === undefined && this.#timer === undefined && this.#ending === undefined) this.#start();
  }

  /** A worker has ended. */
  forget(worker: number): void {
    this.#links.delete(worker);
    this.#orphans.leave(worker);
    if (!this.#opened) this.#orphans.storeEnded();
  }

  /**
   * Resolves when a store that starts is open, or is known not to open now, or after five seconds; at once if none starts. What is purged
   * before would only be noted for it, and lost if the process is killed.
   */
  async started(): Promise<void> {
    if (this.#worker === undefined || this.#open || this.#silent) return;
    await within(new Promise<void>((resolve) => this.#waiting.push(resolve)), START_WITHIN_MS);
  }

  #endWaiting(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Writes what it was asked to, and ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#links.clear();
    await this.#ending;
    await this.#end();
  }

  #start(): void {
    this.#timer = undefined;
    const place = this.#place;
    if (this.#closed || place === undefined || this.#worker !== undefined) return;
    // It would wait for what the blocked one holds.
    if ([...this.#blocked.values()].includes(place.path)) return;
    const { entry = new URL('../../state/content/disk/thread.js', import.meta.url), memory } = this.#options;
    const setup: StoreSetup = { ...place, entries: MAX_ENTRIES, memory, token: this.#token };
    const worker = new Worker(entry, { workerData: setup });
    const startedAt = performance.now();
    let cause = '';
    let taken = false;
    const pings = new Pings(worker, this.#options.pingMs ?? PING_MS, () => {
      if (this.#worker !== worker || this.#ending !== undefined) return;
      cause = `stuck: no answer to ${MOST_PINGS} pings`;
      this.#stuck(worker, cause);
    });
    worker.on('message', (report: StoreReport) => {
      pings.answered();
      if (this.#worker === worker) this.#heard();
      if (report.type === 'failed') cause = report.cause;
      else if (report.type === 'taken') taken = true;
      if (this.#worker === worker) this.#take(report, place);
    });
    worker.on('error', (error) => {
      cause = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => {
      pings.end();
      this.#exited(worker, cause, taken, performance.now() - startedAt);
    });
    this.#worker = worker;
    this.#path = place.path;
  }

  #take(report: StoreReport, { path, size }: DiskPlace): void {
    const { log } = this.#options;
    if (report.type === 'open') {
      this.#open = true;
      this.#opened = true;
      this.#takenBy = undefined;
      log.info('contents on disk are open', { path, size, entries: report.entries, bytes: report.bytes });
      this.#orphans.clear((connect) => this.#connect(connect));
      for (const connect of this.#links.values()) this.#connect(connect);
      this.#endWaiting();
    } else if (report.type === 'taken' && this.#takenBy !== report.by) {
      this.#takenBy = report.by;
      log.warn('contents are kept in memory only: another gateway uses the folder', { path, by: report.by });
    } else if (report.type === 'movedAside') {
      log.warn('damaged contents on disk moved aside, the store begins anew', { path, cause: report.cause });
    } else if (report.type === 'trouble' && performance.now() - this.#troubleAt > TROUBLE_EVERY_MS) {
      this.#troubleAt = performance.now();
      log.warn('content not written to disk', { path, cause: report.cause });
    }
  }

  /**
   * Out of service: contents are missing until it answers, or has ended and another one has opened the file. Within a transaction it is
   * not ended, since lmdb would wait for the end of that.
   */
  #stuck(worker: Worker, cause: string): void {
    const { log } = this.#options;
    if (!this.#silent) {
      this.#silent = true;
      this.#memory.count('stuck');
      this.#setOpen(false);
      log.error('store of contents on disk does not answer, contents are in memory only', { path: this.#path, cause });
      for (const connect of this.#links.values()) disconnect(connect);
    }
    if (!this.#memory.inTransaction) void worker.terminate();
  }

  /** The thread has said something. */
  #heard(): void {
    if (!this.#silent) return;
    this.#silent = false;
    this.#options.log.info('store of contents on disk answers again', { path: this.#path });
    if (!this.#opened) return;
    this.#setOpen(true);
    for (const connect of this.#links.values()) this.#connect(connect);
  }

  #setOpen(open: boolean): void {
    this.#open = open;
    this.#memory.set('open', open ? 1 : 0);
  }

  #connect(connect: (port: MessagePort) => void): void {
    const { port1, port2 } = new MessageChannel();
    const order: StoreOrder = { order: 'connect', port: port2 };
    this.#worker?.postMessage(order, [port2]);
    connect(port1);
  }

  #exited(worker: Worker, cause: string, taken: boolean, ranMs: number): void {
    this.#endWaiting();
    if (this.#blocked.delete(worker) && this.#links.size > 0) this.#start();
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#gone();
    if (this.#closed || this.#ending !== undefined) return;
    const wait = taken ? (this.#options.retryMs ?? RETRY_MS) : this.#backoff.next(ranMs);
    if (!taken) {
      const fields = { path: this.#place?.path, cause: cause || 'the thread ended', retryMs: wait };
      this.#options.log.error('store of contents on disk ended, it is started again', fields);
    }
    this.#timer = setTimeout(() => this.#start(), wait).unref();
  }

  #gone(): void {
    this.#open = false;
    this.#opened = false;
    this.#silent = false;
    this.#memory.set('inTransaction', 0);
    this.#orphans.storeEnded();
  }

  #restart(): void {
    this.#ending ??= this.#end().finally(() => {
      this.#ending = undefined;
      this.#start();
    });
  }

  /** A thread that is blocked in a system call is left: the process ends without it. */
  async #end(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    const path = this.#path;
    const ended = new Promise<boolean>((resolve) => worker.once('exit', () => resolve(true)));
    worker.postMessage({ order: 'close' } satisfies StoreOrder);
    const { endMs = END_WITHIN_MS } = this.#options;
    if (!(await within(ended, endMs))) {
      // It ends by itself once its transaction has.
      if (!this.#memory.inTransaction) void worker.terminate();
      if (!(await within(ended, endMs))) {
        this.#options.log.warn('store of contents on disk has not ended yet', { cause: BLOCKED_THREAD });
        worker.unref();
        this.#blocked.set(worker, path);
      }
    }
    this.#worker = undefined;
    this.#gone();
  }
}

/** Pings a thread, and says so after each MOST_PINGS without an answer. */
class Pings {
  readonly #timer: NodeJS.Timeout;
  #unanswered = 0;

  constructor(worker: Worker, everyMs: number, stuck: () => void) {
    this.#timer = setInterval(() => {
      // No more than these wait for a thread that is blocked.
      if (++this.#unanswered <= MOST_PINGS) worker.postMessage({ order: 'ping' } satisfies StoreOrder);
      else if (this.#unanswered % MOST_PINGS === 1) stuck();
    }, everyMs).unref();
  }

  answered(): void {
    this.#unanswered = 0;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** A port without another end: what was asked is not answered, and what was to be written is given up. */
function disconnect(connect: (port: MessagePort) => void): void {
  const { port1, port2 } = new MessageChannel();
  connect(port1);
  port2.close();
}
